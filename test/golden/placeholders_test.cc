#include "golden/placeholders.h"

#include <gtest/gtest.h>

namespace tidemark::golden {
namespace {

bson::Document json(std::string_view text) { return bson::Document::from_json(text).value(); }

std::string compare(Bindings& bindings, std::string_view expected, std::string_view actual) {
  std::string out;
  for (const Difference& difference : bindings.compare(json(expected), json(actual)))
    out += difference.path + ";";
  return out;
}

TEST(Placeholders, EveryKindOfDifferenceIsSeen) {
  Bindings bindings;
  EXPECT_EQ(compare(bindings, R"({"a": 1, "b": {"c": [1, 2]}})", R"({"a": 1, "b": {"c": [1, 2]}})"), "");
  EXPECT_EQ(compare(bindings, R"({"a": 1})", R"({"a": 2})"), "a;");
  EXPECT_EQ(compare(bindings, R"({"a": 1})", R"({"a": {"$numberLong": "1"}})"), "a;");
  EXPECT_EQ(compare(bindings, R"({"a": 1, "b": 1})", R"({"b": 1, "a": 1})"), "(order);");
  EXPECT_EQ(compare(bindings, R"({"a": 1})", R"({})"), "a;");
  EXPECT_EQ(compare(bindings, R"({})", R"({"a": 1})"), "a;");
  EXPECT_EQ(compare(bindings, R"({"a": {"b": [1, 2]}})", R"({"a": {"b": [1, 3]}})"), "a.b[1];");
  EXPECT_EQ(compare(bindings, R"({"a": [1, 2]})", R"({"a": [1]})"), "a;");
  EXPECT_EQ(compare(bindings, R"({"a": "%int", "errmsg": "no * here"})",
                    R"({"a": 5, "errmsg": "no cursor 5 here"})"),
            "");
  EXPECT_EQ(
      compare(bindings, R"({"a": "%int", "errmsg": "no * here"})", R"({"a": "5", "errmsg": "no cursor"})"),
      "a;errmsg;");
}

TEST(Placeholders, ABoundValueMustStayTheSame) {
  Bindings bindings;
  EXPECT_EQ(compare(bindings, R"({"id": "%c1"})", R"({"id": {"$numberLong": "7"}})"), "");
  EXPECT_EQ(compare(bindings, R"({"id": "%c1"})", R"({"id": {"$numberLong": "7"}})"), "");
  EXPECT_EQ(compare(bindings, R"({"id": "%c1"})", R"({"id": {"$numberLong": "8"}})"), "id;");
  EXPECT_EQ(compare(bindings, R"({"id": "%c2"})", R"({"id": {"$numberLong": "0"}})"), "id;");
  EXPECT_TRUE(bindings.fill(json(R"({"getMore": "%c1", "x": ["%x3"]})")).view() ==
              json(R"({"getMore": {"$numberLong": "7"}, "x": ["xxx"]})").view());
}

TEST(Placeholders, ATokenMustBeOfItsKind) {
  Bindings bindings;
  const std::string_view mark = R"({"_data": "826B0257980000000C2B0229296E04"})";
  EXPECT_EQ(compare(bindings, R"({"_data": "%H1"})", mark), "");
  EXPECT_EQ(compare(bindings, R"({"_data": "%E1"})", mark), "_data;");
  EXPECT_EQ(compare(bindings, R"({"_data": "%E2"})", R"({"_data": "zz"})"), "_data;");
}

}  // namespace
}  // namespace tidemark::golden
