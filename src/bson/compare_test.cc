#include "bson/compare.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "bson/testing/arbitrary_bson.h"

namespace tidemark::bson {
namespace {

int sign(int order) { return (order > 0) - (order < 0); }

Document parse(std::string_view json) {
  auto document = Document::from_json(json);
  EXPECT_TRUE(document) << json;
  return document ? *document : Document();
}

int compare_json(std::string_view a, std::string_view b) {
  const Document x = parse("{\"v\": " + std::string(a) + "}");
  const Document y = parse("{\"v\": " + std::string(b) + "}");
  return sign(compare(*x.view().find("v"), *y.view().find("v")));
}

Element value_of(const Document& holder) { return *holder.view().begin(); }

TEST(Compare, OrdersTypesByTheirBrackets) {
  const char* const ascending[] = {R"({"$minKey":1})",
                                   R"({"$undefined":true})",
                                   "null",
                                   "1",
                                   R"("a")",
                                   "{}",
                                   "[]",
                                   R"({"$binary":{"base64":"AA==","subType":"00"}})",
                                   R"({"$oid":"000000000000000000000000"})",
                                   "false",
                                   R"({"$date":{"$numberLong":"0"}})",
                                   R"({"$timestamp":{"t":1,"i":1}})",
                                   R"({"$regularExpression":{"pattern":"a","options":""}})",
                                   R"({"$code":"x"})",
                                   R"({"$maxKey":1})"};
  for (size_t i = 0; i < std::size(ascending); ++i) {
    for (size_t j = 0; j < std::size(ascending); ++j)
      EXPECT_EQ(compare_json(ascending[i], ascending[j]), sign(static_cast<int>(i) - static_cast<int>(j)))
          << ascending[i] << " " << ascending[j];
  }
}

TEST(Compare, ComparesNumbersOfAllTypesExactly) {
  EXPECT_EQ(compare_json("1", R"({"$numberLong":"1"})"), 0);
  EXPECT_EQ(compare_json("1", R"({"$numberDouble":"1.0"})"), 0);
  EXPECT_EQ(compare_json("1", R"({"$numberDecimal":"1.00"})"), 0);
  EXPECT_EQ(compare_json(R"({"$numberLong":"9007199254740993"})", R"({"$numberDouble":"9007199254740992"})"),
            1);
  EXPECT_EQ(
      compare_json(R"({"$numberLong":"9223372036854775807"})", R"({"$numberDouble":"9223372036854775808"})"),
      -1);
  EXPECT_EQ(compare_json(R"({"$numberDecimal":"0.1"})", R"({"$numberDouble":"0.1"})"), -1);
  EXPECT_EQ(compare_json(R"({"$numberDouble":"NaN"})", R"({"$numberDouble":"-Infinity"})"), -1);
  EXPECT_EQ(compare_json(R"({"$numberDouble":"NaN"})", R"({"$numberDecimal":"NaN"})"), 0);
  EXPECT_EQ(compare_json(R"({"$numberDouble":"-0.0"})", "0"), 0);
}

TEST(Compare, ComparesDocumentsFieldByFieldTypeFirst) {
  EXPECT_EQ(compare_json(R"({"a":1})", R"({"a":1,"b":1})"), -1);
  EXPECT_EQ(compare_json(R"({"b":1})", R"({"a":"x"})"), -1);  // the number's bracket is below the string's
  EXPECT_EQ(compare_json(R"({"b":1})", R"({"a":2})"), 1);
  EXPECT_EQ(compare_json("[1,2]", "[1,3]"), -1);
}

RC_GTEST_PROP(Compare, KeysCarryTheOrder, (std::vector<uint32_t> first, std::vector<uint32_t> second)) {
  const Document a = ArbitraryBson(std::move(first)).value();
  const Document b = ArbitraryBson(std::move(second)).value();
  RC_ASSERT(sign(compare(value_of(a), value_of(b))) ==
            sign(canonical_key(value_of(a)).compare(canonical_key(value_of(b)))));
}

RC_GTEST_PROP(Compare, IsATotalOrder,
              (std::vector<uint32_t> first, std::vector<uint32_t> second, std::vector<uint32_t> third)) {
  const Document a = ArbitraryBson(std::move(first)).value();
  const Document b = ArbitraryBson(std::move(second)).value();
  const Document c = ArbitraryBson(std::move(third)).value();
  const int ab = sign(compare(value_of(a), value_of(b)));
  const int bc = sign(compare(value_of(b), value_of(c)));
  const int ac = sign(compare(value_of(a), value_of(c)));
  RC_ASSERT(compare(value_of(a), value_of(a)) == 0);
  RC_ASSERT(sign(compare(value_of(b), value_of(a))) == -ab);
  if (ab <= 0 && bc <= 0) RC_ASSERT(ac == (ab == 0 && bc == 0 ? 0 : -1));
}

RC_GTEST_PROP(Compare, NoKeyIsAPrefixOfAnother, (std::vector<uint32_t> first, std::vector<uint32_t> second)) {
  const Document x = ArbitraryBson(std::move(first)).value();
  const Document y = ArbitraryBson(std::move(second)).value();
  const std::string a = canonical_key(value_of(x));
  const std::string b = canonical_key(value_of(y));
  RC_ASSERT(a == b || !b.starts_with(a));
}

}  // namespace
}  // namespace tidemark::bson
