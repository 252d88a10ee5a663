// The stats probe `mongodb` on a live replica set.
#include <thread>

#include "integration/mongodb/fixture.h"
#include "stats/mongodb/component.h"

namespace tidemark::testing {
namespace {

using Counts = std::vector<std::pair<std::string, int64_t>>;

class MongodbStats : public WithDeployment {
 protected:
  std::unique_ptr<StatsProbe> probe(const std::string& uri = {}) {
    config::Settings settings;
    settings.set("uri", uri.empty() ? at.set->uri() : uri);
    settings.set("database", at.database());
    settings.set("collection", std::string("events"));
    settings.set("severity_field", std::string("severity"));
    settings.set("category_field", std::string("category"));
    return mongodb_stats_component().make(settings, at.context()).value();
  }
};

TEST_F(MongodbStats, CountBySeverityAndByCategory) {
  for (const char* document :
       {R"({"severity": "major", "category": "quake"})", R"({"severity": "minor", "category": "quake"})",
        R"({"severity": "minor", "category": "other"})", R"({"severity": 3, "category": null})", "{}"})
    ASSERT_TRUE(at.mongo().insert(at.database(), "events", document));
  const auto report = probe()->look({});
  ASSERT_TRUE(report) << report.error().describe();
  EXPECT_EQ(report->total, 5);
  EXPECT_EQ(report->by_severity, (Counts{{"3", 1}, {"major", 1}, {"minor", 2}, {"none", 1}}));
  EXPECT_EQ(report->by_category, (Counts{{"none", 2}, {"other", 1}, {"quake", 2}}));
  EXPECT_FALSE(report->queue_depth);
}

TEST_F(MongodbStats, ACollectionThatIsNotThereIsEmpty) {
  const auto report = probe()->look({});
  ASSERT_TRUE(report) << report.error().describe();
  EXPECT_EQ(report->total, 0);
  EXPECT_TRUE(report->by_severity.empty());
}

// The cross-check of the page stands on this: everything up to `at` is counted, and nothing after it.
TEST_F(MongodbStats, TheCountsHoldExactlyAtTheirTime) {
  if (!at.set->at_least(5, 0)) GTEST_SKIP() << "a server before 5.0 has no snapshot reads";
  // The oplog keeps what earlier runs inserted.
  static int runs = 0;
  const int base = ++runs * 1'000'000;
  std::vector<std::jthread> writers;
  for (int writer = 0; writer < 3; ++writer) {
    writers.emplace_back([this, base, writer](std::stop_token stop) {
      Mongo client(at.set->uri());
      for (int i = base + writer; !stop.stop_requested(); i += 3) {
        const std::string document = R"({"_id": )" + std::to_string(i) + R"(, "severity": "minor"})";
        (void)client.run(at.database(), R"({"insert": "events", "documents": [)" + document +
                                            R"(], "writeConcern": {"w": 1}})");
      }
    });
  }
  auto stats = probe();
  std::vector<StatsReport> reports;
  for (int i = 0; i < 100; ++i) {
    auto report = stats->look({});
    ASSERT_TRUE(report) << report.error().describe();
    ASSERT_NE(report->at, bson::Timestamp{});
    reports.push_back(std::move(*report));
  }
  for (std::jthread& writer : writers) writer.request_stop();
  writers.clear();
  const auto oplog = at.mongo().find("local", "oplog.rs",
                                     R"({"op": "i", "o._id": {"$gte": )" + std::to_string(base) +
                                         R"(}, "ns": ")" + at.database() + R"(.events"})");
  ASSERT_TRUE(oplog) << oplog.error().describe();
  std::vector<bson::Timestamp> inserted;
  for (const bson::Document& entry : *oplog) {
    bson::Timestamp time;
    const auto ts = entry.view().find("ts");
    bson_iter_timestamp(&ts->iter(), &time.seconds, &time.increment);
    inserted.push_back(time);
  }
  ASSERT_FALSE(inserted.empty());
  for (const StatsReport& report : reports) {
    const auto until = std::count_if(inserted.begin(), inserted.end(),
                                     [&](const bson::Timestamp& time) { return time <= report.at; });
    EXPECT_EQ(report.total, until);
  }
}

TEST_F(MongodbStats, FailAsRetryWhileNobodyAnswersAndComeBack) {
  auto stats = probe();
  ASSERT_TRUE(stats->look({}));
  ASSERT_TRUE(at.fail_commands(R"(["aggregate"])", 11600, 2));
  const auto failed = stats->look({});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().react, React::kRetry);
  EXPECT_TRUE(stats->look({}));
}

TEST(MongodbStatsOf42, FallBackToWhatTheMajorityHas) {
  ReplicaSet::Options options;
  options.sandbox_only = true;
  options.sandbox_args = {"--compat", "4.2"};
  auto set = ReplicaSet::start(options);
  if (!set && set.error().react == React::kConfig) GTEST_SKIP() << set.error().what;
  ASSERT_TRUE(set) << set.error().describe();
  Mongo client((*set)->uri());
  ASSERT_TRUE(client.insert("planes", "events", R"({"severity": "major"})"));
  config::Settings settings;
  settings.set("uri", (*set)->uri());
  settings.set("database", std::string("planes"));
  settings.set("collection", std::string("events"));
  settings.set("severity_field", std::string("severity"));
  settings.set("category_field", std::string("category"));
  const auto report = mongodb_stats_component().make(settings, {}).value()->look({});
  ASSERT_TRUE(report) << report.error().describe();
  EXPECT_EQ(report->total, 1);
  EXPECT_NE(report->at, bson::Timestamp{});
}

}  // namespace
}  // namespace tidemark::testing
