#include "bson/json_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "base/digest.h"
#include "bson/json.h"
#include "bson/testing/arbitrary_bson.h"

namespace tidemark::bson {
namespace {

using ::testing::HasSubstr;

std::vector<uint8_t> bytes_of(std::string_view hex) { return from_hex(hex).value(); }

Document framed(std::string_view hex) { return Document(View::parse(bytes_of(hex)).value()); }

std::string hex_of(const Document& document) { return to_hex(document.view().bytes()); }

// {"v": a value of this type and these bytes}
Document value(uint8_t type, std::string_view hex) {
  Builder builder;
  builder.append_raw("v", type, bytes_of(hex));
  return builder.finish();
}

std::string text_of_value(uint8_t type, std::string_view hex) {
  std::string text;
  append_json_value(*value(type, hex).view().begin(), JsonMode::kCanonical, text);
  return text;
}

std::string why(std::string_view json) {
  const auto read = read_json(json);
  return read ? "it was read as " + hex_of(*read) : read.error().what;
}

Document any_framed() {
  return ArbitraryBson(*rc::gen::resize(400, rc::gen::arbitrary<std::vector<uint32_t>>()),
                       ArbitraryBson::Kind::kFramed)
      .document();
}

RC_GTEST_PROP(ReadJson, GivesBackTheVeryBytesOfAnyDocument, ()) {
  const Document document = any_framed();
  const std::string text = to_json(document);
  const auto back = read_json(text);
  RC_LOG() << hex_of(document) << "\n" << text << "\n" << (back ? hex_of(*back) : back.error().what);
  RC_ASSERT(back.has_value());
  RC_ASSERT(back->view() == document.view());
}

RC_GTEST_PROP(ReadJson, GivesBackTheVeryBytesOfAnyValue, ()) {
  const Document document = any_framed();
  for (const Element field : document.view()) {
    std::string text;
    append_json_value(field, JsonMode::kCanonical, text);
    const auto back = read_json_value(text, field.key());
    RC_LOG() << text;
    RC_ASSERT(back.has_value());
    Builder alone;
    alone.append(field.key(), field);
    RC_ASSERT(back->view() == alone.view());
  }
}

TEST(ReadJson, TakesTheMembersOfAWordInAnyOrderAndBlanksAsJsonbWritesThem) {
  const auto same = [](const char* ours, const char* theirs) {
    const auto a = read_json(ours), b = read_json(theirs);
    ASSERT_TRUE(a && b) << ours;
    EXPECT_EQ(hex_of(*a), hex_of(*b));
    EXPECT_EQ(to_json(*a), ours);
  };
  same(R"({"v":{"$timestamp":{"t":1,"i":2}}})", R"({"v": {"$timestamp": {"i": 2, "t": 1}}})");
  same(R"({"v":{"$code":"x","$scope":{"a":null}}})", R"({"v": {"$scope": {"a": null}, "$code": "x"}})");
  same(R"({"v":{"$binary":{"base64":"//8=","subType":"02"}}})",
       R"({"v": {"$binary": {"subType": "02", "base64": "//8="}}})");
  same(R"({"v":{"$regularExpression":{"pattern":"a","options":"i"}}})",
       R"({"v": {"$regularExpression": {"options": "i", "pattern": "a"}}})");
  same(R"({"v":{"$dbPointer":{"$ref":"b","$id":{"$oid":"56e1fc72e0c917e9c4714161"}}}})",
       R"({"v": {"$dbPointer": {"$id": {"$oid": "56e1fc72e0c917e9c4714161"}, "$ref": "b"}}})");
  same(R"({"v":{"$bson":{"type":"08","base64":"Ag=="}}})",
       R"({"v": {"$bson": {"base64": "Ag==", "type": "08"}}})");
}

RC_GTEST_PROP(ReadJson, AnswersToAnyDamageOfItsText, ()) {
  std::string text = to_json(any_framed());
  const int edits = *rc::gen::inRange(1, 5);
  for (int i = 0; i < edits; ++i)
    text[*rc::gen::inRange<size_t>(0, text.size())] =
        *rc::gen::elementOf(std::string("{}[]\",:$0a\\\x01\xff", 13));
  const auto read = read_json(text);
  if (!read) {
    RC_ASSERT(!read.error().what.empty());
    return;
  }
  RC_ASSERT(View::parse(read->view().bytes()).has_value());
  const auto back = read_json(to_json(*read));
  RC_ASSERT(back.has_value());
  RC_ASSERT(back->view() == read->view());
}

RC_GTEST_PROP(ReadJson, KnowsEveryDecimal, (uint64_t high, uint64_t low)) {
  Builder builder;
  uint8_t bytes[16];
  for (int i = 0; i < 8; ++i) {
    bytes[i] = static_cast<uint8_t>(low >> (8 * i));
    bytes[8 + i] = static_cast<uint8_t>(high >> (8 * i));
  }
  // Near the ends of the exponent's range, where libbson's own reader loses what its printer wrote.
  if (*rc::gen::arbitrary<bool>())
    bytes[14] = bytes[15] = *rc::gen::elementOf(std::vector<uint8_t>{0, 0x5f, 0x80});
  builder.append_raw("d", BSON_TYPE_DECIMAL128, bytes);
  const auto back = read_json(to_json(builder.view()));
  RC_LOG() << to_json(builder.view());
  RC_ASSERT(back.has_value());
  RC_ASSERT(back->view() == builder.view());
}

TEST(ReadJson, KeepsOrderAndDoubledNames) {
  const Document document = framed(
      "1300000010ff0001000000"
      "10ff000200000000");
  EXPECT_EQ(hex_of(*read_json(to_json(document))), hex_of(document));
  const auto doubled = read_json(R"({"z":{"$numberInt":"1"},"a":null,"z":{"$numberInt":"2"}})");
  ASSERT_TRUE(doubled);
  EXPECT_EQ(to_json(*doubled), R"({"z":{"$numberInt":"1"},"a":null,"z":{"$numberInt":"2"}})");
}

TEST(ReadJson, ReadsAValueUnderAName) {
  const auto id = read_json_value(R"({"$oid":"56e1fc72e0c917e9c4714161"})", "_id");
  ASSERT_TRUE(id);
  EXPECT_EQ(id->view(), Document::from_json(R"({"_id":{"$oid":"56e1fc72e0c917e9c4714161"}})")->view());
  EXPECT_EQ(read_json_value("\"x\"", "")->view(), Document::from_json(R"({"":"x"})")->view());
  EXPECT_FALSE(read_json_value("", "_id"));
  EXPECT_FALSE(read_json_value("null null", "_id"));
}

TEST(ReadJson, TakesWhatTheServerTakesInDepthAndNoMore) {
  Document inside = Document::from_json("{}").value();
  for (int level = 1; level < kDepthMax; ++level) {
    Builder outer;
    level % 2 == 0 ? outer.append("0", inside.view()) : outer.append_array("0", inside.view());
    inside = outer.finish();
  }
  ASSERT_TRUE(View::parse(inside.view().bytes()));
  EXPECT_EQ(read_json(to_json(inside))->view(), inside.view());
  Builder outer;
  outer.append("0", inside.view());
  EXPECT_FALSE(View::parse(outer.view().bytes()));
  EXPECT_THAT(why("{\"a\":" + std::string(100'000, '[')), HasSubstr("more than 250 levels"));
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "{\"a\":";
  EXPECT_THAT(why(deep), HasSubstr("more than 250 levels"));
}

TEST(ReadJson, RefusesWhatIsNotCanonicalAndSaysWhere) {
  EXPECT_THAT(why(""), HasSubstr("a value was expected"));
  EXPECT_THAT(why("null"), HasSubstr("no document"));
  EXPECT_THAT(why(R"({"$numberInt":"1"})"), HasSubstr("no document"));
  EXPECT_THAT(why(R"({"a":1})"), HasSubstr("a number has its type around it"));
  EXPECT_THAT(why(R"({"a":1})"), HasSubstr("near byte 5"));
  EXPECT_THAT(why("{\"a\":\"\xff\"}"), HasSubstr("not UTF-8"));
  EXPECT_THAT(why(R"({"a\u0000b":null})"), HasSubstr("U+0000"));
  EXPECT_THAT(why(R"({"a":"\ud800"})"), HasSubstr("surrogate"));
  EXPECT_THAT(why(R"({"a":"\ud800\u0041"})"), HasSubstr("surrogate"));
  EXPECT_THAT(why(R"({"a":{"$numberInt":"2147483648"}})"), HasSubstr("not an integer"));
  EXPECT_THAT(why(R"({"a":{"$numberInt":" 1"}})"), HasSubstr("not an integer"));
  EXPECT_THAT(why(R"({"a":{"$numberInt":"1","b":null}})"), HasSubstr("a member too many"));
  EXPECT_THAT(why(R"({"a":{"b":null,"$numberInt":"1"}})"), HasSubstr("own words"));
  EXPECT_THAT(why(R"({"a":{"\u0024numberInt":null}})"), HasSubstr("a string was expected"));
  EXPECT_THAT(why(R"({"a":{"$numberDouble":"inf"}})"), HasSubstr("not a double"));
  EXPECT_THAT(why(R"({"a":{"$numberDouble":"1e999"}})"), HasSubstr("not a double"));
  EXPECT_THAT(why(R"({"a":{"$numberDecimal":"12345678901234567890123456789012345"}})"),
              HasSubstr("not a Decimal128"));
  EXPECT_THAT(why(R"({"a":{"$date":"2024-01-01T00:00:00Z"}})"), HasSubstr("milliseconds"));
  EXPECT_THAT(why(R"({"a":{"$binary":{"base64":"AB==","subType":"00"}}})"), HasSubstr("not base64"));
  EXPECT_THAT(why(R"({"a":{"$binary":{"base64":"","base64":""}}})"), HasSubstr("other members"));
  EXPECT_THAT(why(R"({"a":{"$oid":"56e1"}})"), HasSubstr("hexadecimal"));
  EXPECT_THAT(why(R"({"a":{"$scope":{}}})"), HasSubstr("without its $code"));
  EXPECT_THAT(why(R"({"a":{"$code":"","$scope":[]}})"), HasSubstr("no document"));
  EXPECT_THAT(why(R"({"a":null,})"), HasSubstr("a string was expected"));
  EXPECT_THAT(why(R"({"a":null} x)"), HasSubstr("more text"));
  EXPECT_THAT(why(R"({"a":nul})"), HasSubstr("a value was expected"));
}

TEST(ReadJson, RefusesBytesThatAreNoValueOfTheirType) {
  const auto wrapped = [](const char* type, const char* base64) {
    return std::string(R"({"a":{"$bson":{"type":")") + type + R"(","base64":")" + base64 + "\"}}}";
  };
  EXPECT_TRUE(read_json(wrapped("08", "Ag==")));
  EXPECT_THAT(why(wrapped("10", "AAAAAAAAAAA=")),
              HasSubstr("no value of their type"));  // eight bytes for an int32
  EXPECT_THAT(why(wrapped("10", "AAA=")), HasSubstr("no value of their type"));
  EXPECT_THAT(why(wrapped("00", "")), HasSubstr("no value of their type"));
  EXPECT_THAT(why(wrapped("20", "")), HasSubstr("no value of their type"));
  EXPECT_THAT(why(wrapped("03", "BQAAAAE=")), HasSubstr("no value of their type"));
  EXPECT_TRUE(read_json(wrapped("03", "BQAAAAA=")));
}

// --- the text itself: what people see for values that Extended JSON has no exact word for

TEST(TextOfAValue, CarriesABinaryOfSubtypeTwoWithoutItsLengthAndAllThatFollows) {
  const Document document =
      framed("2d000000105f69640001000000056100050000000201020304051062000200000002630004000000656e640000");
  EXPECT_EQ(to_json(document),
            R"({"_id":{"$numberInt":"1"},"a":{"$bson":{"type":"05","base64":"BQAAAAIBAgMEBQ=="}},)"
            R"("b":{"$numberInt":"2"},"c":"end"})");
  EXPECT_EQ(hex_of(*read_json(to_json(document))), hex_of(document));
  EXPECT_EQ(text_of_value(BSON_TYPE_BINARY,
                          "06000000"
                          "02"
                          "02000000"
                          "ffff"),
            R"({"$binary":{"base64":"//8=","subType":"02"}})");
}

TEST(TextOfAValue, TellsIdsApartThatAreNotUtf8) {
  const std::string one = text_of_value(BSON_TYPE_UTF8,
                                        "03000000"
                                        "61e900");
  const std::string other = text_of_value(BSON_TYPE_UTF8,
                                          "03000000"
                                          "61e800");
  EXPECT_EQ(one, R"({"$bson":{"type":"02","base64":"AwAAAGHpAA=="}})");
  EXPECT_NE(one, other);
}

TEST(TextOfAValue, TellsALiteralDocumentFromTheTypeThatItLooksLike) {
  Builder inner;
  inner.append("$numberInt", "1");
  const Document literal = Builder().append("a", inner.view()).finish();
  const Document number = Builder().append("a", int32_t{1}).finish();
  EXPECT_NE(to_json(literal), to_json(number));
  EXPECT_EQ(read_json(to_json(literal))->view(), literal.view());
  EXPECT_EQ(read_json(to_json(number))->view(), number.view());
  // At any place among its fields, as jsonb may put it first.
  Builder later;
  later.append("a_long_name_before", "x").append("$oid", "y");
  EXPECT_THAT(to_json(later.view()), testing::StartsWith(R"({"$bson":{"type":"03",)"));
}

TEST(TextOfAValue, KeepsNamesThatOnlyLookLikeWords) {
  const char* text = R"({"$ref":"c","$id":{"$numberInt":"1"},"s":{"$schema":"x","$regex":"y"}})";
  const auto read = read_json(text);
  ASSERT_TRUE(read);
  EXPECT_EQ(to_json(*read), text);
}

TEST(TextOfAValue, WrapsEachValueThatHasNoExactWord) {
  EXPECT_EQ(text_of_value(BSON_TYPE_BOOL, "02"), R"({"$bson":{"type":"08","base64":"Ag=="}})");
  EXPECT_EQ(text_of_value(BSON_TYPE_DOUBLE, "000000000000f8ff"),
            R"({"$bson":{"type":"01","base64":"AAAAAAAA+P8="}})");
  EXPECT_EQ(text_of_value(BSON_TYPE_DOUBLE, "000000000000f87f"), R"({"$numberDouble":"NaN"})");
  EXPECT_EQ(text_of_value(BSON_TYPE_REGEX,
                          "6100"
                          "6d6900"),
            R"({"$bson":{"type":"0b","base64":"YQBtaQA="}})");
  EXPECT_EQ(text_of_value(BSON_TYPE_REGEX,
                          "6100"
                          "696d00"),
            R"({"$regularExpression":{"pattern":"a","options":"im"}})");
  EXPECT_EQ(text_of_value(BSON_TYPE_DECIMAL128,
                          "0000000000000000"
                          "00000000000000fc"),
            R"({"$bson":{"type":"13","base64":"AAAAAAAAAAAAAAAAAAAA/A=="}})");
  // An array whose keys are no indexes.
  EXPECT_EQ(text_of_value(BSON_TYPE_ARRAY,
                          "09000000"
                          "08"
                          "7800"
                          "01"
                          "00")
                .substr(0, 24),
            R"({"$bson":{"type":"04","b)");
}

}  // namespace
}  // namespace tidemark::bson
