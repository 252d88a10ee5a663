#include "sinks/sqlite/json_time.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "bson/json.h"
#include "bson/testing/arbitrary_bson.h"
#include "core/audit.h"

namespace tidemark::sqlite {
namespace {

std::optional<int64_t> at(std::string_view path, std::string_view json) { return JsonTime(path).in(json); }

TEST(JsonTime, FindsDatesTimestampsAndObjectIds) {
  EXPECT_EQ(at("t", R"({"t":{"$date":{"$numberLong":"-7"}}})"), -7);
  EXPECT_EQ(at("t", R"({"t":{"$timestamp":{"t":4294967295,"i":1}}})"), 4294967295000);
  EXPECT_EQ(at("_id", R"({"_id":{"$oid":"f000000100000000000000aa"}})"), 0xf0000001ll * 1000);
  EXPECT_EQ(at("a.b", R"({"x":["}",{"a":1}],"a":{"c":"\"","b":{"$date":{"$numberLong":"5"}}}})"), 5);
  EXPECT_EQ(at("a.1", R"({"a":["{",{"$date":{"$numberLong":"5"}}]})"), 5);
  EXPECT_EQ(at("q\"", R"({"q\"":{"$date":{"$numberLong":"5"}}})"), 5);
}

TEST(JsonTime, IsEmptyForEverythingElse) {
  EXPECT_EQ(at("t", R"({"t":"2024-01-01"})"), std::nullopt);
  EXPECT_EQ(at("t", R"({"t":{"$numberLong":"5"}})"), std::nullopt);
  EXPECT_EQ(at("t", R"({"u":{"t":{"$date":{"$numberLong":"5"}}}})"), std::nullopt);
  EXPECT_EQ(at("t.u", R"({"t":[{"u":{"$date":{"$numberLong":"5"}}}]})"), std::nullopt);
  for (const char* broken :
       {"", "{", "null", R"({"t")", R"({"t":)", R"({"t":{"$date":{"$numberLong":"5)", R"({"t\)",
        R"({"t":{"$date":{"$numberLong":"99999999999999999999"}}})", "{]", R"([{"t":1})"})
    EXPECT_EQ(at("t", broken), std::nullopt) << broken;
}

TEST(JsonTime, SaysWhatTheDocumentSays) {
  rc::check("JsonTime is time_in()", [](const std::vector<uint32_t>& choices) {
    const bson::Document document = bson::ArbitraryBson(choices).document();
    const std::string json = bson::to_json(document);
    for (const char* path : {"a", "b", "a.b", "a.0", "b.c.a", "a.1.b", "d"})
      RC_ASSERT(JsonTime(path).in(json) == time_in(document, path));
  });
}

TEST(JsonTime, TakesAnyBytes) {
  rc::check("no text makes it fail", [](const std::string& text) {
    (void)JsonTime("a.b").in(text);
    (void)JsonTime("a").in("{\"a\":" + text);
  });
}

}  // namespace
}  // namespace tidemark::sqlite
