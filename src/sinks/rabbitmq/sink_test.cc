// What is particular to RabbitMQ: durability of confirms, refusals, restarts, and what a message looks like.
#include <set>
#include <thread>

#include "sinks/rabbitmq/component.h"
#include "sinks/rabbitmq/testing/support.h"
#include "support/change_events.h"

namespace tidemark::testing {
namespace {

class RabbitmqSinkTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (auto reason = RabbitServer::unavailable()) GTEST_SKIP() << *reason;
  }
  static RabbitServer& server() { return RabbitServer::shared(); }
  static std::string queue_of(const std::string& prefix) {
    const std::string name = server().unique(prefix);
    server().declare_queue(name, {{"x-queue-type", "classic"}});
    return name;
  }
  ComponentContext context() { return {"orders", &clock, &files}; }
  std::unique_ptr<Sink> make(const config::Settings& settings) {
    auto sink = rabbitmq_sink_component().plain(settings, context());
    EXPECT_TRUE(sink.has_value()) << sink.error().describe();
    return std::move(*sink);
  }
  std::unique_ptr<Sink> opened(const config::Settings& settings) {
    auto sink = make(settings);
    const Status open = sink->open({});
    EXPECT_TRUE(open.has_value()) << open.error().describe();
    return sink;
  }
  Error refused(const config::Settings& settings) {
    auto sink = rabbitmq_sink_component().plain(settings, context());
    EXPECT_FALSE(sink.has_value());
    return sink ? Error{} : sink.error();
  }

  PosixFileSystem files;
  PosixClock clock;
};

TEST_F(RabbitmqSinkTest, APayloadPassesByteForByte) {
  const std::string queue = queue_of("payload");
  auto sink = opened(rabbitmq_settings(server().uri(), queue));
  auto batch = inserts(1, 1);
  std::vector<Event> events = batch->events();
  const std::string payload = "{\"id\" : \"\\u00e9\",  \"x\":\n1.50, \"id2\":\"\xc3\xa9\"}";
  events[0].payload = payload;
  events[0].wall_time_ms = 1'700'000'000'123;
  const auto written = sink->write(events, {});
  ASSERT_TRUE(written.has_value()) << written.error().error.describe();
  const auto messages = server().drain(queue);
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].body, payload);
  EXPECT_EQ(messages[0].content_type, "application/cloudevents+json");
  EXPECT_EQ(messages[0].message_id, events[0].id);
  EXPECT_EQ(messages[0].delivery_mode, 2);
  EXPECT_EQ(messages[0].headers.at("x-received-ms"), "1700000000123");
  EXPECT_EQ(messages[0].exchange, "x." + queue);
  EXPECT_EQ(messages[0].routing_key, "events");
}

TEST_F(RabbitmqSinkTest, AChangeEventBecomesACloudEvent) {
  const std::string queue = queue_of("change");
  auto sink = opened(rabbitmq_settings(server().uri(), queue));
  const auto batch = inserts(1, 1);
  ASSERT_TRUE(sink->write(batch->events(), {}).has_value());
  const auto messages = server().drain(queue);
  ASSERT_EQ(messages.size(), 1u);
  const auto event = doc(messages[0].body);
  EXPECT_EQ(event.view().find("type")->string(), "tidemark.insert") << messages[0].body;
  EXPECT_EQ(event.view().find("source")->string(), "/mongodb/shop/orders");
  EXPECT_EQ(event.view().find("specversion")->string(), "1.0");
  EXPECT_EQ(event.view().find("id")->string(), token_hex(1));
}

TEST_F(RabbitmqSinkTest, KeysWithPlaceholdersGoThroughATopicExchangeToTheQueue) {
  const std::string queue = queue_of("topic");
  config::Settings settings = rabbitmq_settings(server().uri(), queue);
  settings.set("routing_key", std::string("db.{database}.{collection}.{op}"));
  EXPECT_EQ(refused(settings).react, React::kConfig);  // a direct exchange can't
  settings.set("exchange_type", std::string("topic"));
  auto sink = opened(settings);
  ASSERT_TRUE(sink->write(inserts(1, 1)->events(), {}).has_value());
  EXPECT_EQ(server().drain(queue).at(0).routing_key, "db.shop.orders.insert");
}

TEST_F(RabbitmqSinkTest, AnUnroutableEventIsTriedAgainAndNeverLost) {
  const std::string queue = server().unique("unroutable");
  config::Settings settings = rabbitmq_settings(server().uri(), queue);
  settings.set("queue", std::string());
  auto sink = opened(settings);
  const auto failed = sink->write(inserts(1, 2)->events(), {});
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().error.react, React::kRetry);
  EXPECT_EQ(failed.error().durable_prefix, 0u);
  EXPECT_NE(failed.error().error.what.find("exchange \"x." + queue + "\" with routing key \"events\""),
            std::string::npos)
      << failed.error().error.what;
  server().declare_queue(queue);
  server().bind(queue, "x." + queue, "events");
  ASSERT_TRUE(sink->open({}).has_value());
  ASSERT_TRUE(sink->write(inserts(1, 2)->events(), {}).has_value());
  EXPECT_EQ(server().drain(queue).size(), 2u);
}

