#include "sandbox/store/projection.h"

#include <gtest/gtest.h>

#include "sandbox/store/filter.h"
#include "sandbox/store/sort.h"
#include "sandbox/store/testing/documents.h"

namespace tidemark::sandbox {
namespace {

std::string project(std::string_view spec, std::string_view document, std::string_view query = "{}") {
  const auto projection = Projection::parse(parse(spec));
  if (!projection) return "error " + std::to_string(projection.error().code);
  const auto matcher = parse_filter(parse(query));
  const auto result = projection->apply(parse(document), &*matcher);
  return result ? json(result->view()) : "error " + std::to_string(result.error().code);
}

TEST(Projection, IncludesAndExcludes) {
  const char* const document = R"({"_id":1,"a":1,"b":{"c":2,"d":3}})";
  EXPECT_EQ(project("{}", document), normal(document));
  EXPECT_EQ(project(R"({"a":1})", document), normal(R"({"_id":1,"a":1})"));
  EXPECT_EQ(project(R"({"a":1,"_id":0})", document), normal(R"({"a":1})"));
  EXPECT_EQ(project(R"({"_id":1})", document), normal(R"({"_id":1})"));
  EXPECT_EQ(project(R"({"_id":0})", document), normal(R"({"a":1,"b":{"c":2,"d":3}})"));
  EXPECT_EQ(project(R"({"b.c":1})", document), normal(R"({"_id":1,"b":{"c":2}})"));
  EXPECT_EQ(project(R"({"b":{"c":0}})", document), normal(R"({"_id":1,"a":1,"b":{"d":3}})"));
  EXPECT_EQ(project(R"({"s":{"$add":["$a",1]},"l":"text"})", document),
            normal(R"({"_id":1,"s":2,"l":"text"})"));
  EXPECT_EQ(project(R"({"a":1,"b":0})", document), "error 31254");
}

TEST(Projection, CutsArrays) {
  const char* const document = R"({"_id":1,"a":[1,2,3,4],"o":[{"k":1},{"k":2}]})";
  EXPECT_EQ(project(R"({"a":{"$slice":2},"o":0})", document), normal(R"({"_id":1,"a":[1,2]})"));
  EXPECT_EQ(project(R"({"a":{"$slice":-1},"o":0})", document), normal(R"({"_id":1,"a":[4]})"));
  EXPECT_EQ(project(R"({"a":{"$slice":[1,2]},"_id":1})", document),
            normal(R"({"_id":1,"a":[2,3],"o":[{"k":1},{"k":2}]})"));
  EXPECT_EQ(project(R"({"o":{"$elemMatch":{"k":2}}})", document), normal(R"({"_id":1,"o":[{"k":2}]})"));
  EXPECT_EQ(project(R"({"a.$":1})", document, R"({"a":{"$gt":2}})"), normal(R"({"_id":1,"a":[3]})"));
}

TEST(SortOrder, OrdersByLeastOrGreatestItems) {
  const auto less = [](std::string_view spec, std::string_view a, std::string_view b) {
    return SortOrder::parse(parse(spec))->less(parse(a), parse(b));
  };
  EXPECT_TRUE(less(R"({"a":1})", R"({"a":[5,1]})", R"({"a":2})"));
  EXPECT_TRUE(less(R"({"a":-1})", R"({"a":[5,1]})", R"({"a":4})"));
  EXPECT_TRUE(less(R"({"a":1})", R"({"a":[]})", "{}"));
  EXPECT_FALSE(less(R"({"a":1})", "{}", R"({"a":null})"));
  EXPECT_TRUE(less(R"({"a":1,"b":-1})", R"({"a":1,"b":"z"})", R"({"a":1,"b":"a"})"));
  EXPECT_TRUE(less(R"({"a.b":-1})", R"({"a":[{"b":9}]})", R"({"a":{"b":3}})"));
  EXPECT_EQ(code_of(SortOrder::parse(parse(R"({"a":2})"))), 15975);
  EXPECT_EQ(code_of(SortOrder::parse(parse(R"({"a":"x"})"))), 15974);
}

}  // namespace
}  // namespace tidemark::sandbox
