// The source against a broker.
#include <future>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sources/rabbitmq/component.h"
#include "sources/rabbitmq/testing/support.h"

namespace tidemark {
namespace {

using ::testing::HasSubstr;

TEST_F(QueueSources, AcknowledgeEverythingUpToAPositionAndNothingBeyond) {
  RabbitServer& server = RabbitServer::shared();
  const std::string queue = server.unique("queue");
  auto settings = options(server, queue);
  settings.batch_events_max = 3;
  auto source = opened(settings);
  server.publish("", queue, event_bodies(0, 10));
  std::vector<Position> ends;
  std::vector<std::string> got;
  while (got.size() < 10) {
    const auto batch = read(*source);
    ASSERT_TRUE(batch) << batch.error().describe();
    ASSERT_FALSE(batch->events->events().empty());
    EXPECT_LE(batch->events->events().size(), 3u);
    for (const Event& event : batch->events->events()) got.emplace_back(event.id);
    ends.push_back(batch->resume_after);
    if (got.size() == 6) {
      ASSERT_TRUE(save(*source, batch->resume_after));
    }
  }
  EXPECT_EQ(got, ids(0, 10));
  EXPECT_EQ(token_data(ends.back().token()), "1:10");
  // The same again, and an older one, close no channel.
  EXPECT_TRUE(save(*source, ends.front()));
  EXPECT_TRUE(save(*source, ends.front()));
  server.publish("", queue, event_bodies(10, 1));
  EXPECT_EQ(take(*source, 1), ids(10, 1));
  source->close();
  expect_depth(server, queue, 5);
}

TEST_F(QueueSources, AFirstMarkAcknowledgesNothing) {
  RabbitServer& server = RabbitServer::shared();
  const std::string queue = server.unique("queue");
  QueueSource source(options(server, queue), clock_);
  const auto mark = source.open({}, {});
  ASSERT_TRUE(mark) << mark.error().describe();
  EXPECT_FALSE(mark->empty());
  server.publish("", queue, event_bodies(0, 3));
  EXPECT_EQ(take(source, 3), ids(0, 3));
  EXPECT_TRUE(save(source, *mark));
  source.close();
  expect_depth(server, queue, 3);
}

TEST_F(QueueSources, NeverHoldMoreThanThePrefetch) {
  RabbitServer& server = RabbitServer::shared();
  const std::string queue = server.unique("queue");
  auto settings = options(server, queue);
  settings.prefetch = 5;
  auto source = opened(settings);
  server.publish("", queue, event_bodies(0, 12));
  Position last;
  EXPECT_EQ(take(*source, 5, &last), ids(0, 5));
  const auto none = read(*source, milliseconds(300));
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->events->events().empty());
  EXPECT_EQ(none->resume_after, last);
  EXPECT_EQ(server.depth(queue), 7u);
  ASSERT_TRUE(save(*source, last));
  EXPECT_EQ(take(*source, 5), ids(5, 5));
}

class LimitedQueues : public QueueSources {
 protected:
  // A foreign queue that drops what comes back too often, with events in it.
  std::string filled(int limit, int events) {
    RabbitServer& server = RabbitServer::shared();
    const std::string queue = server.unique("queue");
    server.declare_queue(queue, {{"x-queue-type", "quorum"}, {"x-delivery-limit", std::to_string(limit)}});
    server.publish("", queue, event_bodies(0, events));
    return queue;
  }
  // Everything that is still there, acknowledged.
  std::set<std::string> rest(const QueueSourceOptions& settings) {
    std::set<std::string> seen;
    auto source = opened(settings);
    while (true) {
      const auto batch = read(*source, seconds(2));
      EXPECT_TRUE(batch) << batch.error().describe();
      if (!batch || batch->events->events().empty()) return seen;
      for (const Event& event : batch->events->events()) seen.emplace(event.id);
      EXPECT_TRUE(save(*source, batch->resume_after));
    }
  }
};

TEST_F(LimitedQueues, AreTakenFromInMeasureWithWhatIsAcknowledgedAndInOrder) {
  RabbitServer& server = RabbitServer::shared();
  const std::string queue = filled(6, 300);
  auto settings = options(server, queue);
  settings.prefetch = 50;
  auto source = opened(settings);
  int next = 0;
  // Three for each that is acknowledged, half the limit, until that is the prefetch.
  for (const int out : {1, 3, 12, 48, 50, 50}) {
    Position last;
    EXPECT_EQ(take(*source, static_cast<size_t>(out), &last), ids(next, out));
    const auto none = read(*source, milliseconds(100));
    ASSERT_TRUE(none);
    EXPECT_TRUE(none->events->events().empty()) << "no more than " << out << " are out";
    ASSERT_TRUE(save(*source, last));
    next += out;
  }
  source->close();
  expect_depth(server, queue, static_cast<uint32_t>(300 - next));
}

TEST_F(LimitedQueues, LoseNothingToProcessesThatGetALittleDoneAndDie) {
  const std::string queue = filled(6, 300);
  auto settings = options(RabbitServer::shared(), queue);
  std::set<std::string> seen;
  for (int deaths = 0; deaths < 30; ++deaths) {
    auto source = opened(settings);
    Position last;
    for (const std::string& id : take(*source, 1, &last)) seen.insert(id);
    ASSERT_TRUE(save(*source, last));
    (void)take(*source, 3);  // all that it may have now
    source->close();
  }
  seen.merge(rest(settings));
  EXPECT_EQ(seen.size(), 300u);
}

TEST_F(LimitedQueues, LoseNoMoreThanTheFirstMessageToProcessesThatGetNothingDone) {
  const std::string queue = filled(6, 300);
  auto settings = options(RabbitServer::shared(), queue);
  for (int deaths = 0; deaths < 8; ++deaths) {
    auto source = opened(settings);
    EXPECT_EQ(take(*source, 1).size(), 1u);
    source->close();
  }
  EXPECT_GE(rest(settings).size(), 299u);
}

TEST_F(LimitedQueues, WithADeadLetterTargetAreConsumedAtOnce) {
  RabbitServer& server = RabbitServer::shared();
  const std::string queue = server.unique("queue");
  server.declare_queue(
      queue,
      {{"x-queue-type", "quorum"}, {"x-delivery-limit", "6"}, {"x-dead-letter-exchange", "amq.fanout"}});
  server.publish("", queue, event_bodies(0, 20));
  auto source = opened(options(server, queue));
  EXPECT_EQ(take(*source, 20), ids(0, 20));
}

TEST_F(LimitedQueues, AreWaitedForWhileTheyAreEmpty) {
  RabbitServer& server = RabbitServer::shared();
  const std::string queue = filled(6, 0);
  auto source = opened(options(server, queue));
  Position last;
  auto waiting = std::async(std::launch::async, [&] { return take(*source, 1, &last); });
  server.publish("", queue, event_bodies(0, 1));
  EXPECT_EQ(waiting.get(), ids(0, 1));
  ASSERT_TRUE(save(*source, last));
  source->stop_delivery();
  source->close();
  expect_depth(server, queue, 0);
}

TEST_F(QueueSources, NameTheDeliveryLimitOfTheirQueue) {
  RabbitServer& server = RabbitServer::shared();
  const std::string limited = server.unique("queue"), free = server.unique("queue");
  server.declare_queue(limited, {{"x-queue-type", "quorum"}, {"x-delivery-limit", "20"}});
  server.declare_queue(free);
  EXPECT_EQ(opened(options(server, limited))->health({})->delivery_limit, 20);
  EXPECT_FALSE(opened(options(server, free))->health({})->delivery_limit);
}

TEST_F(QueueSources, AnAcknowledgementDoesntWaitForTheReader) {
  RabbitServer& server = RabbitServer::shared();
  const std::string queue = server.unique("queue");
  auto settings = options(server, queue);
  settings.prefetch = 1;
  auto source = opened(settings);
  server.publish("", queue, event_bodies(0, 20));
  Position last;
  ASSERT_EQ(take(*source, 1, &last), ids(0, 1));
  // The reader waits for ten minutes; each next message comes only for an acknowledgement made meanwhile.
  for (int i = 1; i < 20; ++i) {
    auto next = std::async(std::launch::async, [&] { return read(*source, std::chrono::minutes(10)); });
    ASSERT_TRUE(save(*source, last));
    const auto batch = next.get();
    ASSERT_TRUE(batch) << batch.error().describe();
    ASSERT_EQ(batch->events->events().size(), 1u);
    EXPECT_EQ(batch->events->events()[0].id, "/s " + std::to_string(i));
    last = batch->resume_after;
  }
}

TEST_F(QueueSources, AnOlderSessionsPositionIsASuccessWithoutEffect) {
  RabbitServer& server = RabbitServer::shared();
  const std::string queue = server.unique("queue");
  auto source = opened(options(server, queue));
  server.publish("", queue, event_bodies(0, 4));
  Position first;
  ASSERT_EQ(take(*source, 4, &first), ids(0, 4));
  const auto mark = source->open(first, {});
  ASSERT_TRUE(mark) << mark.error().describe();
  EXPECT_EQ(*mark, first);
  EXPECT_TRUE(save(*source, first));
  // No progress is claimed before a delivery.
  Position second;
  ASSERT_EQ(take(*source, 4, &second), ids(0, 4));
  EXPECT_EQ(token_data(second.token()), "2:4");
  EXPECT_TRUE(save(*source, first));
  source->close();
  expect_depth(server, queue, 4);
  EXPECT_TRUE(save(*source, second));
}

TEST_F(QueueSources, AnEmptyReadOfANewSessionIsNoProgress) {
  RabbitServer& server = RabbitServer::shared();
  auto source = opened(options(server, server.unique("queue")));
  const Position before = read(*source, milliseconds(1))->resume_after;
  ASSERT_TRUE(source->open(before, {}));
  EXPECT_EQ(read(*source, milliseconds(1))->resume_after, before);
}

TEST_F(QueueSources, AStopEndsAReadAtOnce) {
  RabbitServer& server = RabbitServer::shared();
  auto source = opened(options(server, server.unique("queue")));
  std::stop_source stop;
  auto waiting = std::async(std::launch::async,
                            [&] { return source->read(std::chrono::minutes(10), stop.get_token()); });
  stop.request_stop();
  const auto batch = waiting.get();
  ASSERT_FALSE(batch);
  EXPECT_EQ(batch.error().react, React::kCancelled);
}

TEST_F(QueueSources, WhatCantBeReadComesAsMalformedAndHoldsNothingUp) {
  RabbitServer& server = RabbitServer::shared();
  const std::string queue = server.unique("queue");
  auto source = opened(options(server, queue));
  server.publish("", queue, {event_json(1), "{poison", std::string("\xff\0", 2), event_json(2)});
  std::vector<std::string> got;
  Position last;
  while (got.size() < 4) {
    const auto batch = read(*source);
    ASSERT_TRUE(batch && !batch->events->events().empty());
    for (const Event& event : batch->events->events())
      got.push_back(event.malformed ? "malformed" : std::string(event.id));
    last = batch->resume_after;
  }
  EXPECT_EQ(got, (std::vector<std::string>{"/s 1", "malformed", "malformed", "/s 2"}));
  ASSERT_TRUE(save(*source, last));
  source->close();
  expect_depth(server, queue, 0);
}

TEST_F(QueueSources, ACancelledConsumerIsARetryThatDeclaresTheQueueAgain) {
  RabbitServer& server = RabbitServer::shared();
  const std::string queue = server.unique("queue");
  auto source = opened(options(server, queue));
  auto waiting = std::async(std::launch::async, [&] { return read(*source, std::chrono::minutes(10)); });
  server.delete_queue(queue);
  const auto batch = waiting.get();
  ASSERT_FALSE(batch);
  EXPECT_EQ(batch.error().react, React::kRetry);
  EXPECT_THAT(batch.error().what, HasSubstr("the broker cancelled the consumer"));
  ASSERT_TRUE(source->open({}, {}));
  server.publish("", queue, event_bodies(0, 2));
  EXPECT_EQ(take(*source, 2), ids(0, 2));
}

TEST_F(QueueSources, AQueueThatIsntThereIsWaitedForWhenItMayNotBeDeclared) {
  RabbitServer& server = RabbitServer::shared();
  const std::string queue = server.unique("queue");
  auto settings = options(server, queue);
  settings.declare.declare = false;
  QueueSource source(settings, clock_);
  const auto missing = source.open({}, {});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().react, React::kRetry);
  EXPECT_EQ(source.health({}).error().react, React::kRetry);
  // With limits of its maker's: it is taken as it is.
  server.declare_queue(queue, {{"x-max-length", "10"}});
  EXPECT_TRUE(source.open({}, {}));
  settings.declare.declare = true;
  EXPECT_TRUE(QueueSource(settings, clock_).open({}, {}));
}

