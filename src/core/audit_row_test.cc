#include "core/audit_row.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bson/json.h"
#include "support/change_events.h"

namespace tidemark {
namespace {

using testing::doc;
using ::testing::HasSubstr;

AuditRow of_document(const bson::Document& document, AuditForm form = AuditForm::kAsIs) {
  AuditRowMaker maker(form);
  AuditRow row;
  maker.of_document(*document.view().find("_id"), document, row);
  return row;
}

AuditRow of_texts(std::string_view id, std::string_view document, AuditForm form = AuditForm::kAsIs) {
  AuditRowMaker maker(form);
  AuditRow row;
  maker.of_texts(id, document, "at", row);
  return row;
}

std::string id_text(const bson::Document& document) {
  std::string text;
  bson::append_json_value(*document.view().find("_id"), bson::JsonMode::kCanonical, text);
  return text;
}

TEST(AuditRowMaker, ReadsATextBackIntoTheDocumentThatItWasMadeOf) {
  const auto document = doc(
      R"({"_id":{"$oid":"65f000000000000000000001"},"at":{"$date":{"$numberLong":"5"}},"n":[{"b":1,"a":"x"}],"d":{"$numberDouble":"-0.0"}})");
  const AuditRow source = of_document(document);
  const AuditRow destination = of_texts(id_text(document), bson::to_json(document));
  EXPECT_EQ(destination.flaw, "");
  EXPECT_EQ(destination.id, source.id);
  EXPECT_EQ(destination.key, source.key);
  EXPECT_EQ(destination.doc, source.doc);
  EXPECT_EQ(destination.time_ms, 5);
  EXPECT_EQ(sum_of(destination), sum_of(source));
}

// What a renderer that left a field out, or changed a type, would have written.
TEST(AuditRowMaker, ATextThatSaysLessIsAnotherDocument) {
  const AuditRow source = of_document(doc(R"({"_id":{"$numberInt":"1"},"a":{"$numberInt":"1"},"b":2})"));
  for (const char* text : {R"({"_id":{"$numberInt":"1"},"a":{"$numberInt":"1"}})",
                           R"({"_id":{"$numberInt":"1"},"a":{"$numberLong":"1"},"b":{"$numberInt":"2"}})",
                           R"({"_id":{"$numberInt":"1"},"b":{"$numberInt":"2"},"a":{"$numberInt":"1"}})"}) {
    const AuditRow row = of_texts(R"({"$numberInt":"1"})", text);
    EXPECT_EQ(row.flaw, "") << text;
    EXPECT_NE(row.doc, source.doc) << text;
  }
}

TEST(AuditRowMaker, WhatIsNoDocumentOfItsIdHasAFlaw) {
  const std::string one = R"({"$numberInt":"1"})";
  const std::string document = R"({"_id":{"$numberInt":"1"}})";
  EXPECT_EQ(of_texts(one, document).flaw, "");
  EXPECT_THAT(of_texts(one, R"({"_id":{"$numberInt":"2"}})").flaw, HasSubstr("_id"));
  EXPECT_THAT(of_texts(one, R"({"_id":{"$numberLong":"1"}})").flaw, HasSubstr("_id"));
  EXPECT_THAT(of_texts(one, "twisted").flaw, HasSubstr("document can't be read back"));
  EXPECT_THAT(of_texts(one, "").flaw, HasSubstr("document can't be read back"));
  EXPECT_THAT(of_texts("hello", document).flaw, HasSubstr("id"));
  EXPECT_THAT(of_texts("1", document).flaw, HasSubstr("id"));
  EXPECT_THAT(of_texts("", document).flaw, HasSubstr("id"));
  // Its id is known all the same, so that it can be looked up and written again.
  EXPECT_FALSE(of_texts(one, "twisted").key.empty());
  EXPECT_FALSE(sum_of(of_texts(one, "twisted")) == sum_of(of_texts(one, "other")));
}

TEST(AuditRowMaker, ADocumentWithoutItsIdIsThatOfItsRow) {
  const AuditRow row = of_texts(R"({"$numberInt":"1"})", R"({"a":{"$numberInt":"1"}})");
  EXPECT_EQ(row.flaw, "");
}

TEST(AuditRowMaker, SortedFieldsAreOneFormWhateverTheOrder) {
  const auto document = doc(
      R"({"_id":{"$numberInt":"1"},"bb":{"$numberInt":"1"},"a":[{"z":{"$numberInt":"1"},"y":{"$numberInt":"2"}},"b","a"],)"
      R"("c":{"$code":"f","$scope":{"q":{"$numberInt":"1"},"p":{"$numberInt":"2"}}}})");
  // As jsonb prints it: shorter keys first, wrappers in its own order too.
  const AuditRow row = of_texts(
      R"({"$numberInt":"1"})",
      R"({"a": [{"y": {"$numberInt": "2"}, "z": {"$numberInt": "1"}}, "b", "a"], "c": {"$code": "f", "$scope": {"p": {"$numberInt": "2"}, "q": {"$numberInt": "1"}}}, "bb": {"$numberInt": "1"}, "_id": {"$numberInt": "1"}})",
      AuditForm::kFieldsSorted);
  EXPECT_EQ(row.flaw, "");
  EXPECT_EQ(row.doc, of_document(document, AuditForm::kFieldsSorted).doc);
  const auto swapped =
      doc(R"({"_id":{"$numberInt":"1"},"a":["a",{"z":{"$numberInt":"1"},"y":{"$numberInt":"2"}},"b"]})");
  EXPECT_NE(of_document(swapped, AuditForm::kFieldsSorted).doc, row.doc);
}

TEST(AuditRowMaker, AnIdThatIsADocumentMayBeInAnotherOrderWhereTheFieldsAre) {
  const std::string id = R"({"b":{"$numberInt":"2"},"a":{"$numberInt":"1"}})";
  const std::string sorted = R"({"_id": {"a": {"$numberInt": "1"}, "b": {"$numberInt": "2"}}})";
  EXPECT_EQ(of_texts(id, sorted, AuditForm::kFieldsSorted).flaw, "");
  EXPECT_THAT(of_texts(id, sorted, AuditForm::kAsIs).flaw, HasSubstr("_id"));
  const std::string other = R"({"_id": {"a": {"$numberInt": "1"}, "b": {"$numberInt": "3"}}})";
  EXPECT_THAT(of_texts(id, other, AuditForm::kFieldsSorted).flaw, HasSubstr("_id"));
  const std::string code = R"({"$code":"f","$scope":{"q":{"$numberInt":"1"},"p":{"$numberInt":"2"}}})";
  const std::string code_sorted =
      R"({"_id": {"$code": "f", "$scope": {"p": {"$numberInt": "2"}, "q": {"$numberInt": "1"}}}})";
  EXPECT_EQ(of_texts(code, code_sorted, AuditForm::kFieldsSorted).flaw, "");
}

TEST(AuditRowMaker, DoubledKeysStayBoth) {
  bson::Builder first, second;
  first.append("_id", int32_t{1}).append("z", int32_t{1}).append("z", int32_t{2});
  second.append("_id", int32_t{1}).append("z", int32_t{2});
  EXPECT_NE(of_document(first.finish(), AuditForm::kFieldsSorted).doc,
            of_document(second.finish(), AuditForm::kFieldsSorted).doc);
}

}  // namespace
}  // namespace tidemark
