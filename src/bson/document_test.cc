#include "bson/document.h"

#include <gtest/gtest.h>

#include "bson/json.h"

namespace tidemark::bson {
namespace {

Document doc(std::string_view json) { return *Document::from_json(json); }

TEST(View, FindsAFieldByItsWholeName) {
  const Document d = doc(R"({"ab": 1, "a": 2, "a.b": 3})");
  EXPECT_EQ(d.view().find("a")->integer(), 2);
  EXPECT_EQ(d.view().find("a.b")->integer(), 3);
  EXPECT_FALSE(d.view().find("b"));
}

TEST(View, FollowsADottedPathThroughDocumentsAndArrays) {
  const Document d = doc(R"({"a": {"b": [10, {"c": 7}]}})");
  EXPECT_EQ(d.view().find_path("a.b.1.c")->integer(), 7);
  EXPECT_FALSE(d.view().find_path("a.b.2"));
  EXPECT_FALSE(d.view().find_path("a.b.0.c"));
}

TEST(View, TellsNoDocumentFromTheEmptyOne) {
  EXPECT_FALSE(View());
  EXPECT_TRUE(doc("{}").view());
  EXPECT_TRUE(doc("{}").view().empty());
  EXPECT_NE(View(), doc("{}").view());
}

TEST(View, RefusesBytesThatAreNotOneDocument) {
  const Document d = doc(R"({"a": "text"})");
  std::vector<uint8_t> bytes(d.view().bytes().begin(), d.view().bytes().end());
  EXPECT_TRUE(View::parse(bytes));
  bytes.push_back(0);
  EXPECT_FALSE(View::parse(bytes));
  bytes.resize(bytes.size() - 3);
  EXPECT_FALSE(View::parse(bytes));
  EXPECT_FALSE(View::parse({}));
}

TEST(Element, ReadsWholeNumbersOfEveryType) {
  const Document d = doc(R"({"i": 5, "l": {"$numberLong": "6"}, "d": 7.0, "f": 7.5,
                             "m": {"$numberDecimal": "8"}, "s": "9", "n": {"$numberDouble": "NaN"}})");
  EXPECT_EQ(d.view().find("i")->integer(), 5);
  EXPECT_EQ(d.view().find("l")->integer(), 6);
  EXPECT_EQ(d.view().find("d")->integer(), 7);
  EXPECT_EQ(d.view().find("f")->integer(), std::nullopt);
  EXPECT_EQ(d.view().find("m")->integer(), 8);
  EXPECT_EQ(d.view().find("s")->integer(), std::nullopt);
  EXPECT_EQ(d.view().find("n")->integer(), std::nullopt);
}

TEST(Element, GivesTheBytesOfItsValueAlone) {
  const Document a = doc(R"({"x": "same"})");
  const Document b = doc(R"({"longer": "same"})");
  const auto left = (*a.view().begin()).value_bytes();
  const auto right = (*b.view().begin()).value_bytes();
  EXPECT_TRUE(std::equal(left.begin(), left.end(), right.begin(), right.end()));
  EXPECT_EQ(left.size(), 4u + 5u);
  EXPECT_TRUE((*doc(R"({"n": null})").view().begin()).value_bytes().empty());
}

TEST(Element, OfNothingHasNoNameAndNoBytes) {
  const Document empty = doc("{}");
  for (const Element& nothing : {Element(), *View().begin(), *empty.view().begin(), *View().end()}) {
    EXPECT_EQ(nothing.type(), BSON_TYPE_EOD);
    EXPECT_EQ(nothing.key(), "");
    EXPECT_TRUE(nothing.value_bytes().empty());
    EXPECT_FALSE(nothing.document());
    EXPECT_EQ(nothing.string(), "");
    EXPECT_EQ(nothing.integer(), std::nullopt);
  }
}

TEST(Element, OfAnotherTypeHasNoTextAndNoDocument) {
  const Document types = doc(R"({"n": 2147483647, "d": {}, "s": "x", "z": null})");
  for (const Element field : types.view()) {
    EXPECT_EQ(field.document().size() > 0, field.is_document());
    EXPECT_EQ(!field.string().empty(), field.is_string());
  }
}

TEST(Document, SharesItsBytesBetweenCopies) {
  const Document a = doc(R"({"x": 1})");
  const Document b = a;  // NOLINT(performance-unnecessary-copy-initialization): the copy is what is tested
  EXPECT_EQ(a.view().data(), b.view().data());
}

TEST(Document, RefusesTextThatIsNotJson) {
  EXPECT_FALSE(Document::from_json(""));
  EXPECT_FALSE(Document::from_json("{"));
  EXPECT_FALSE(Document::from_json(R"({"a": {"$oid": "short"}})"));
}

TEST(Builder, BuildsWhatJsonSays) {
  Builder builder;
  builder.append("s", "text")
      .append("i", int32_t{1})
      .append("l", int64_t{2})
      .append("b", true)
      .append_null("n");
  builder.append_timestamp("t", 3, 4).append("d", doc(R"({"x": 1})").view());
  EXPECT_EQ(builder.view(), doc(R"({"s": "text", "i": 1, "l": {"$numberLong": "2"}, "b": true, "n": null,
                    "t": {"$timestamp": {"t": 3, "i": 4}}, "d": {"x": 1}})")
                                .view());
}

// What `filter` and `classify` document, and libbson alone takes for half of a binary.
TEST(FromJson, TakesTheOperatorTypeWhereverItStands) {
  for (const char* text : {R"({"v":{"$type":"date"}})", R"({"v":{"$not":{"$type":"date"}}})",
                           R"({"$or":[{"v":{"$type":"int"}},{"w":{"$type":"string","$ne":"x"}}]})",
                           R"({"v":{"$ne":null,"$type":["date","null"]}})"}) {
    const auto read = Document::from_json(text);
    ASSERT_TRUE(read) << text << ": " << read.error().what;
    EXPECT_EQ(to_json(*read, JsonMode::kRelaxed), text);
  }
  const auto number = Document::from_json(R"({"v":{ "$type" : 9 }})");
  ASSERT_TRUE(number) << number.error().what;
  EXPECT_EQ(number->view().find_path("v.$type")->integer(), 9);
}

TEST(FromJson, StillTakesALegacyBinary) {
  for (const char* text :
       {R"({"v":{"$binary":"AQI=","$type":"05"}})", R"({"v":{"$type":"05","$binary":"AQI="}})",
        R"({"$type":"a name","v":{"$binary":"AQI=","$type":"05"}})"}) {
    const auto read = Document::from_json(text);
    ASSERT_TRUE(read) << text << ": " << read.error().what;
    ASSERT_EQ(read->view().find("v")->type(), BSON_TYPE_BINARY) << text;
    EXPECT_EQ(read->view().find("v")->binary().subtype, 5);
  }
}

TEST(FromJson, AStringThatSaysTypeIsAString) {
  const auto read = Document::from_json(R"({"v":"\"$type\": 1","w":["$type"]})");
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->view().find("v")->string(), R"("$type": 1)");
}

}  // namespace
}  // namespace tidemark::bson
