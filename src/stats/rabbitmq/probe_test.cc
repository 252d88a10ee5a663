#include <gtest/gtest.h>

#include "env/posix/clock.h"
#include "env/posix/file_system.h"
#include "stats/rabbitmq/component.h"
#include "support/rabbitmq.h"

namespace tidemark::testing {
namespace {

class RabbitmqStats : public ::testing::Test {
 protected:
  void SetUp() override {
    if (auto reason = RabbitServer::unavailable()) GTEST_SKIP() << *reason;
  }
  std::unique_ptr<StatsProbe> probe(const std::string& uri, const std::string& queue) {
    config::Settings settings;
    settings.set("uri", uri);
    settings.set("tls_verify", true);
    settings.set("connect_timeout", int64_t{5000});
    settings.set("queue", queue);
    return rabbitmq_stats_component().make(settings, {"", &clock, &files}).value();
  }

  PosixClock clock;
  PosixFileSystem files;
};

TEST_F(RabbitmqStats, TellTheDepthOfTheQueue) {
  RabbitServer& server = RabbitServer::shared();
  const std::string queue = server.unique("stats");
  auto stats = probe(server.uri(), queue);
  EXPECT_EQ(stats->describe(), "rabbitmq queue " + queue);
  const auto missing = stats->look({});
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().react, React::kRetry);
  server.declare_queue(queue);
  EXPECT_EQ(stats->look({}).value().queue_depth, 0);
  server.publish("", queue, {"a", "b"});
  const StatsReport report = stats->look({}).value();
  EXPECT_EQ(report.queue_depth, 2);
  EXPECT_EQ(report.queue, queue);
  EXPECT_FALSE(report.total.has_value());
}

TEST_F(RabbitmqStats, ComeBackWithTheBroker) {
  RabbitServer own;
  own.declare_queue("q");
  auto stats = probe(own.uri(), "q");
  ASSERT_TRUE(stats->look({}).has_value());
  own.restart();
  EXPECT_EQ(stats->look({}).value().queue_depth, 0);
  own.kill();
  const auto dead = stats->look({});
  ASSERT_FALSE(dead.has_value());
  EXPECT_EQ(dead.error().react, React::kRetry);
}

}  // namespace
}  // namespace tidemark::testing
