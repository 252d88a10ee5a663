// The source against a broker that crashes and restarts.
#include <future>
#include <set>

#include <gtest/gtest.h>

#include "sources/rabbitmq/testing/support.h"

namespace tidemark {
namespace {

TEST_F(QueueSources, SurviveACrashOfTheBroker) {
  RabbitServer server;
  auto settings = options(server, "events");
  settings.declare.queue_type = amqp::QueueType::kQuorum;
  auto source = opened(settings);
  const std::string deployment = source->health({})->deployment;
  server.publish("", "events", event_bodies(0, 6));
  Position first;
  ASSERT_EQ(take(*source, 6, &first), ids(0, 6));
  auto waiting = std::async(std::launch::async, [&] { return read(*source, std::chrono::minutes(10)); });
  server.kill();
  const auto lost = waiting.get();
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().react, React::kRetry);
  EXPECT_TRUE(save(*source, first));
  EXPECT_EQ(source->open(first, {}).error().react, React::kRetry);
  EXPECT_EQ(source->health({}).error().react, React::kRetry);
  server.start();
  reopen(*source, first);
  Position second;
  EXPECT_EQ(take(*source, 6, &second), ids(0, 6));
  ASSERT_TRUE(save(*source, second));
  EXPECT_EQ(source->health({})->deployment, deployment);
  // A clean restart, too.
  server.restart();
  EXPECT_EQ(read(*source).error().react, React::kRetry);
  reopen(*source, second);
  server.publish("", "events", event_bodies(6, 1));
  EXPECT_EQ(take(*source, 1), ids(6, 1));
}

TEST_F(QueueSources, LoseNothingOverRestartsUnderLoad) {
  constexpr size_t kEvents = 50'000;
  RabbitServer server;
  auto settings = options(server, "events");
  settings.declare.queue_type = amqp::QueueType::kQuorum;
  auto source = opened(settings);
  server.publish("", "events", event_bodies(0, kEvents));
  std::set<std::string> seen;
  size_t delivered = 0, batches = 0, restarts = 0;
  Position position;
  while (seen.size() < kEvents || server.depth("events") > 0) {
    auto batch = read(*source, seconds(1));
    if (!batch) {
      ASSERT_EQ(batch.error().react, React::kRetry) << batch.error().describe();
      ASSERT_NO_FATAL_FAILURE(reopen(*source, position)) << seen.size();
      continue;
    }
    for (const Event& event : batch->events->events()) seen.emplace(event.id);
    delivered += batch->events->events().size();
    position = batch->resume_after;
    // Every other batch, so that a crash finds some that are delivered and not acknowledged.
    if (++batches % 2 == 0 || batch->events->events().empty() || seen.size() == kEvents) {
      ASSERT_TRUE(save(*source, position));
    }
    if (restarts < 3 && seen.size() > (restarts + 1) * kEvents / 5) {
      ++restarts;
      restarts % 2 == 1 ? server.kill() : server.stop();
      server.start();
    }
    ASSERT_LT(delivered, 4 * kEvents);
  }
  EXPECT_EQ(restarts, 3u);
  EXPECT_GE(delivered, kEvents);
  source->close();
  expect_depth(server, "events", 0);
}

}  // namespace
}  // namespace tidemark