TEST_F(RabbitmqSinkTest, AFullQueueHoldsThePipelineBack) {
  const std::string queue = server().unique("full");
  config::Settings settings = rabbitmq_settings(server().uri(), queue);
  settings.set("queue_max_length", int64_t{3});
  auto sink = opened(settings);
  const auto failed = sink->write(inserts(1, 5)->events(), {});
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().error.react, React::kRetry);
  EXPECT_NE(failed.error().error.what.find("full"), std::string::npos) << failed.error().error.what;
  EXPECT_EQ(failed.error().durable_prefix, 3u);
  EXPECT_EQ(server().drain(queue).size(), 3u);
  ASSERT_TRUE(sink->open({}).has_value());
  ASSERT_TRUE(sink->write(inserts(4, 2)->events(), {}).has_value());
  EXPECT_EQ(server().drain(queue).size(), 2u);
}

TEST_F(RabbitmqSinkTest, ALookBeforehandMakesNothingAndNamesALimit) {
  const std::string queue = server().unique("looked at");
  config::Settings settings = rabbitmq_settings(server().uri(), queue);
  auto notes = rabbitmq_sink_component().preflight(settings, context(), {});
  ASSERT_TRUE(notes) << notes.error().describe();
  EXPECT_EQ(notes->size(), 2u) << "neither the exchange nor the queue is there";
  EXPECT_THROW(server().depth(queue), std::exception);
  settings.set("declare", false);
  EXPECT_EQ(rabbitmq_sink_component().preflight(settings, context(), {}).error().code, 404);
  server().declare_exchange(settings.string("exchange"));
  server().declare_queue(queue, {{"x-queue-type", "quorum"}, {"x-delivery-limit", "20"}});
  notes = rabbitmq_sink_component().preflight(settings, context(), {});
  ASSERT_TRUE(notes) << notes.error().describe();
  ASSERT_EQ(notes->size(), 1u);
  EXPECT_NE(notes->front().find("came back 20 times"), std::string::npos) << notes->front();
  EXPECT_FALSE(
      rabbitmq_sink_component().preflight(rabbitmq_settings("amqp://127.0.0.1:1", queue), context(), {}));
}

TEST_F(RabbitmqSinkTest, WhatIsDeletedUnderItIsMadeAgainBeforeAnythingCounts) {
  const std::string queue = server().unique("deleted");
  const config::Settings settings = rabbitmq_settings(server().uri(), queue);
  auto sink = opened(settings);
  ASSERT_TRUE(sink->write(inserts(1, 1)->events(), {}).has_value());
  const auto again_after = [&](const char* what, uint32_t first) {
    const auto failed = sink->write(inserts(first, 2)->events(), {});
    ASSERT_FALSE(failed.has_value()) << what;
    EXPECT_EQ(failed.error().error.react, React::kRetry) << failed.error().error.what;
    EXPECT_EQ(failed.error().durable_prefix, 0u);
    ASSERT_TRUE(sink->open({}).has_value()) << what;
    ASSERT_TRUE(sink->write(inserts(first, 2)->events(), {}).has_value()) << what;
    EXPECT_EQ(server().drain(queue).size(), 2u) << what;
  };
  server().delete_queue(queue);
  again_after("the queue is deleted", 2);
  server().delete_queue(queue);
  server().declare_queue(queue);
  again_after("the queue is there without its binding", 4);
  server().delete_exchange(settings.string("exchange"));
  again_after("the exchange is deleted", 6);
}