TEST_F(QueueSources, StopDeliveryLeavesTheRestToOthersAndAcknowledgesWhatWasTaken) {
  RabbitServer& server = RabbitServer::shared();
  const std::string queue = server.unique("queue");
  auto settings = options(server, queue);
  auto source = opened(settings);
  server.publish("", queue, event_bodies(0, 2));
  Position last;
  ASSERT_EQ(take(*source, 2, &last), ids(0, 2));
  source->stop_delivery();
  auto witness = amqp::Session::open(settings.connection, clock_, {}).value();
  ASSERT_TRUE(eventually([&] { return witness->queue_state(queue, {})->consumers == 0; }));
  server.publish("", queue, event_bodies(2, 3));
  EXPECT_EQ(server.depth(queue), 3u);
  ASSERT_TRUE(save(*source, last));
  source->close();
  expect_depth(server, queue, 3);
}

TEST_F(QueueSources, AFullPipelineDoesntLoseItsConnectionToSilence) {
  RabbitServer& server = RabbitServer::shared();
  const std::string queue = server.unique("queue");
  auto settings = options(server, queue);
  settings.connection.heartbeat = seconds(1);
  auto source = opened(settings);
  server.publish("", queue, event_bodies(0, 3));
  Position last;
  ASSERT_EQ(take(*source, 3, &last), ids(0, 3));
  // The time itself is what is tested: nobody reads for several heartbeats.
  clock_.sleep_until(clock_.now() + seconds(5), {});
  EXPECT_EQ(server.depth(queue), 0u);
  ASSERT_TRUE(save(*source, last));
  EXPECT_TRUE(read(*source, milliseconds(1)));
  source->close();
  expect_depth(server, queue, 0);
}

