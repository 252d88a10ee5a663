#include <gmock/gmock.h>

#include "support/transform_fixture.h"
#include "transforms/filter/component.h"

namespace tidemark {
namespace {

using ::testing::HasSubstr;
using Verdict = Transform::Verdict;

config::Settings filter_settings(std::string where, std::string action = "keep") {
  config::Settings settings;
  settings.set("where", std::move(where), "x.toml:9:9, pipeline.transform.where");
  settings.set("action", std::move(action));
  return settings;
}

class FilterTest : public testing::TransformFixture {
 protected:
  std::unique_ptr<Transform> make(std::string where, std::string action = "keep") {
    auto transform =
        filter_transform_component().make(filter_settings(std::move(where), std::move(action)), {});
    EXPECT_TRUE(transform.has_value()) << transform.error().describe();
    return std::move(*transform);
  }
  Verdict verdict(const Transform& transform, std::string_view op, std::string_view fields) {
    apply(transform, op, fields);
    return last_;
  }
};

TEST_F(FilterTest, KeepsWhatMatches) {
  const auto filter = make(R"({"fullDocument.total": {"$gte": 100}})");
  EXPECT_EQ(verdict(*filter, "insert", R"({"fullDocument": {"_id": 1, "total": 100}})"), Verdict::kKeep);
  EXPECT_EQ(verdict(*filter, "insert", R"({"fullDocument": {"_id": 1, "total": 99}})"), Verdict::kDrop);
  EXPECT_EQ(verdict(*filter, "delete", "{}"), Verdict::kDrop);
}

TEST_F(FilterTest, DropsWhatMatches) {
  const auto filter = make(R"({"operationType": {"$in": ["delete", "drop"]}})", "drop");
  EXPECT_EQ(verdict(*filter, "delete", "{}"), Verdict::kDrop);
  EXPECT_EQ(verdict(*filter, "insert", R"({"fullDocument": {"_id": 1}})"), Verdict::kKeep);
}

TEST_F(FilterTest, SeesTheWholeChangeEvent) {
  EXPECT_EQ(verdict(*make(R"({"ns.coll": "orders"})"), "delete", "{}"), Verdict::kKeep);
  EXPECT_EQ(verdict(*make(R"({"updateDescription.updatedFields.status": "paid"})"), "update",
                    R"({"updateDescription": {"updatedFields": {"status": "paid"}, "removedFields": []}})"),
            Verdict::kKeep);
}

TEST_F(FilterTest, ChangesNothingInTheEvent) {
  const auto filter = make("{}");
  const Event& event = apply(*filter, "insert", R"({"fullDocument": {"_id": 1, "a": 2}})");
  EXPECT_EQ(json(event.after), same(R"({"_id": 1, "a": 2})"));
  EXPECT_EQ(event.after_extra, 0u);
}

TEST(Filter, ABadPredicateNamesItsPlace) {
  auto bad = filter_transform_component().make(filter_settings(R"({"a": {"$frobnicate": 1}})"), {});
  ASSERT_FALSE(bad.has_value());
  EXPECT_EQ(bad.error().react, React::kConfig);
  EXPECT_THAT(bad.error().what, HasSubstr("x.toml:9:9, pipeline.transform.where"));
  EXPECT_THAT(bad.error().what, HasSubstr("$frobnicate"));
  EXPECT_FALSE(filter_transform_component().make(filter_settings("{broken"), {}).has_value());
}

}  // namespace
}  // namespace tidemark
