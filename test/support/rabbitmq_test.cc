#include "support/rabbitmq.h"

#include <gtest/gtest.h>

namespace tidemark::testing {
namespace {

TEST(RabbitServer, KeepsConfirmedMessagesThroughKillAndRestart) {
  if (auto reason = RabbitServer::unavailable()) GTEST_SKIP() << *reason;
  RabbitServer server;
  server.declare_queue("q", {{"x-queue-type", "quorum"}});
  server.publish("", "q", {"one", "two"}, {{"x-n", "7"}});
  server.kill();
  EXPECT_FALSE(server.running());
  server.start();
  const auto messages = server.drain("q");
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(messages[1].body, "two");
  EXPECT_EQ(messages[0].headers.at("x-n"), "7");
  server.restart();
  EXPECT_EQ(server.depth("q"), 0u);
}

TEST(RabbitServer, RunsBesideAnother) {
  if (auto reason = RabbitServer::unavailable()) GTEST_SKIP() << *reason;
  RabbitServer& one = RabbitServer::shared();
  RabbitServer other;
  one.declare_queue("q");
  EXPECT_THROW(other.depth("q"), std::runtime_error);
  EXPECT_EQ(one.depth("q"), 0u);
}

}  // namespace
}  // namespace tidemark::testing