TEST_F(QueueSources, HealthNamesTheQueueAndCountsWhatWaits) {
  RabbitServer& server = RabbitServer::shared();
  const std::string queue = server.unique("queue");
  QueueSource source(options(server, queue), clock_);
  const auto before = source.health({});
  ASSERT_TRUE(before) << before.error().describe();
  EXPECT_EQ(before->backlog, 0u);
  server.publish("", queue, event_bodies(0, 7));
  const auto after = source.health({});
  ASSERT_TRUE(after);
  EXPECT_EQ(after->backlog, 7u);
  EXPECT_EQ(after->deployment, before->deployment);
  EXPECT_THAT(after->deployment, HasSubstr(queue));
}

TEST_F(QueueSources, ItsPositionIsAlwaysThere) {
  RabbitServer& server = RabbitServer::shared();
  QueueSource source(options(server, "any"), clock_);
  const auto stored = source.own_positions()->acquire({"process", "fingerprint", "deployment"}, {});
  ASSERT_TRUE(stored && *stored);
  EXPECT_TRUE((*stored)->position.empty());
  EXPECT_EQ((*stored)->fingerprint, "fingerprint");
  EXPECT_EQ((*stored)->deployment, "deployment");
  EXPECT_EQ(source.resolve({}, {}).error().react, React::kConfig);
  EXPECT_TRUE(source.own_positions()->save(durable(position_of({1, 5})), {}));
}

