#include "bson/matcher.h"

#include <functional>

#include <gtest/gtest.h>

namespace tidemark::bson {
namespace {

Document parse(std::string_view json) {
  auto document = Document::from_json(json);
  EXPECT_TRUE(document) << json;
  return document ? *document : Document();
}

bool matches(std::string_view filter, std::string_view document) {
  const auto matcher = Matcher::parse(parse(filter));
  EXPECT_TRUE(matcher) << filter << ": " << (matcher ? "" : matcher.error().what);
  return matcher && matcher->matches(parse(document));
}

Error refusal(std::string_view filter) {
  const auto matcher = Matcher::parse(parse(filter));
  EXPECT_FALSE(matcher) << filter;
  return matcher ? Error{} : matcher.error();
}

TEST(Matcher, ComparesAcrossNumericTypesAndNotAcrossBrackets) {
  EXPECT_TRUE(matches(R"({"a":1})", R"({"a":{"$numberLong":"1"}})"));
  EXPECT_TRUE(matches(R"({"a":{"$gt":1}})", R"({"a":1.5})"));
  EXPECT_FALSE(matches(R"({"a":{"$gt":1}})", R"({"a":"z"})"));
  EXPECT_FALSE(matches(R"({"a":{"$lt":5}})", "{}"));
  EXPECT_TRUE(matches(R"({"a":{"$gte":2,"$lt":3}})", R"({"a":2})"));
  EXPECT_TRUE(matches(R"({"a":{"$eq":{"$numberDouble":"NaN"}}})", R"({"a":{"$numberDouble":"NaN"}})"));
  EXPECT_FALSE(matches(R"({"a":{"$lt":{"$numberDouble":"NaN"}}})", R"({"a":1})"));
  EXPECT_TRUE(matches(R"({"a":{"$gt":{"$minKey":1}}})", R"({"a":"x"})"));
}

TEST(Matcher, TakesNullForMissingButNotTheOtherWayRound) {
  EXPECT_TRUE(matches(R"({"a":null})", "{}"));
  EXPECT_TRUE(matches(R"({"a":null})", R"({"a":null})"));
  EXPECT_FALSE(matches(R"({"a":null})", R"({"a":1})"));
  EXPECT_TRUE(matches(R"({"a":{"$exists":true}})", R"({"a":null})"));
  EXPECT_FALSE(matches(R"({"a":{"$exists":true}})", "{}"));
  EXPECT_TRUE(matches(R"({"a":{"$ne":null}})", R"({"a":1})"));
  EXPECT_FALSE(matches(R"({"a":{"$ne":null}})", "{}"));
  EXPECT_TRUE(matches(R"({"a":{"$in":[null,3]}})", "{}"));
  EXPECT_TRUE(matches(R"({"a.b":null})", R"({"a":[{"b":1},{"c":1}]})"));
  EXPECT_FALSE(matches(R"({"a.b":null})", R"({"a":[1,2]})"));
}

TEST(Matcher, LooksThroughArrays) {
  EXPECT_TRUE(matches(R"({"a":2})", R"({"a":[1,2]})"));
  EXPECT_TRUE(matches(R"({"a":[1,2]})", R"({"a":[1,2]})"));
  EXPECT_TRUE(matches(R"({"a":[1,2]})", R"({"a":[[1,2]]})"));
  EXPECT_FALSE(matches(R"({"a":2})", R"({"a":[[1,2]]})"));
  EXPECT_TRUE(matches(R"({"a.b":2})", R"({"a":[{"b":1},{"b":[2]}]})"));
  EXPECT_TRUE(matches(R"({"a.1":5})", R"({"a":[4,5]})"));
  EXPECT_TRUE(matches(R"({"a.0.b":1})", R"({"a":[{"b":1}]})"));
  EXPECT_TRUE(matches(R"({"a":{"$gt":1,"$lt":1}})", R"({"a":[0,2]})"));
  EXPECT_FALSE(matches(R"({"a":{"$elemMatch":{"$gt":0,"$lt":2}}})", R"({"a":[0,2]})"));
  EXPECT_TRUE(matches(R"({"a":{"$elemMatch":{"b":1,"c":2}}})", R"({"a":[{"b":1},{"b":1,"c":2}]})"));
  EXPECT_TRUE(matches(R"({"a":{"$size":2}})", R"({"a":[1,[2]]})"));
  EXPECT_TRUE(matches(R"({"a":{"$all":[1,2]}})", R"({"a":[2,1,3]})"));
  EXPECT_FALSE(matches(R"({"a":{"$all":[1,9]}})", R"({"a":[2,1,3]})"));
  EXPECT_FALSE(matches(R"({"a":{"$ne":2}})", R"({"a":[1,2]})"));
  EXPECT_FALSE(matches(R"({"a":{"$all":[]}})", R"({"a":[]})"));
}

TEST(Matcher, KnowsTheLogicalOperators) {
  EXPECT_TRUE(matches(R"({"$or":[{"a":1},{"b":1}]})", R"({"b":1})"));
  EXPECT_FALSE(matches(R"({"$and":[{"a":1},{"b":1}]})", R"({"b":1})"));
  EXPECT_TRUE(matches(R"({"$nor":[{"a":1},{"b":2}]})", R"({"b":1})"));
  EXPECT_TRUE(matches(R"({"a":{"$not":{"$gt":5}}})", R"({"a":"text"})"));
  EXPECT_TRUE(matches(R"({"a":{"$nin":[1,2]}})", R"({"a":3})"));
  EXPECT_TRUE(matches(R"({"$comment":"why","a":1})", R"({"a":1})"));
}

TEST(Matcher, KnowsTypesRegexesModulosAndBits) {
  EXPECT_TRUE(matches(R"({"a":{"$regex":"^AB","$options":"i"}})", R"({"a":"abc"})"));
  EXPECT_TRUE(
      matches(R"({"a":{"$in":[{"$regularExpression":{"pattern":"^x","options":""}}]}})", R"({"a":"xy"})"));
  EXPECT_TRUE(matches(R"({"a":{"$mod":[4,1]}})", R"({"a":9})"));
  EXPECT_TRUE(matches(R"({"a":{"$bitsAllSet":[0,2]}})", R"({"a":5})"));
  EXPECT_TRUE(matches(R"({"a":{"$bitsAnyClear":5}})", R"({"a":4})"));
  EXPECT_FALSE(matches(R"({"a":{"$bitsAllClear":5}})", R"({"a":4})"));
}

// libbson's parser takes {"$type": ...} for Extended JSON of old, so these filters are built.
bool is_of_type(const std::function<void(Builder&)>& append_type, std::string_view document) {
  Builder condition;
  append_type(condition);
  Builder filter;
  filter.append("a", condition.view());
  const auto matcher = Matcher::parse(filter.view());
  EXPECT_TRUE(matcher);
  return matcher && matcher->matches(parse(document));
}

TEST(Matcher, KnowsTypesByNameAndNumber) {
  EXPECT_TRUE(is_of_type([](Builder& b) { b.append("$type", "string"); }, R"({"a":[1,"x"]})"));
  EXPECT_TRUE(is_of_type([](Builder& b) { b.append("$type", "number"); }, R"({"a":1.5})"));
  EXPECT_TRUE(is_of_type([](Builder& b) { b.append("$type", int32_t{4}); }, R"({"a":[]})"));
  EXPECT_FALSE(is_of_type([](Builder& b) { b.append("$type", "null"); }, "{}"));
  Builder unknown;
  unknown.append("$type", "nope");
  Builder filter;
  filter.append("a", unknown.view());
  EXPECT_EQ(Matcher::parse(filter.view()).error().what, "Unknown type name alias: nope");
}

TEST(Matcher, RemembersWhichItemMatched) {
  MatchDetails details;
  const auto matcher = Matcher::parse(parse(R"({"x":1,"a.b":{"$gt":5}})"));
  ASSERT_TRUE(matcher);
  EXPECT_TRUE(matcher->matches(parse(R"({"x":1,"a":[{"b":1},{"b":7},{"b":9}]})"), &details));
  EXPECT_EQ(details.array_index, 1U);
}

TEST(Matcher, TestsValuesOnTheirOwn) {
  const auto test = [](std::string_view condition, std::string_view value) {
    const Document c = parse("{\"v\":" + std::string(condition) + "}");
    const Document v = parse("{\"v\":" + std::string(value) + "}");
    const auto matcher = Matcher::parse_value(*c.view().find("v"));
    EXPECT_TRUE(matcher);
    return matcher->matches_value(*v.view().find("v"));
  };
  EXPECT_TRUE(test(R"({"$gt":3})", "4"));
  EXPECT_TRUE(test(R"({"a":1})", R"({"a":1,"b":2})"));
  EXPECT_FALSE(test(R"({"a":1})", "1"));
  EXPECT_TRUE(test("3", "3"));
  EXPECT_FALSE(test("3", "[3]"));
  EXPECT_TRUE(test(R"({"$in":[1,2]})", "2"));
}

TEST(Matcher, RefusesAsTheServerDoes) {
  EXPECT_EQ(refusal(R"({"x":{"$nope":1}})").code, 2);
  EXPECT_EQ(refusal(R"({"x":{"$nope":1}})").what, "unknown operator: $nope");
  EXPECT_EQ(refusal(R"({"x":{"$nope":1}})").react, React::kConfig);
  EXPECT_EQ(refusal(R"({"$nope":1})").code, 2);
  EXPECT_EQ(refusal(R"({"x":{"$in":1}})").what, "$in needs an array");
  EXPECT_EQ(refusal(R"({"$or":[]})").what, "$and/$or/$nor must be a nonempty array");
  EXPECT_EQ(refusal(R"({"x":{"$gt":1,"b":2}})").what, "unknown operator: b");
  EXPECT_EQ(refusal(R"({"x":{"$mod":[0,1]}})").what, "divisor cannot be 0");
  EXPECT_EQ(refusal(R"({"$expr":{"$eq":[1,1]}})").code, 238);
  EXPECT_EQ(refusal(R"({"$jsonSchema":{}})").code, 238);
  EXPECT_EQ(refusal(R"({"x":{"$regex":"("}})").code, 51091);
}

TEST(Matcher, AsksTheCallerAboutExpr) {
  const ExprCompiler compile = [](const Element&) -> Result<ExprPredicate> {
    return [](View document) -> Result<bool> {
      if (document.find("bad")) return fail(React::kConfig, "no", {}, 99);
      return document.find("a").has_value();
    };
  };
  const auto matcher = Matcher::parse(parse(R"({"$expr":true})"), compile);
  ASSERT_TRUE(matcher);
  EXPECT_TRUE(matcher->matches(parse(R"({"a":1})")));
  EXPECT_FALSE(matcher->matches(parse(R"({"b":1})")));
  MatchDetails details;
  EXPECT_FALSE(matcher->matches(parse(R"({"bad":1})"), &details));
  ASSERT_TRUE(details.error);
  EXPECT_EQ(details.error->code, 99);
}

TEST(Matcher, SurvivesDeepNesting) {
  std::string filter = R"({"a":1})";
  for (int i = 0; i < 90; ++i) filter = "{\"$and\":[" + filter + "]}";
  if (const auto document = Document::from_json(filter)) {
    EXPECT_TRUE(Matcher::parse(*document));
  }
  Builder deep;
  deep.append("a", int32_t{1});
  Document document = deep.finish();
  for (int i = 0; i < 300; ++i) {
    Builder array;
    array.append("0", document.view());
    Builder outer;
    outer.append_array("$and", array.view());
    document = outer.finish();
  }
  const auto matcher = Matcher::parse(document);
  ASSERT_FALSE(matcher);
  EXPECT_EQ(matcher.error().code, 17298);
}

}  // namespace
}  // namespace tidemark::bson
