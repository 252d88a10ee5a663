// What the tests of this folder share: settings, and a proxy between sink and server that loses things.
#pragma once

#include <atomic>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config/settings.h"
#include "env/posix/clock.h"
#include "env/posix/file_system.h"
#include "sinks/postgres/sink.h"
#include "support/postgres.h"

namespace tidemark::testing {

inline config::Settings postgres_settings(const std::string& uri, const std::string& mode,
                                          const std::string& table = "orders",
                                          const std::string& on_drop = "apply") {
  config::Settings settings;
  settings.set_where("test.toml:1:1, pipeline.sink");
  settings.set("uri", uri);
  settings.set("table", table);
  settings.set("mode", mode);
  settings.set("on_drop", on_drop);
  settings.set("position_table", std::string("tidemark_positions"));
  settings.set("connect_timeout", int64_t{5000});
  settings.set("statement_timeout", int64_t{20'000});
  settings.set("takeover_timeout", int64_t{500});
  return settings;
}

// Passes bytes between one client and the server, until it is told to lose some. Any number of connections, one at a time
// in effect: the tests are sequential.
class LossyProxy {
 public:
  enum class Loss {
    kNone,
    kRequest,       // cuts both sides when the client sends something, which the server never sees
    kCommitAnswer,  // cuts both sides when the server says that it has committed, which the client never sees
  };

  explicit LossyProxy(int server_port) : server_port_(server_port) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = loopback(0);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_, 16), 0);
    socklen_t size = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this](std::stop_token stop) { run(std::move(stop)); });
  }
  ~LossyProxy() {
    thread_.request_stop();
    thread_.join();
    ::close(listener_);
  }

  int port() const { return port_; }
  // `requests` of the client pass before the loss.
  void lose(Loss loss, int requests = 0) {
    requests_ = requests;
    loss_ = loss;
  }
  // True once the loss has happened.
  bool lost() const { return loss_ == Loss::kNone; }

 private:
  struct Pair {
    int client;
    int server;
  };

  static sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(port));
    return address;
  }

  void run(std::stop_token stop) {
    std::vector<Pair> pairs;
    while (!stop.stop_requested()) {
      std::vector<pollfd> fds = {{listener_, POLLIN, 0}};
      for (const Pair& pair : pairs) {
        fds.push_back({pair.client, POLLIN, 0});
        fds.push_back({pair.server, POLLIN, 0});
      }
      if (::poll(fds.data(), fds.size(), 20) <= 0) continue;
      for (size_t i = pairs.size(); i-- > 0;) {
        const bool alive = (fds[1 + 2 * i].revents == 0 || pass(pairs[i].client, pairs[i].server, true)) &&
                           (fds[2 + 2 * i].revents == 0 || pass(pairs[i].server, pairs[i].client, false));
        if (alive) continue;
        ::close(pairs[i].client);
        ::close(pairs[i].server);
        pairs.erase(pairs.begin() + static_cast<ptrdiff_t>(i));
      }
      if (fds[0].revents != 0) {
        const int client = ::accept(listener_, nullptr, nullptr);
        const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const sockaddr_in address = loopback(server_port_);
        if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
          pairs.push_back({client, server});
        else
          ::close(client), ::close(server);
      }
    }
    for (const Pair& pair : pairs) ::close(pair.client), ::close(pair.server);
  }

  bool pass(int from, int to, bool request) {
    char buffer[1 << 16];
    const ssize_t got = ::recv(from, buffer, sizeof buffer, 0);
    if (got <= 0) return false;
    const std::string_view bytes(buffer, static_cast<size_t>(got));
    const bool lose = (request && loss_ == Loss::kRequest && requests_-- == 0) ||
                      (!request && loss_ == Loss::kCommitAnswer &&
                       bytes.find(std::string_view("COMMIT\0", 7)) != std::string_view::npos);
    if (lose) {
      loss_ = Loss::kNone;
      return false;
    }
    for (ssize_t sent = 0; sent < got;) {
      const ssize_t n = ::send(to, buffer + sent, static_cast<size_t>(got - sent), MSG_NOSIGNAL);
      if (n <= 0) return false;
      sent += n;
    }
    return true;
  }

  int server_port_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<Loss> loss_{Loss::kNone};
  std::atomic<int> requests_{0};
  std::jthread thread_;
};

}  // namespace tidemark::testing
