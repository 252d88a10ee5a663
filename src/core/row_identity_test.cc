#include "core/row_identity.h"

#include <algorithm>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "bson/compare.h"
#include "bson/json.h"
#include "bson/testing/arbitrary_bson.h"

namespace tidemark {
namespace {

bson::Document doc(std::string_view json) {
  auto result = bson::Document::from_json(json);
  EXPECT_TRUE(result) << json;
  return *result;
}

// Values that the server takes for one `_id`, one group a line.
const std::vector<std::vector<const char*>> kSame = {
    {R"({"$numberInt":"1"})", R"({"$numberLong":"1"})", R"({"$numberDouble":"1.0"})",
     R"({"$numberDecimal":"1"})", R"({"$numberDecimal":"1.00"})"},
    {R"({"$numberInt":"0"})", R"({"$numberDouble":"-0.0"})", R"({"$numberDecimal":"-0"})",
     R"({"$numberDecimal":"0.000"})"},
    {R"({"$numberInt":"1200"})", R"({"$numberDecimal":"1.2E+3"})", R"({"$numberDouble":"1200.0"})"},
    {R"({"$numberDouble":"-2.5"})", R"({"$numberDecimal":"-2.50"})"},
    {R"({"$numberDouble":"NaN"})", R"({"$numberDecimal":"NaN"})"},
    {R"({"$numberDouble":"Infinity"})", R"({"$numberDecimal":"Infinity"})"},
    {R"({"$numberLong":"9007199254740993"})", R"({"$numberDecimal":"9007199254740993"})"},
    {R"({"a":{"$numberInt":"1"}})", R"({"a":{"$numberLong":"1"}})", R"({"a":{"$numberDecimal":"1.0"}})"},
    {R"({"a":{"$numberInt":"1"},"b":{"$numberInt":"2"}})",
     R"({"a":{"$numberLong":"1"},"b":{"$numberDouble":"2.0"}})"},
    {R"("x")", R"({"$symbol":"x"})"},
};

TEST(RowIdentity, ValuesThatAreOneToTheServerHashAlikeAndAreListedAsFormsOfEachOther) {
  for (const auto& group : kSame) {
    for (const char* one : group) {
      const auto a = doc(std::string(R"({"_id":)") + one + "}");
      const auto id = *a.view().find("_id");
      EXPECT_TRUE(has_other_forms(id)) << one;
      const auto forms = other_forms(id);
      for (const char* other : group) {
        SCOPED_TRACE(std::string(one) + " and " + other);
        const auto b = doc(std::string(R"({"_id":)") + other + "}");
        EXPECT_EQ(hash_id(id), hash_id(*b.view().find("_id")));
        EXPECT_TRUE(same_id(id, *b.view().find("_id")));
        std::string text;
        bson::append_json_value(*b.view().find("_id"), bson::JsonMode::kCanonical, text);
        EXPECT_EQ(std::ranges::count(forms, text), one == other ? 0 : 1);
      }
    }
  }
}

TEST(RowIdentity, ValuesThatDifferAreNoFormsOfEachOther) {
  for (const auto& [one, other] : std::vector<std::pair<const char*, const char*>>{
           {R"({"$numberDouble":"0.1"})", R"({"$numberDecimal":"0.1"})"},
           {R"({"$numberLong":"9007199254740993"})", R"({"$numberDouble":"9007199254740992.0"})"},
           {R"({"a":{"$numberInt":"1"},"b":{"$numberInt":"2"}})",
            R"({"b":{"$numberInt":"2"},"a":{"$numberInt":"1"}})"}}) {
    const auto a = doc(std::string(R"({"_id":)") + one + "}"),
               b = doc(std::string(R"({"_id":)") + other + "}");
    EXPECT_FALSE(same_id(*a.view().find("_id"), *b.view().find("_id"))) << one << " and " << other;
    std::string text;
    bson::append_json_value(*b.view().find("_id"), bson::JsonMode::kCanonical, text);
    EXPECT_EQ(std::ranges::count(other_forms(*a.view().find("_id")), text), 0) << one << " and " << other;
  }
}

TEST(RowIdentity, TheListOfFormsIsBounded) {
  const auto a = doc(R"({"_id":{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6}})");
  EXPECT_LE(other_forms(*a.view().find("_id")).size(), kFormsMax);
  EXPECT_GT(other_forms(*a.view().find("_id")).size(), 100u);
}

// Two numbers drawn from few values in all types: whatever the server calls equal, has one hash.
RC_GTEST_PROP(RowIdentity, EqualNumbersHashAlike, ()) {
  const auto draw = [] {
    const int64_t value =
        *rc::gen::element<int64_t>(0, 1, -1, 3, 1 << 30, INT64_MAX, INT64_MIN, (1ll << 53) + 1);
    switch (*rc::gen::inRange(0, 4)) {
      case 0:
        return bson::Builder().append("_id", static_cast<int32_t>(value)).finish();
      case 1:
        return bson::Builder().append("_id", value).finish();
      case 2:
        return bson::Builder().append("_id", static_cast<double>(value)).finish();
      default:
        return doc(R"({"_id":{"$numberDecimal":")" + std::to_string(value) +
                   *rc::gen::element<std::string>("", "E+0") + "\"}}");
    }
  };
  const bson::Document a = draw(), b = draw();
  const auto one = *a.view().find("_id"), other = *b.view().find("_id");
  if (bson::compare(one, other) == 0) RC_ASSERT(hash_id(one) == hash_id(other));
}

TEST(ShardKey, MatchesTheDocumentThatHasItsValuesExactly) {
  const auto row = doc(R"({"_id":1,"k":1,"n":null,"a":{"b":2,"c":3}})");
  for (const char* yes : {R"({"_id":1})", R"({"_id":9,"k":1})", R"({"k":1,"n":null})", R"({"gone":null})",
                          R"({"a.b":2})", R"({"a":{"b":2}})", R"({"a.b":2,"a.c":3})"})
    EXPECT_TRUE(matches_shard_key(doc(yes), row)) << yes;
  for (const char* no : {R"({"k":2})", R"({"k":{"$numberLong":"1"}})", R"({"k":null})", R"({"n":0})",
                         R"({"gone":1})", R"({"a.b":3})", R"({"a.b.c":1})", R"({"k":1,"a.b":3})"})
    EXPECT_FALSE(matches_shard_key(doc(no), row)) << no;
}

TEST(ShardKey, IsOneTextHoweverTheServerNestsIt) {
  std::string nested, flat;
  append_shard_key(doc(R"({"_id":1,"a":{"c":2,"b":1}})"), nested);
  append_shard_key(doc(R"({"a.b":1,"a.c":2,"_id":1})"), flat);
  EXPECT_EQ(nested, flat);
  EXPECT_EQ(flat, R"({"a.b":{"$numberInt":"1"},"a.c":{"$numberInt":"2"}})");
}

TEST(ShardKey, GuardsThatCarryItAreOrderedAsTokensAre) {
  const auto raw = doc(R"({"_id":{"_data":"8265"},"operationType":"insert","documentKey":{"_id":1,"k":1},
                           "fullDocument":{"_id":1}})");
  std::string guard;
  append_row_token(*parse_change_event(raw), guard);
  EXPECT_EQ(guard, R"(8265 {"k":{"$numberInt":"1"}})");
  EXPECT_EQ(shard_key_of_token(guard), R"({"k":{"$numberInt":"1"}})");
  EXPECT_LT(guard, "82650");
  EXPECT_GT(guard, "8265");
  EXPECT_EQ(shard_key_of_token("8265"), "");
}

}  // namespace
}  // namespace tidemark
