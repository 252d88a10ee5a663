// Passes bytes between one client and one server of MongoDB, until it is told to lose some. Any number of connections, one
// at a time in effect: the tests are sequential. Header-only.
#pragma once

#include <atomic>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace tidemark::testing {

class MongoProxy {
 public:
  explicit MongoProxy(int server_port) : server_port_(server_port) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = loopback(0);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_, 16), 0);
    socklen_t size = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this](std::stop_token stop) { run(std::move(stop)); });
  }
  ~MongoProxy() {
    thread_.request_stop();
    thread_.join();
    ::close(listener_);
  }

  int port() const { return port_; }
  // The connection breaks at what the client sends as the `n`th from now; the server never sees it.
  void lose_request(int n) { requests_ = n + 1; }
  // The next `count` answers to commitTransaction are lost, with their connections.
  void lose_commit_answers(int count) { commits_ = count; }
  // True once everything that was to be lost is lost.
  bool lost() const { return requests_ <= 0 && commits_ == 0; }
  void lose_nothing() {
    requests_ = 0;
    commits_ = 0;
  }

 private:
  struct Pair {
    int client;
    int server;
    bool commits = false;  // the client asked for a commit and waits for its answer
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
        const bool alive = (fds[1 + 2 * i].revents == 0 || pass(pairs[i], true)) &&
                           (fds[2 + 2 * i].revents == 0 || pass(pairs[i], false));
        if (alive) continue;
        ::close(pairs[i].client);
        ::close(pairs[i].server);
        pairs.erase(pairs.begin() + static_cast<ptrdiff_t>(i));
      }
      if (fds[0].revents != 0) accept(pairs);
    }
    for (const Pair& pair : pairs) ::close(pair.client), ::close(pair.server);
  }

  void accept(std::vector<Pair>& pairs) const {
    const int client = ::accept(listener_, nullptr, nullptr);
    const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(server_port_);
    if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
      pairs.push_back({client, server});
    else
      ::close(client), ::close(server);
  }

  bool pass(Pair& pair, bool request) {
    char buffer[1 << 16];
    const ssize_t got = ::recv(request ? pair.client : pair.server, buffer, sizeof buffer, 0);
    if (got <= 0) return false;
    const std::string_view bytes(buffer, static_cast<size_t>(got));
    if (request) {
      if (requests_ > 0 && --requests_ == 0) return false;
      pair.commits = bytes.find("commitTransaction") != std::string_view::npos;
    } else if (pair.commits && commits_ > 0) {
      --commits_;
      return false;
    }
    for (ssize_t sent = 0; sent < got;) {
      const ssize_t n = ::send(request ? pair.server : pair.client, buffer + sent,
                               static_cast<size_t>(got - sent), MSG_NOSIGNAL);
      if (n <= 0) return false;
      sent += n;
    }
    return true;
  }

  int server_port_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<int> requests_{0};
  std::atomic<int> commits_{0};
  std::jthread thread_;
};

}  // namespace tidemark::testing
