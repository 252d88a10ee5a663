#include <gmock/gmock.h>

#include "support/manual_clock.h"
#include "support/transform_fixture.h"
#include "transforms/enrich/component.h"

namespace tidemark {
namespace {

using ::testing::HasSubstr;
using Pairs = std::vector<std::pair<std::string, std::string>>;

config::Settings enrich_settings(std::string wrap, std::string received_at, std::string processed_at,
                                 Pairs set) {
  config::Settings settings;
  settings.set_where("x.toml:8:1, pipeline.transform");
  settings.set("wrap", std::move(wrap));
  settings.set("received_at", std::move(received_at));
  settings.set("processed_at", std::move(processed_at));
  settings.set("set", std::move(set));
  return settings;
}

class EnrichTest : public testing::TransformFixture {
 protected:
  std::unique_ptr<Transform> make(std::string wrap, std::string received_at, std::string processed_at,
                                  Pairs set = {}) {
    auto transform =
        enrich_transform_component().make(enrich_settings(wrap, received_at, processed_at, set), context());
    EXPECT_TRUE(transform.has_value()) << transform.error().describe();
    return std::move(*transform);
  }
  ComponentContext context() { return {.pipeline = "process", .clock = &clock_}; }
  std::string document(const Transform& transform, std::string_view text) {
    return json(apply(transform, "insert", R"({"fullDocument": )" + std::string(text) + "}").after);
  }
  static std::string date(int64_t ms) {
    return R"({"$date": {"$numberLong": ")" + std::to_string(ms) + R"("}})";
  }

  testing::ManualClock clock_;
};

TEST_F(EnrichTest, WrapsTheDocumentAndSetsTheTimesBesideIt) {
  const auto enrich = make("raw", "receivedAt", "processedAt");
  clock_.advance(std::chrono::milliseconds(2500));
  EXPECT_EQ(document(*enrich, R"({"_id": 1, "mag": 4.5})"),
            same(R"({"raw": {"_id": 1, "mag": 4.5}, "receivedAt": )" + date(1'700'000'000'000) +
                 R"(, "processedAt": )" + date(1'700'000'002'500) + "}"));
}

TEST_F(EnrichTest, SetsConstants) {
  const auto enrich = make("raw", "", "", {{"plane", "process"}, {"site", ""}});
  EXPECT_EQ(document(*enrich, R"({"_id": 1})"),
            same(R"({"raw": {"_id": 1}, "plane": "process", "site": ""})"));
}

TEST_F(EnrichTest, WithoutWrapItReplacesFieldsOfTheSameName) {
  const auto enrich = make("", "at", "", {{"plane", "process"}});
  EXPECT_EQ(
      document(*enrich, R"({"plane": 5, "_id": 1, "at": "then", "x": {"plane": 6}})"),
      same(R"({"_id": 1, "x": {"plane": 6}, "at": )" + date(1'700'000'000'000) + R"(, "plane": "process"})"));
}

TEST_F(EnrichTest, AFieldWithoutANameStays) {
  EXPECT_EQ(document(*make("", "", "", {{"site", "north"}}), R"({"": 1, "_id": 1})"),
            same(R"({"": 1, "_id": 1, "site": "north"})"));
}

TEST_F(EnrichTest, LeavesEventsWithoutADocumentAlone) {
  const auto enrich = make("raw", "receivedAt", "processedAt");
  EXPECT_EQ(apply(*enrich, "delete", "{}").after_extra, 0u);
  EXPECT_EQ(apply(*enrich, "drop", "{}", "{}").after_extra, 0u);
  EXPECT_EQ(json(apply(*enrich, "update", R"({"fullDocument": null})").after), "none");
}

TEST_F(EnrichTest, MarksTheEventAsEdited) {
  EXPECT_TRUE(apply(*make("raw", "", ""), "insert", R"({"fullDocument": {"_id": 1}})").edited);
}

TEST_F(EnrichTest, RefusesWhatItCantDo) {
  for (const auto& [settings, text] : std::vector<std::pair<config::Settings, std::string>>{
           {enrich_settings("", "", "", {}), "nothing to do"},
           {enrich_settings("_id", "", "", {}), "can't be set"},
           {enrich_settings("raw", "a.b", "", {}), "is no name of a field"},
           {enrich_settings("raw", "$a", "", {}), "is no name of a field"},
           {enrich_settings("raw", "at", "at", {}), "both be named \"at\""},
           {enrich_settings("raw", "", "", {{"raw", "x"}}), "both be named \"raw\""},
           {enrich_settings("raw", "", "", {{"", "x"}}), "needs a name"}}) {
    auto made = enrich_transform_component().make(settings, context());
    ASSERT_FALSE(made.has_value()) << text;
    EXPECT_EQ(made.error().react, React::kConfig);
    EXPECT_THAT(made.error().what, HasSubstr(text));
  }
}

TEST_F(EnrichTest, SaysWhereAFieldOfTheEnvelopeWasBefore) {
  const auto wraps = make("raw", "", "");
  EXPECT_THAT(wraps->before("raw.data.email"), ::testing::ElementsAre("raw.data.email", "data.email"));
  EXPECT_THAT(wraps->before("rawest.email"), ::testing::ElementsAre("rawest.email"));
  EXPECT_THAT(make("", "receivedAt", "")->before("a.b"), ::testing::ElementsAre("a.b"));
}

}  // namespace
}  // namespace tidemark