TEST_F(RabbitmqSinkTest, TheOperatorsMistakesAreTold) {
  const std::string queue = server().unique("mistakes");
  auto login = make(rabbitmq_settings(server().uri("guest", "wr0ng"), queue));
  EXPECT_EQ(login->open({}).error().react, React::kDenied);
  auto vhost = make(rabbitmq_settings(server().uri("guest", "guest", "nope"), queue));
  EXPECT_EQ(vhost->open({}).error().react, React::kDenied);
  server().declare_queue(queue, {{"x-max-length", "9"}});
  config::Settings shorter = rabbitmq_settings(server().uri(), queue);
  shorter.set("queue_max_length", int64_t{5});
  auto other = make(shorter);
  const Status declared = other->open({});
  EXPECT_EQ(declared.error().react, React::kConfig) << declared.error().what;

  config::Settings undeclared = rabbitmq_settings(server().uri(), server().unique("absent"));
  undeclared.set("declare", false);
  const Status absent = make(undeclared)->open({});
  EXPECT_EQ(absent.error().react, React::kRetry);
  EXPECT_NE(absent.error().describe().find("declare = true"), std::string::npos) << absent.error().describe();

  config::Settings length = rabbitmq_settings(server().uri(), "");
  length.set("queue_max_length", int64_t{3});
  EXPECT_EQ(refused(length).react, React::kConfig);
  config::Settings default_exchange = rabbitmq_settings(server().uri(), "a");
  default_exchange.set("exchange", std::string());
  EXPECT_NE(refused(default_exchange).what.find("pipeline.sink.routing_key"), std::string::npos);
  config::Settings placeholder = rabbitmq_settings(server().uri(), "a");
  placeholder.set("routing_key", std::string("{id}"));
  EXPECT_EQ(refused(placeholder).react, React::kConfig);
}

TEST_F(RabbitmqSinkTest, TheDefaultExchangeLeadsToTheQueueOfThatName) {
  const std::string queue = queue_of("default");
  config::Settings settings = rabbitmq_settings(server().uri(), queue);
  settings.set("exchange", std::string());
  settings.set("routing_key", queue);
  auto sink = opened(settings);
  ASSERT_TRUE(sink->write(inserts(1, 1)->events(), {}).has_value());
  EXPECT_EQ(server().drain(queue).size(), 1u);
}

TEST_F(RabbitmqSinkTest, AStopEndsTheWaitForConfirms) {
  LossyProxy proxy(server().port());
  auto sink =
      opened(rabbitmq_settings("amqp://127.0.0.1:" + std::to_string(proxy.port()), queue_of("silent")));
  proxy.swallow_requests();
  std::stop_source stop;
  std::jthread stopper([&] {
    EXPECT_TRUE(eventually([&] { return proxy.swallowed() > 0; }));
    stop.request_stop();
  });
  const auto written = sink->write(inserts(1, 1)->events(), stop.get_token());
  ASSERT_FALSE(written.has_value());
  EXPECT_EQ(written.error().error.react, React::kCancelled) << written.error().error.what;
}

TEST_F(RabbitmqSinkTest, ASilentBrokerIsTriedAgain) {
  LossyProxy proxy(server().port());
  config::Settings settings =
      rabbitmq_settings("amqp://127.0.0.1:" + std::to_string(proxy.port()), queue_of("silent"));
  settings.set("confirm_timeout", int64_t{50});
  auto sink = opened(settings);
  proxy.swallow_requests();
  const auto written = sink->write(inserts(1, 1)->events(), {});
  ASSERT_FALSE(written.has_value());
  EXPECT_EQ(written.error().error.react, React::kRetry);
  EXPECT_NE(written.error().error.what.find("no confirm came within 50 ms"), std::string::npos)
      << written.error().error.what;
}

// A writer that goes on while the broker is restarted and killed: what was confirmed is there, whatever happened.
void write_through_faults(RabbitServer& server, Sink& sink, const std::function<void()>& faults) {
  constexpr uint32_t kSize = 50;
  std::atomic<uint32_t> confirmed{0};
  std::atomic<bool> faults_done{false};
  std::jthread writer([&] {
    bool open = false;
    uint32_t after = 0;  // batches since the last fault
    while (after < 5) {
      if (!open && !(open = sink.open({}).has_value())) {
        internal::pause(std::chrono::milliseconds(5));
        continue;
      }
      const auto written = sink.write(inserts(confirmed + 1, kSize)->events(), {});
      confirmed += written ? kSize : static_cast<uint32_t>(written.error().durable_prefix);
      open = written.has_value();
      if (written && faults_done) ++after;
    }
  });
  EXPECT_TRUE(eventually([&] { return confirmed > kSize; }));
  faults();
  faults_done = true;
  writer.join();
  std::set<std::string> kept;
  for (const RabbitMessage& message : server.drain("q")) kept.insert(message.message_id);
  for (uint32_t n = 1; n <= confirmed; ++n)
    ASSERT_TRUE(kept.contains(token_hex(n))) << n << " of " << confirmed;
}

TEST_F(RabbitmqSinkTest, EverythingConfirmedSurvivesRestartsAndCrashesOfTheBroker) {
  for (const char* type : {"quorum", "classic"}) {
    SCOPED_TRACE(type);
    RabbitServer own;
    auto sink = make(rabbitmq_settings(own.uri(), "q", type));
    write_through_faults(own, *sink, [&] {
      own.restart();
      own.kill();
      own.start();
    });
  }
}

}  // namespace
}  // namespace tidemark::testing
