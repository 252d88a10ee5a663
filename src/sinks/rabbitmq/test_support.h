// What the tests of this folder share: settings, and a proxy between sink and broker that cuts connections.
#pragma once

#include <atomic>
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
#include "sinks/rabbitmq/sink.h"
#include "support/rabbitmq.h"

namespace tidemark::testing {

inline config::Settings rabbitmq_settings(const std::string& uri, const std::string& queue,
                                          const std::string& queue_type = "classic") {
  config::Settings settings;
  settings.set_where("test.toml:1:1, pipeline.sink");
  settings.set("uri", uri);
  settings.set("tls_verify", true);
  settings.set("connect_timeout", int64_t{5000});
  settings.set("declare", true);
  settings.set("queue_type", queue_type);
  settings.set("exchange", "x." + queue);
  settings.set("exchange_type", std::string("direct"));
  settings.set("routing_key", std::string("events"));
  settings.set("queue", queue);
  settings.set("queue_max_length", int64_t{0});
  settings.set("confirm_timeout", int64_t{10'000});
  return settings;
}

// Passes bytes between clients and the broker, until it is told to cut: at the `n`th time from now that a client sends
// something, both sides are closed and the broker never sees it.
class CuttingProxy {
 public:
  explicit CuttingProxy(int server_port) : server_port_(server_port) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = loopback(0);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_, 16), 0);
    socklen_t size = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this](std::stop_token stop) { run(std::move(stop)); });
  }
  ~CuttingProxy() {
    thread_.request_stop();
    thread_.join();
    ::close(listener_);
  }

  int port() const { return port_; }
  void cut_at(int requests) { requests_ = requests; }
  bool was_cut() const { return requests_ < 0; }
  // From now on the broker sees nothing of what clients send.
  void swallow() { swallowing_ = true; }
  // How often that has happened.
  int swallowed() const { return swallowed_; }

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
      if (fds[0].revents != 0) accept_one(pairs);
    }
    for (const Pair& pair : pairs) ::close(pair.client), ::close(pair.server);
  }

  void accept_one(std::vector<Pair>& pairs) {
    const int client = ::accept(listener_, nullptr, nullptr);
    const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(server_port_);
    if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
      pairs.push_back({client, server});
    else
      ::close(client), ::close(server);
  }

  bool pass(int from, int to, bool request) {
    char buffer[1 << 16];
    const ssize_t got = ::recv(from, buffer, sizeof buffer, 0);
    if (got <= 0) return false;
    if (request && requests_ >= 0 && requests_-- == 0) return false;
    if (request && swallowing_) {
      ++swallowed_;
      return true;
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
  std::atomic<int> requests_{-1};
  std::atomic<bool> swallowing_{false};
  std::atomic<int> swallowed_{0};
  std::jthread thread_;
};

}  // namespace tidemark::testing