TEST(QueueSourceSettings, AreCheckedWithoutABroker) {
  PosixClock clock;
  ComponentContext context;
  context.pipeline = "process";
  context.clock = &clock;
  config::Settings settings;
  settings.set("uri", "amqp://guest:secret@localhost:1/%2f");
  settings.set("queue", "");
  settings.set("prefetch", int64_t{10});
  settings.set("declare", true);
  settings.set("queue_type", "quorum");
  settings.set("heartbeat", int64_t{30'000});
  settings.set("connect_timeout", int64_t{100});
  settings.set("tls_verify", true);
  EXPECT_EQ(rabbitmq_source_component().make(settings, context).error().react, React::kConfig);
  settings.set("queue", std::string(256, 'q'));
  EXPECT_EQ(rabbitmq_source_component().make(settings, context).error().react, React::kConfig);
  settings.set("queue", "events");
  auto source = rabbitmq_source_component().make(settings, context);
  ASSERT_TRUE(source) << source.error().describe();
  EXPECT_THAT((*source)->identity().summary, HasSubstr("events"));
  const auto refused = (*source)->open({}, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().react, React::kRetry);
  EXPECT_THAT(refused.error().describe(), ::testing::Not(HasSubstr("secret")));
  (*source)->stop_delivery();
  (*source)->close();
}

}  // namespace
}  // namespace tidemark
