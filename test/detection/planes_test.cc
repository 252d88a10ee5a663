// The planes' own silent failures: a queue that nobody empties, a feed that is dead under an open socket.
#include "e2e/planes.h"

#include <fmt/format.h>

#include "detection/fixture.h"
#include "runtime/stats_watch.h"
#include "support/rabbitmq.h"

namespace tidemark::detection {
namespace {

using testing::RabbitServer;

TEST_F(Detection, AQueueThatGrows) {
  if (const auto reason = RabbitServer::unavailable()) GTEST_SKIP() << *reason;
  RabbitServer& broker = RabbitServer::shared();
  const std::string queue = broker.unique("grows");
  toml_ = e2e::queue_pipeline_toml("orders", broker.uri(), queue, set_->uri(), setup_.database);
  broker.declare_queue(queue);
  start_guard(See::kOutsideAlone);  // and no consumer
  tick();
  broker.publish("", queue, std::vector<std::string>(1500, "{}"));
  ASSERT_TRUE(testing::eventually([&] { return broker.depth(queue) == 1500; }));
  expect_flagged(RuleId::kBacklogGrowing);
}

TEST_F(Detection, AQueueThatDropsWhatComesBackTooOften) {
  if (const auto reason = RabbitServer::unavailable()) GTEST_SKIP() << *reason;
  RabbitServer& broker = RabbitServer::shared();
  const std::string queue = broker.unique("limited");
  toml_ = e2e::queue_pipeline_toml("orders", broker.uri(), queue, set_->uri(), setup_.database);
  broker.declare_queue(queue, {{"x-queue-type", "quorum"}, {"x-delivery-limit", "20"}});
  start_guard(See::kOutsideAlone);
  expect_flagged(RuleId::kDeliveryLimit);
}

TEST_F(Detection, AFeedThatIsDeadUnderOpenSockets) {
  if (!set_->is_sandbox()) GTEST_SKIP() << "the deployment that was given has no fail points";
  toml_ = fmt::format(R"(
[[pipeline]]
name = "orders"
retry_initial = "20ms"
read_wait = "100ms"
[pipeline.source]
type = "mongodb"
uri = "{0}"
database = "{1}"
collection = "orders"
[pipeline.sink]
type = "live"
[pipeline.position]
type = "memory"
start = "now"
[[stats]]
type = "mongodb"
uri = "{2}"
database = "{1}"
collection = "orders"
)",
                      setup_.uri, setup_.database, set_->uri());
  ASSERT_NO_FATAL_FAILURE(load());
  restart_relay();
  auto probe = app_.components.stats.find("mongodb")->make(file_->stats[0].settings, app_.context());
  ASSERT_TRUE(probe) << probe.error().describe();
  std::vector<std::unique_ptr<StatsProbe>> probes;
  probes.push_back(std::move(*probe));
  StatsWatch stats(std::move(probes), kInterval, clock_);
  stats_ = [&stats]() -> std::optional<StatsView> {
    stats.look({});
    return stats.view();
  };
  ASSERT_TRUE(testing::eventually([&] { return relay_->status().state == PipelineState::kStreaming; }));
  start_guard();
  write_orders(0, 30);
  ASSERT_TRUE(testing::eventually([&] { return monitor_->views().at(0).events_delivered == 30; }));
  tick();
  write_orders(30, 30);
  ASSERT_TRUE(testing::eventually([&] { return monitor_->views().at(0).events_delivered == 60; }));
  tick();
  expect_silence();
  refuse_streams();
  write_orders(60, 30);
  expect_flagged(RuleId::kFeedBehind);
  stats_ = nullptr;
}

}  // namespace
}  // namespace tidemark::detection
