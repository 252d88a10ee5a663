// Sessions and the publisher with a real broker.
#include <fstream>
#include <thread>

#include "amqp/testing/fixture.h"
#include "support/temp_folder.h"

namespace tidemark::amqp {
namespace {

TEST_F(AmqpSession, AMessageArrivesByteForByteWithItsHeaders) {
  auto session = open();
  const std::string queue = classic_queue();
  ASSERT_TRUE(session->select_confirms({}));
  std::string body(300'000, 'x');  // several frames
  for (size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i * 7);
  const HeaderView headers[] = {{"x-n", int64_t{-5}}, {"x-text", std::string_view("h\0llo", 5)}};
  const Message messages[] = {{"", queue, "a/b", "id-1", headers, body}, {"", queue, "", "", {}, ""}};
  const PublishResult result = Publisher(*session, clock).publish(messages, kPatience, {});
  ASSERT_FALSE(result.error) << result.error->describe();
  EXPECT_EQ(result.confirmed_prefix, 2u);

  ASSERT_TRUE(session->consume(queue, 10, {}));
  Delivery delivery;
  ASSERT_TRUE(session->next(delivery, kPatience, {}).value());
  EXPECT_EQ(delivery.tag, 1u);
  EXPECT_EQ(delivery.body, body);
  EXPECT_EQ(delivery.content_type, "a/b");
  EXPECT_EQ(delivery.message_id, "id-1");
  EXPECT_EQ(delivery.routing_key, queue);
  EXPECT_EQ(delivery.number("x-n"), -5);
  EXPECT_EQ(*delivery.text("x-text"), std::string("h\0llo", 5));
  EXPECT_FALSE(delivery.redelivered);
  ASSERT_TRUE(session->next(delivery, kPatience, {}).value());
  EXPECT_EQ(delivery.body, "");
  EXPECT_TRUE(delivery.headers.empty());
  EXPECT_TRUE(delivery.message_id.empty());
  ASSERT_TRUE(session->ack(delivery.tag, true, {}));
  session->close();
  EXPECT_EQ(server().depth(queue), 0u);
}

TEST_F(AmqpSession, WhatIsNotAcknowledgedComesAgain) {
  auto session = open();
  const std::string queue = classic_queue();
  server().publish("", queue, {"one", "two", "three"});
  ASSERT_TRUE(session->consume(queue, 2, {}));
  Delivery delivery;
  ASSERT_TRUE(session->next(delivery, kPatience, {}).value());
  ASSERT_TRUE(session->ack(delivery.tag, false, {}));
  ASSERT_TRUE(session->next(delivery, kPatience, {}).value());
  ASSERT_TRUE(session->nack(delivery.tag, false, true, {}));
  ASSERT_TRUE(session->next(delivery, kPatience, {}).value());
  session->close();

  auto again = open();
  ASSERT_TRUE(again->get(queue, delivery, {}).value());
  EXPECT_EQ(delivery.body, "two");
  EXPECT_TRUE(delivery.redelivered);
  ASSERT_TRUE(again->get(queue, delivery, {}).value());
  EXPECT_EQ(delivery.body, "three");
  EXPECT_FALSE(again->get(queue, delivery, {}).value());
}

TEST_F(AmqpSession, PrefetchBoundsWhatIsUnderWay) {
  auto session = open();
  const std::string queue = classic_queue();
  server().publish("", queue, {"1", "2", "3"});
  ASSERT_TRUE(session->consume(queue, 2, {}));
  Delivery delivery;
  ASSERT_TRUE(session->next(delivery, kPatience, {}).value());
  ASSERT_TRUE(session->next(delivery, kPatience, {}).value());
  EXPECT_FALSE(session->next(delivery, milliseconds(50), {}).value());
  ASSERT_TRUE(session->ack(delivery.tag, true, {}));
  ASSERT_TRUE(session->next(delivery, kPatience, {}).value());
  EXPECT_EQ(delivery.body, "3");
}

TEST_F(AmqpSession, CancelEndsTheDeliveries) {
  auto session = open();
  const std::string queue = classic_queue();
  ASSERT_TRUE(session->consume(queue, 10, {}));
  ASSERT_TRUE(session->cancel({}));
  server().publish("", queue, {"late"});
  Delivery delivery;
  EXPECT_FALSE(session->next(delivery, milliseconds(50), {}).value());
  EXPECT_EQ(server().depth(queue), 1u);
}

TEST_F(AmqpSession, ADeletedQueueCancelsTheConsumer) {
  auto session = open();
  const std::string queue = classic_queue();
  ASSERT_TRUE(session->consume(queue, 10, {}));
  server().delete_queue(queue);
  Delivery delivery;
  auto next = session->next(delivery, kPatience, {});
  ASSERT_FALSE(next.has_value());
  EXPECT_EQ(next.error().react, React::kRetry);
  EXPECT_NE(next.error().what.find("cancelled the consumer"), std::string::npos) << next.error().what;
}

TEST_F(AmqpSession, AWaitEndsAtAStopAndAtAWake) {
  auto session = open();
  const std::string queue = classic_queue();
  ASSERT_TRUE(session->consume(queue, 10, {}));
  Delivery delivery;
  session->wake();
  EXPECT_FALSE(session->next(delivery, milliseconds(60'000), {}).value());
  std::stop_source stop;
  std::jthread stopper([&] { stop.request_stop(); });
  const Mono before = clock.now();
  const auto next = session->next(delivery, milliseconds(60'000), stop.get_token());
  ASSERT_FALSE(next.has_value());
  EXPECT_EQ(next.error().react, React::kCancelled);
  EXPECT_LT(clock.now() - before, std::chrono::seconds(10));
  EXPECT_FALSE(session->lost());
}

TEST_F(AmqpSession, AnUnroutableMessageIsAnErrorThatNamesWhereItWent) {
  auto session = open();
  ASSERT_TRUE(session->select_confirms({}));
  const std::string queue = classic_queue();
  const std::string nowhere = server().unique("nowhere");
  Publisher publisher(*session, clock);
  const Message messages[] = {
      {"", queue, "", "a", {}, "a"}, {"", nowhere, "", "b", {}, "b"}, {"", queue, "", "c", {}, "c"}};
  const PublishResult result = publisher.publish(messages, kPatience, {});
  ASSERT_TRUE(result.error);
  EXPECT_EQ(result.error->react, React::kRetry);
  EXPECT_NE(result.error->what.find("routing key \"" + nowhere + "\""), std::string::npos)
      << result.error->what;
  EXPECT_EQ(result.confirmed_prefix, 1u);
  EXPECT_EQ(server().depth(queue), 2u);
}

TEST_F(AmqpSession, AFullQueueRefuses) {
  auto session = open();
  ASSERT_TRUE(session->select_confirms({}));
  const std::string queue = classic_queue(2);
  const PublishResult result = publish(*session, queue, {"1", "2", "3", "4"});
  ASSERT_TRUE(result.error);
  EXPECT_EQ(result.error->react, React::kRetry);
  EXPECT_NE(result.error->what.find("queue is full"), std::string::npos) << result.error->what;
  EXPECT_EQ(result.confirmed_prefix, 2u);
  EXPECT_EQ(server().drain(queue).size(), 2u);
  EXPECT_FALSE(publish(*session, queue, {"5"}).error);
}

TEST_F(AmqpSession, ALargeBatchIsConfirmedWhole) {
  auto session = open();
  ASSERT_TRUE(session->select_confirms({}));
  const std::string queue = classic_queue();
  std::vector<std::string> bodies;
  for (int i = 0; i < 20'000; ++i) bodies.push_back("message " + std::to_string(i));
  const PublishResult result = publish(*session, queue, bodies);
  ASSERT_FALSE(result.error) << result.error->describe();
  EXPECT_EQ(result.confirmed_prefix, bodies.size());
  EXPECT_TRUE(eventually([&] { return server().depth(queue) == bodies.size(); }));
}

TEST_F(AmqpSession, HeadersThatNoFrameTakesRejectTheirMessageAlone) {
  auto session = open();
  ASSERT_TRUE(session->select_confirms({}));
  const std::string queue = classic_queue();
  const std::string huge(200'000, 'h');
  const HeaderView headers[] = {{"x", huge}};
  const Message messages[] = {{"", queue, "", "a", {}, "a"}, {"", queue, "", "b", headers, "b"}};
  const PublishResult result = Publisher(*session, clock).publish(messages, kPatience, {});
  ASSERT_TRUE(result.error);
  EXPECT_EQ(result.error->react, React::kReject) << result.error->what;
  EXPECT_EQ(result.confirmed_prefix, 1u);
  EXPECT_EQ(result.culprit, 1u);
  EXPECT_FALSE(publish(*session, queue, {"c"}).error);
}

TEST_F(AmqpSession, AWrongPasswordAndAMissingVhostAreRefusals) {
  const auto login = Session::open(options(server().uri("guest", "wr0ng")), clock, {});
  ASSERT_FALSE(login.has_value());
  EXPECT_EQ(login.error().react, React::kDenied) << login.error().what;
  EXPECT_EQ(login.error().describe().find("wr0ng"), std::string::npos);
  const auto vhost = Session::open(options(server().uri("guest", "guest", "nope")), clock, {});
  ASSERT_FALSE(vhost.has_value());
  EXPECT_EQ(vhost.error().react, React::kDenied) << vhost.error().what;
}

TEST_F(AmqpSession, NobodyThereIsTriedAgain) {
  ConnectionOptions nobody = options(server().uri());
  nobody.endpoint.port = testing::free_ports();
  const auto session = Session::open(nobody, clock, {});
  ASSERT_FALSE(session.has_value());
  EXPECT_EQ(session.error().react, React::kRetry) << session.error().what;
  EXPECT_NE(session.error().what.find("refused"), std::string::npos) << session.error().what;
}

TEST_F(AmqpSession, AMissingQueueLeavesTheSessionUsable) {
  auto session = open();
  const std::string name = server().unique("missing");
  const auto missing = session->queue_state(name, {});
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().react, React::kRetry);
  EXPECT_EQ(missing.error().code, 404);
  EXPECT_FALSE(session->check_exchange(name, {}).has_value());
  server().declare_queue(name);
  EXPECT_EQ(session->queue_state(name, {}).value().messages, 0u);
  EXPECT_FALSE(session->lost());
}

TEST_F(AmqpSession, WhatExistsWithOtherPropertiesIsTheOperators) {
  auto session = open();
  const std::string name = server().unique("other");
  server().declare_queue(name, {{"x-max-length", "7"}});
  const auto declared = session->declare_queue({name, QueueType::kClassic, 5}, {});
  ASSERT_FALSE(declared.has_value());
  EXPECT_EQ(declared.error().react, React::kConfig) << declared.error().what;
  EXPECT_FALSE(session->lost());

  // The same length is found again whatever else the queue has, as in one that was created here.
  const std::string own = server().unique("own");
  for (int starts = 0; starts < 2; ++starts) {
    const auto same = session->declare_queue({own, QueueType::kQuorum, 7}, {});
    EXPECT_TRUE(same.has_value()) << same.error().describe();
  }
}

TEST_F(AmqpSession, ReservedNamesAreRefusedToTheOperator) {
  auto session = open();
  const auto declared = session->declare_exchange("amq.tidemark", "direct", {});
  ASSERT_FALSE(declared.has_value());
  EXPECT_EQ(declared.error().react, React::kConfig) << declared.error().what;
}

TEST_F(AmqpSession, AQueueThatIsThereIsTakenAsItIs) {
  auto session = open();
  for (const auto& arguments : std::vector<std::map<std::string, std::string>>{
           {{"x-queue-type", "quorum"}, {"x-delivery-limit", "20"}},
           {{"x-queue-type", "classic"}, {"x-max-length", "7"}},
           {}}) {
    const std::string name = server().unique("theirs");
    server().declare_queue(name, arguments);
    const auto declared = session->declare_queue({name, QueueType::kQuorum, 0}, {});
    EXPECT_TRUE(declared.has_value()) << declared.error().describe();
  }
  EXPECT_FALSE(session->lost());
}

TEST_F(AmqpSession, TellsHowOftenAMessageMayComeBack) {
  auto session = open();
  const auto limit_of = [&](const std::map<std::string, std::string>& arguments) {
    const std::string name = server().unique("limited");
    server().declare_queue(name, arguments);
    const auto limit = session->delivery_limit(name, {});
    EXPECT_TRUE(limit.has_value()) << limit.error().describe();
    EXPECT_TRUE(limit->known);
    EXPECT_TRUE(session->queue_state(name, {}).has_value());
    return *limit;
  };
  EXPECT_EQ(limit_of({{"x-queue-type", "quorum"}, {"x-delivery-limit", "20"}}).limit, 20);
  EXPECT_EQ(limit_of({{"x-queue-type", "quorum"},
                      {"x-max-length", "500"},
                      {"x-overflow", "reject-publish"},
                      {"x-delivery-limit", "3"}})
                .limit,
            3);
  const DeliveryLimit kept =
      limit_of({{"x-queue-type", "quorum"}, {"x-delivery-limit", "3"}, {"x-dead-letter-exchange", "x"}});
  EXPECT_EQ(kept.limit, 3);
  EXPECT_FALSE(kept.drops);
  EXPECT_FALSE(limit_of({{"x-queue-type", "classic"}}).limit);
  EXPECT_FALSE(session->lost());
}

// Limits as an operator sets them: by a policy for every queue, which no client can see.
class AmqpPolicies : public AmqpSession {
 protected:
  // A broker whose every queue has a delivery limit of three.
  std::unique_ptr<RabbitServer> limited() {
    std::ofstream(folder_.file("definitions.json")) << R"({
      "vhosts": [{"name": "/"}],
      "users": [{"name": "guest", "password": "guest", "tags": "administrator"}],
      "permissions": [{"user": "guest", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"}],
      "policies": [{"vhost": "/", "name": "limit", "pattern": "^events", "apply-to": "queues", "priority": 0,
                    "definition": {"delivery-limit": 3}}]})";
    RabbitServer::Options options;
    options.settings["load_definitions"] = folder_.file("definitions.json");
    return std::make_unique<RabbitServer>(options);
  }
  testing::TempFolder folder_;
};

TEST_F(AmqpPolicies, AMessageThatComesBackTooOftenIsSetAsideAndNotDropped) {
  const auto broker = limited();
  auto session = open(*broker);
  const QueueOptions queue = {"events", QueueType::kQuorum, 0};
  ASSERT_TRUE(session->declare_queue(queue, {}));
  broker->publish("", queue.name, {"precious"});
  for (int returns = 0; returns < 6; ++returns) {
    Delivery delivery;
    const auto got = session->get(queue.name, delivery, {});
    ASSERT_TRUE(got.has_value()) << got.error().describe();
    if (!*got) break;
    ASSERT_TRUE(session->nack(delivery.tag, false, true, {}));
    ASSERT_TRUE(session->cancel({}));
  }
  EXPECT_TRUE(eventually([&] { return broker->depth(queue.returned()) == 1; }));
  EXPECT_EQ(broker->depth(queue.name), 0u);
  EXPECT_EQ(broker->drain(queue.returned()).at(0).body, "precious");
}

}  // namespace
}  // namespace tidemark::amqp
