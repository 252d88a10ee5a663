#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sources/mongodb/component.h"
#include "support/manual_clock.h"

namespace tidemark {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// A source's settings as the parser would make them: every default in place.
config::Settings settings(std::vector<std::pair<std::string, std::string>> given) {
  config::Settings made;
  made.set_where("orders.toml:4:1, pipeline.source");
  for (const config::FieldSpec& field : mongodb_source_component().spec.fields) {
    if (field.default_text.empty()) continue;
    if (field.type == config::FieldType::kInteger)
      made.set(field.name, int64_t{std::stoll(field.default_text)});
    else if (field.type == config::FieldType::kBoolean)
      made.set(field.name, field.default_text == "true");
    else if (field.type == config::FieldType::kDuration)
      made.set(field.name, int64_t{1000});
    else
      made.set(field.name, field.default_text);
  }
  for (auto& [name, value] : given) {
    if (name == "expanded_events")
      made.set(name, value == "true");
    else
      made.set(name, value, "orders.toml:9:1, pipeline.source." + name);
  }
  return made;
}

Result<std::unique_ptr<Source>> make(std::vector<std::pair<std::string, std::string>> given) {
  static testing::ManualClock clock;
  ComponentContext context;
  context.pipeline = "orders";
  context.clock = &clock;
  given.insert(given.begin(), {"uri", "mongodb://127.0.0.1:1/?replicaSet=rs0"});
  return mongodb_source_component().make(settings(std::move(given)), context);
}

std::string fingerprint(std::vector<std::pair<std::string, std::string>> given) {
  return (*make(std::move(given)))->identity().fingerprint;
}

TEST(MongodbSourceSpec, DocumentsEveryFieldAndHidesTheUri) {
  for (const config::FieldSpec& field : mongodb_source_component().spec.fields) {
    EXPECT_FALSE(field.doc.empty()) << field.name;
    EXPECT_EQ(field.secret, field.name == "uri") << field.name;
  }
}

TEST(MongodbSource, IsMadeWithoutAConnection) {
  ASSERT_TRUE(make({}));
  ASSERT_TRUE(make({{"database", "shop"}}));
  const auto source =
      make({{"database", "shop"}, {"collection", "orders"}, {"full_document", "update_lookup"}});
  ASSERT_TRUE(source);
  EXPECT_EQ((*source)->identity().summary, "shop.orders, full_document=update_lookup");
}

TEST(MongodbSource, RefusesBadSettingsWithPlaceAndRemedy) {
  const std::vector<std::pair<std::vector<std::pair<std::string, std::string>>, std::string>> bad = {
      {{{"uri", "postgres://x"}}, "pipeline.source.uri"},
      {{{"collection", "orders"}}, "pipeline.source.collection"},
      {{{"database", "local"}}, "pipeline.source.database"},
      {{{"database", "shop.orders"}}, "pipeline.source.database"},
      {{{"database", "shop"}, {"collection", "system.views"}}, "pipeline.source.collection"},
      {{{"filter", R"([{"$unset": "_id"}])"}}, "pipeline.source.filter"},
      {{{"filter", R"([{"$group": {"_id": 1}}])"}}, "pipeline.source.filter"},
      {{{"app_name", std::string(200, 'a')}}, "pipeline.source.app_name"}};
  for (const auto& [given, place] : bad) {
    const auto source = make(given);
    ASSERT_FALSE(source) << place;
    EXPECT_EQ(source.error().react, React::kConfig);
    EXPECT_THAT(source.error().what, StartsWith("orders.toml:9:1"));
    EXPECT_THAT(source.error().what, HasSubstr(place));
    EXPECT_FALSE(source.error().hint.empty()) << place;
  }
}

TEST(MongodbSourceIdentity, DependsOnWhatATokenDependsOn) {
  const std::string base = fingerprint({{"database", "shop"}, {"collection", "orders"}});
  EXPECT_EQ(base.size(), 64u);
  EXPECT_NE(base, fingerprint({{"database", "shop"}}));
  EXPECT_NE(base, fingerprint(
                      {{"database", "shop"}, {"collection", "orders"}, {"full_document", "update_lookup"}}));
  EXPECT_NE(base, fingerprint({{"database", "shop"}, {"collection", "orders"}, {"expanded_events", "true"}}));
  EXPECT_NE(
      base,
      fingerprint({{"database", "shop"}, {"collection", "orders"}, {"filter", R"([{"$match": {"a": 1}}])"}}));
}

TEST(MongodbSourceIdentity, DoesNotDependOnSpellingOrOnHowItIsRead) {
  const std::string one = fingerprint({{"filter", R"([{"$match": {"a": 1}}])"}});
  EXPECT_EQ(one, fingerprint({{"filter", "[ {\"$match\" :\n {\"a\":1}} ]"}}));
  EXPECT_EQ(one, fingerprint({{"filter", R"([{"$match": {"a": 1}}])"}, {"split_large_events", "off"}}));
  EXPECT_EQ(fingerprint({}), fingerprint({{"filter", "[]"}}));
}

TEST(MongodbSource, NeverOpensWithoutAPosition) {
  const auto source = make({});
  const auto opened = (*source)->open(Position(), {});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().react, React::kConfig);
  EXPECT_THAT(opened.error().hint, HasSubstr("position init"));
}

TEST(MongodbSource, AsksForARetryWhileNobodyAnswers) {
  const auto source = make({});
  bson::Builder token;
  token.append("_data", "8265");
  const auto opened = (*source)->open(Position(token.view()), {});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().react, React::kRetry) << opened.error().describe();
  EXPECT_EQ((*source)->health({}).error().react, React::kRetry);
}

TEST(MongodbSource, IsCancelledByStopAndAfterClose) {
  const auto source = make({});
  std::stop_source stop;
  stop.request_stop();
  bson::Builder token;
  token.append("_data", "8265");
  EXPECT_EQ((*source)->open(Position(token.view()), stop.get_token()).error().react, React::kCancelled);
  (*source)->close();
  EXPECT_EQ((*source)->health({}).error().react, React::kCancelled);
}

}  // namespace
}  // namespace tidemark
