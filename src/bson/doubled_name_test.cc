#include "bson/doubled_name.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "bson/json_reader.h"
#include "bson/testing/arbitrary_bson.h"

namespace tidemark::bson {
namespace {

std::optional<std::string> doubled(std::string_view json) {
  return first_doubled_name(read_json(json).value());
}

TEST(DoubledName, IsFoundOnEveryLevel) {
  EXPECT_EQ(doubled(R"({"_id":null,"z":true,"z":false})"), "z");
  EXPECT_EQ(doubled(R"({"a":{"b":[null,{"c":null,"c":null}]}})"), "a.b.1.c");
  EXPECT_EQ(doubled(R"({"f":{"$code":"","$scope":{"x":null,"x":null}}})"), "f.x");
  EXPECT_EQ(doubled(R"({"a":{"a":null},"b":{"a":null}})"), std::nullopt);
  EXPECT_EQ(doubled("{}"), std::nullopt);
  EXPECT_EQ(first_doubled_name(View()), std::nullopt);
}

RC_GTEST_PROP(DoubledName, IsFoundHoweverManyNamesThereAre, ()) {
  const int count = *rc::gen::inRange(1, 60);
  const int again = *rc::gen::inRange(0, count);
  Builder builder;
  for (int i = 0; i < count; ++i) builder.append("n" + std::to_string(i), int32_t{i});
  RC_ASSERT(first_doubled_name(builder.view()) == std::nullopt);
  builder.append("n" + std::to_string(again), int32_t{0});
  RC_ASSERT(first_doubled_name(builder.view()) == "n" + std::to_string(again));
}

}  // namespace
}  // namespace tidemark::bson
