// Sessions while the broker is killed, stopped, paused or out of memory, and over TLS: each with a broker of its own.
#include <cstdlib>
#include <filesystem>

#include "amqp/testing/fixture.h"

namespace tidemark::amqp {
namespace {

using AmqpFaults = AmqpSession;

TEST_F(AmqpFaults, ConfirmedMeansDurableThroughACrash) {
  RabbitServer own;
  {
    auto session = open(own);
    ASSERT_TRUE(session->select_confirms({}));
    ASSERT_TRUE(session->declare_queue({"quorum", QueueType::kQuorum, 0}, {}).has_value());
    ASSERT_TRUE(session->declare_queue({"classic", QueueType::kClassic, 0}, {}).has_value());
    for (const char* queue : {"quorum", "classic"}) {
      const PublishResult result = publish(*session, queue, {"1", "2", "3"});
      ASSERT_FALSE(result.error) << result.error->describe();
    }
    own.kill();
    const PublishResult after = publish(*session, "quorum", {"4"});
    ASSERT_TRUE(after.error);
    EXPECT_EQ(after.error->react, React::kRetry) << after.error->what;
    EXPECT_TRUE(session->lost());
  }
  own.start();
  // A queue may need a moment after the broker answers: a quorum elects its leader first.
  for (const char* queue : {"quorum", "classic"}) {
    size_t kept = 0;
    EXPECT_TRUE(eventually([&] {
      kept += own.drain(queue).size();
      return kept == 3;
    })) << queue
        << " has " << kept;
  }
}

TEST_F(AmqpFaults, ABrokerThatStopsSaysSo) {
  RabbitServer own;
  own.declare_queue("q");
  auto session = open(own);
  ASSERT_TRUE(session->consume("q", 10, {}));
  own.stop();
  Delivery delivery;
  const auto next = session->next(delivery, kPatience, {});
  ASSERT_FALSE(next.has_value());
  EXPECT_EQ(next.error().react, React::kRetry);
  EXPECT_EQ(next.error().code, 320) << next.error().what;
}

TEST_F(AmqpFaults, ASilentBrokerIsNoticedByItsHeartbeat) {
  RabbitServer own;
  own.declare_queue("q");
  ConnectionOptions with_heartbeat = options(own.uri());
  with_heartbeat.heartbeat = std::chrono::seconds(1);
  auto session = Session::open(with_heartbeat, clock, {}).value();
  ASSERT_TRUE(session->consume("q", 10, {}));
  Delivery delivery;
  EXPECT_FALSE(session->next(delivery, milliseconds(3'500), {}).value()) << "heartbeats keep an idle session";
  own.pause();
  const auto next = session->next(delivery, kPatience, {});
  own.resume();
  ASSERT_FALSE(next.has_value());
  EXPECT_EQ(next.error().react, React::kRetry);
  EXPECT_NE(next.error().what.find("heartbeat"), std::string::npos) << next.error().what;
}

TEST_F(AmqpFaults, ABlockedBrokerIsKnownAndEndsNothing) {
  RabbitServer own(RabbitServer::Options{{{"vm_memory_high_watermark.absolute", "1MB"}}});
  auto session = open(own);
  ASSERT_TRUE(session->declare_queue({"q", QueueType::kClassic, 0}, {}).has_value());
  ASSERT_TRUE(session->select_confirms({}));
  Publisher publisher(*session, clock);
  const Message message = {"", "q", "", "a", {}, "a"};
  const PublishResult result = publisher.publish(std::span(&message, 1), milliseconds(1'000), {});
  ASSERT_TRUE(result.error);
  EXPECT_EQ(result.error->react, React::kRetry);
  EXPECT_NE(result.error->what.find("takes no messages now: low on memory"), std::string::npos)
      << result.error->what;
  EXPECT_NE(session->blocked(), "");
  EXPECT_FALSE(session->lost());
}

// --- TLS

class AmqpTls : public AmqpSession {
 protected:
  void SetUp() override {
    AmqpSession::SetUp();
    if (IsSkipped()) return;
    folder_ = (std::filesystem::temp_directory_path() / "tidemark-amqp-tls-XXXXXX").string();
    ASSERT_NE(::mkdtemp(folder_.data()), nullptr);
    for (const char* name : {"broker", "stranger"}) {
      const auto made =
          testing::run({"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                        "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout",
                        path(name) + ".key", "-out", path(name) + ".pem"});
      if (!made.status || made.status->code != 0) GTEST_SKIP() << "no openssl to make certificates with";
    }
  }
  ~AmqpTls() override {
    std::error_code ignored;
    if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
  }
  std::string path(const std::string& name) const { return folder_ + "/" + name; }

  std::string folder_;
};

TEST_F(AmqpTls, OnlyTheBrokerThatWasMeantIsTalkedTo) {
  const int port = testing::free_ports();
  RabbitServer own(RabbitServer::Options{{{"listeners.ssl.1", "127.0.0.1:" + std::to_string(port)},
                                          {"ssl_options.cacertfile", path("broker.pem")},
                                          {"ssl_options.certfile", path("broker.pem")},
                                          {"ssl_options.keyfile", path("broker.key")},
                                          {"ssl_options.verify", "verify_none"}}});
  ConnectionOptions tls = options("amqps://guest:guest@localhost:" + std::to_string(port));
  tls.ca = path("broker.pem");
  auto session = Session::open(tls, clock, {});
  // The listener for TLS opens a moment after the other.
  EXPECT_TRUE(eventually([&] { return session || (session = Session::open(tls, clock, {})); }));
  ASSERT_TRUE(session.has_value()) << session.error().describe();
  const std::string queue = "tls";
  own.declare_queue(queue);
  ASSERT_TRUE((*session)->select_confirms({}));
  std::vector<std::string> bodies;
  for (int i = 0; i < 500; ++i) bodies.push_back(std::string(1000, 'x') + std::to_string(i));
  const PublishResult published = publish(**session, queue, bodies);
  ASSERT_FALSE(published.error) << published.error->describe();
  ASSERT_TRUE((*session)->consume(queue, 0, {}));
  Delivery delivery;
  for (const std::string& body : bodies) {
    ASSERT_TRUE((*session)->next(delivery, kPatience, {}).value());
    ASSERT_EQ(delivery.body, body);
  }
  (*session)->close();

  tls.ca = path("stranger.pem");
  const auto stranger = Session::open(tls, clock, {});
  ASSERT_FALSE(stranger.has_value());
  EXPECT_EQ(stranger.error().react, React::kDenied) << stranger.error().what;
  tls.ca = path("broker.pem");
  tls.endpoint.host = "127.0.0.1";
  const auto name = Session::open(tls, clock, {});
  ASSERT_FALSE(name.has_value());
  EXPECT_EQ(name.error().react, React::kDenied) << name.error().what;
  tls.verify = false;
  EXPECT_TRUE(Session::open(tls, clock, {}).has_value());
  tls.ca = path("absent.pem");
  const auto absent = Session::open(tls, clock, {});
  EXPECT_EQ(absent.error().react, React::kDenied);
  EXPECT_NE(absent.error().what.find("absent.pem: No such file"), std::string::npos) << absent.error().what;
}

// --- what is stuck

// The socket's buffers fill, and what is stuck in a send ends at the stop.
TEST_F(AmqpFaults, AStopEndsASendThatIsStuck) {
  RabbitServer own(RabbitServer::Options{{{"vm_memory_high_watermark.absolute", "1MB"}}});
  auto session = open(own);
  ASSERT_TRUE(session->declare_queue({"q", QueueType::kClassic, 0}, {}).has_value());
  ASSERT_TRUE(session->select_confirms({}));
  const std::string body(1 << 20, 'x');
  std::stop_source stop;
  stop.request_stop();  // what can be sent without waiting still is
  Status sent;
  for (int i = 0; i < 200 && sent; ++i)
    sent = session->publish({"", "q", "", "a", {}, body}, stop.get_token());
  ASSERT_FALSE(sent.has_value());
  EXPECT_EQ(sent.error().react, React::kCancelled) << sent.error().what;
}

}  // namespace
}  // namespace tidemark::amqp
