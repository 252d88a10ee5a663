// What the tests with a broker share: sessions, queues, and publishing.
#pragma once

#include <gtest/gtest.h>

#include "amqp/publisher.h"
#include "amqp/session.h"
#include "env/posix/clock.h"
#include "support/rabbitmq.h"

namespace tidemark::amqp {

using std::chrono::milliseconds;
using testing::eventually;
using testing::RabbitServer;

inline constexpr milliseconds kPatience{20'000};

class AmqpSession : public ::testing::Test {
 protected:
  void SetUp() override {
    if (auto reason = RabbitServer::unavailable()) GTEST_SKIP() << *reason;
  }

  static RabbitServer& server() { return RabbitServer::shared(); }
  static ConnectionOptions options(const std::string& uri) {
    ConnectionOptions made;
    made.endpoint = parse_uri(uri).value();
    made.name = "test";
    return made;
  }
  std::unique_ptr<Session> open() { return open(server()); }
  std::unique_ptr<Session> open(RabbitServer& at) {
    auto session = Session::open(options(at.uri()), clock, {});
    EXPECT_TRUE(session.has_value()) << session.error().describe();
    return std::move(*session);
  }
  // Declared past the session, which would give a new queue a moment.
  std::string classic_queue(int64_t length_max = 0) {
    const std::string name = server().unique("queue");
    std::map<std::string, std::string> arguments = {{"x-queue-type", "classic"}};
    if (length_max > 0)
      arguments.insert({{"x-max-length", std::to_string(length_max)}, {"x-overflow", "reject-publish"}});
    server().declare_queue(name, arguments);
    return name;
  }
  PublishResult publish(Session& session, const std::string& queue, const std::vector<std::string>& bodies) {
    Publisher publisher(session, clock);
    publisher.begin();
    for (const std::string& body : bodies) {
      Message message;
      message.routing_key = queue;
      message.message_id = body;
      message.body = body;
      if (!publisher.add(message, {})) break;
    }
    return publisher.finish(kPatience, {});
  }

  PosixClock clock;
};

}  // namespace tidemark::amqp
