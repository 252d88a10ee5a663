#include <gmock/gmock.h>

#include "support/transform_fixture.h"
#include "transforms/classify/component.h"

namespace tidemark {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr const char* kEarthquakes = R"([
  {"name": "major", "when": {"raw.data.mag": {"$gte": 7}}, "set": {"severity": "major", "tags": ["felt", "far"]}},
  {"name": "strong", "when": {"raw.data.mag": {"$gte": 6}}, "set": {"severity": "strong", "tags": ["felt"]}},
  {"name": "test", "when": {"raw.data.place": {"$regex": "^test", "$options": "i"}}, "set": {}},
  {"when": {"raw.data.mag": {"$exists": true}}, "set": {"severity": "minor"}}
])";

config::Settings classify_settings(std::string rules, std::string otherwise = "{}") {
  config::Settings settings;
  settings.set("rules", std::move(rules), "x.toml:9:9, pipeline.transform.rules");
  settings.set("otherwise", std::move(otherwise), "x.toml:10:9, pipeline.transform.otherwise");
  return settings;
}

class ClassifyTest : public testing::TransformFixture {
 protected:
  std::unique_ptr<Transform> make(std::string rules, std::string otherwise = "{}") {
    auto transform =
        classify_transform_component().make(classify_settings(std::move(rules), std::move(otherwise)), {});
    EXPECT_TRUE(transform.has_value()) << transform.error().describe();
    return std::move(*transform);
  }
  std::string document(const Transform& transform, std::string_view text) {
    return json(apply(transform, "insert", R"({"fullDocument": )" + std::string(text) + "}").after);
  }
  static Error refusal(std::string rules, std::string otherwise = "{}") {
    auto made =
        classify_transform_component().make(classify_settings(std::move(rules), std::move(otherwise)), {});
    if (made) {
      ADD_FAILURE() << "was taken";
      return {};
    }
    EXPECT_EQ(made.error().react, React::kConfig);
    return made.error();
  }
};

TEST_F(ClassifyTest, TheFirstRuleThatMatchesWins) {
  const auto classify = make(kEarthquakes);
  EXPECT_EQ(document(*classify, R"({"raw": {"data": {"mag": 7.1}}})"),
            same(R"({"raw": {"data": {"mag": 7.1}}, "severity": "major", "tags": ["felt", "far"]})"));
  EXPECT_EQ(document(*classify, R"({"raw": {"data": {"mag": 6}}})"),
            same(R"({"raw": {"data": {"mag": 6}}, "severity": "strong", "tags": ["felt"]})"));
  EXPECT_EQ(document(*classify, R"({"raw": {"data": {"mag": 1.5}}})"),
            same(R"({"raw": {"data": {"mag": 1.5}}, "severity": "minor"})"));
}

TEST_F(ClassifyTest, ARuleThatSetsNothingEndsTheSearch) {
  const auto classify = make(kEarthquakes, R"({"severity": "unknown"})");
  const std::string_view drill = R"({"raw": {"data": {"mag": 2, "place": "TEST site"}}})";
  EXPECT_EQ(document(*classify, drill), same(drill));
  EXPECT_EQ(batch_.events().back().after_extra, 0u);
}

TEST_F(ClassifyTest, OtherwiseIsForWhatNoRuleMatches) {
  EXPECT_EQ(
      document(*make(kEarthquakes, R"({"severity": "unknown", "tags": []})"), R"({"raw": {"type": "x"}})"),
      same(R"({"raw": {"type": "x"}, "severity": "unknown", "tags": []})"));
  EXPECT_EQ(document(*make(kEarthquakes), R"({"raw": {"type": "x"}})"), same(R"({"raw": {"type": "x"}})"));
}

TEST_F(ClassifyTest, ReplacesFieldsOfTheSameNameAtTheTopLevelAlone) {
  const auto classify = make(R"([{"when": {}, "set": {"severity": "high"}}])");
  EXPECT_EQ(document(*classify, R"({"severity": 3, "_id": 1, "raw": {"severity": 4}})"),
            same(R"({"_id": 1, "raw": {"severity": 4}, "severity": "high"})"));
}

TEST_F(ClassifyTest, LeavesEventsWithoutADocumentAlone) {
  const auto classify = make(R"([{"when": {}, "set": {"severity": "high"}}])");
  EXPECT_EQ(apply(*classify, "delete", "{}").after_extra, 0u);
  EXPECT_EQ(apply(*classify, "drop", "{}", "{}").after_extra, 0u);
}

TEST_F(ClassifyTest, RulesSeeWhatTheTransformBeforeMade) {
  const auto first = make(R"([{"when": {"mag": {"$gt": 5}}, "set": {"felt": true}}])");
  const auto second = make(R"([{"when": {"felt": true}, "set": {"severity": "strong"}}])");
  Event& event = apply(*first, "insert", R"({"fullDocument": {"_id": 1, "mag": 6}})");
  ASSERT_TRUE(second->apply(event, batch_).has_value());
  EXPECT_EQ(json(event.after), same(R"({"_id": 1, "mag": 6, "felt": true, "severity": "strong"})"));
}

TEST_F(ClassifyTest, ABadRuleIsNamedByItsIndexAndItsName) {
  EXPECT_THAT(
      refusal(R"([{"when": {}, "set": {}}, {"name": "x", "when": {"a": {"$frob": 1}}, "set": {}}])").what,
      AllOf(HasSubstr("x.toml:9:9, pipeline.transform.rules"), HasSubstr("rules[1] (\"x\"): `when`: "),
            HasSubstr("$frob")));
  EXPECT_THAT(refusal(R"([{"set": {}}])").what, HasSubstr("rules[0]: `when` is missing"));
  EXPECT_THAT(refusal(R"([{"when": {}}])").what, HasSubstr("rules[0]: `set` is missing"));
  EXPECT_THAT(refusal(R"([{"when": 1, "set": {}}])").what, HasSubstr("`when` is not a document"));
  EXPECT_THAT(refusal(R"([{"when": {}, "set": []}])").what, HasSubstr("`set` is not a document"));
  EXPECT_THAT(refusal(R"([{"when": {}, "set": {}, "when": {}}])").what,
              HasSubstr("`when` stands there twice"));
  EXPECT_THAT(refusal(R"([{"when": {}, "set": {}, "sets": 1}])").what, HasSubstr("unknown key \"sets\""));
  EXPECT_THAT(refusal(R"([{"when": {}, "set": {"_id": 1}}])").what, HasSubstr("`set`: `_id` can't be set"));
  EXPECT_THAT(refusal(R"([{"when": {}, "set": {"a.b": 1}}])").what, HasSubstr("\"a.b\" is no name"));
  EXPECT_THAT(refusal(R"([{"when": {"$expr": {"$gt": ["$a", 1]}}, "set": {}}])").what, HasSubstr("$expr"));
  EXPECT_THAT(refusal("[5]").what, HasSubstr("rules[0] is not a document"));
}

TEST_F(ClassifyTest, RulesMustBeAnArrayWithARule) {
  EXPECT_THAT(refusal("[]").what, HasSubstr("there is no rule"));
  EXPECT_THAT(refusal(R"({"when": {}, "set": {}})").what, HasSubstr("must be a JSON array"));
  EXPECT_THAT(refusal("[{").what, HasSubstr("not Extended JSON"));
  EXPECT_THAT(refusal(kEarthquakes, R"({"$set": 1})").what,
              AllOf(HasSubstr("pipeline.transform.otherwise"), HasSubstr("\"$set\" is no name")));
}

}  // namespace
}  // namespace tidemark
