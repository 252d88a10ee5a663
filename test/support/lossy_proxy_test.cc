#include "support/lossy_proxy.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/process.h"

namespace tidemark::testing {
namespace {

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

// What comes next, up to the end of a line; empty when the connection is over.
std::string line_from(int socket) {
  std::string line;
  char byte = 0;
  while (::recv(socket, &byte, 1, 0) == 1) {
    if (byte == '\n') return line;
    line.push_back(byte);
  }
  return "";
}

// Answers each line with "re: " and the line; one connection after the other.
class Echo {
 public:
  Echo() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_, 4), 0);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this] { run(); });
  }
  ~Echo() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  int port() const { return port_; }
  int heard() const { return heard_; }

 private:
  void run() {
    for (int client = 0; (client = ::accept(listener_, nullptr, nullptr)) >= 0; ::close(client)) {
      for (std::string line; !(line = line_from(client)).empty();) {
        ++heard_;
        const std::string answer = "re: " + line + "\n";
        ::send(client, answer.data(), answer.size(), MSG_NOSIGNAL);
      }
    }
  }

  int listener_;
  int port_ = 0;
  std::atomic<int> heard_ = 0;
  std::jthread thread_;
};

class Client {
 public:
  explicit Client(int port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const sockaddr_in address = loopback(port);
    EXPECT_EQ(::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  ~Client() { ::close(socket_); }

  void say(const std::string& line) { ::send(socket_, (line + "\n").data(), line.size() + 1, MSG_NOSIGNAL); }
  std::string ask(const std::string& line) {
    say(line);
    return line_from(socket_);
  }

 private:
  int socket_;
};

class LossyProxyTest : public ::testing::Test {
 protected:
  Echo server;
  LossyProxy proxy{server.port()};
};

TEST_F(LossyProxyTest, PassesWhatItIsNotToldToLose) {
  Client client(proxy.port());
  EXPECT_EQ(client.ask("a"), "re: a");
  EXPECT_EQ(client.ask("b"), "re: b");
  EXPECT_TRUE(proxy.lost());
}

TEST_F(LossyProxyTest, LosesARequestThatTheServerThenNeverSees) {
  Client client(proxy.port());
  proxy.lose_request(1);
  EXPECT_EQ(client.ask("a"), "re: a");
  EXPECT_FALSE(proxy.lost());
  EXPECT_EQ(client.ask("b"), "");
  EXPECT_TRUE(proxy.lost());
  EXPECT_EQ(server.heard(), 1);
}

TEST_F(LossyProxyTest, LosesTheAnswerToWhatTheServerHasDone) {
  Client client(proxy.port());
  proxy.lose_answers(1, "commit", "re");
  EXPECT_EQ(client.ask("insert"), "re: insert");
  EXPECT_FALSE(proxy.lost());
  EXPECT_EQ(client.ask("commit"), "");
  EXPECT_TRUE(proxy.lost());
  EXPECT_EQ(server.heard(), 2);
  Client next(proxy.port());
  EXPECT_EQ(next.ask("commit"), "re: commit");
}

TEST_F(LossyProxyTest, LosesOnlyTheAnswerThatSaysSo) {
  Client client(proxy.port());
  proxy.lose_answers(1, "", "done");
  EXPECT_EQ(client.ask("not yet"), "re: not yet");
  EXPECT_EQ(client.ask("done"), "");
}

TEST_F(LossyProxyTest, ForgetsWhatItWasToldToLose) {
  Client client(proxy.port());
  proxy.lose_request();
  proxy.lose_answers(1, "", "");
  proxy.lose_nothing();
  EXPECT_EQ(client.ask("a"), "re: a");
}

TEST_F(LossyProxyTest, SwallowsAndKeepsTheConnection) {
  Client client(proxy.port());
  EXPECT_EQ(client.ask("a"), "re: a");
  proxy.swallow_requests();
  client.say("b");
  EXPECT_TRUE(eventually([this] { return proxy.swallowed() == 1; }));
  proxy.lose_nothing();
  EXPECT_EQ(client.ask("c"), "re: c");
  EXPECT_EQ(server.heard(), 2);
}

}  // namespace
}  // namespace tidemark::testing
