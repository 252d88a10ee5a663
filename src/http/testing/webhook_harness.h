// A receiver of notices on a port of this machine, and a clock that doesn't wait. For the tests of this folder. The
// receiver's thread is its own; everything may be called from the test's.
#pragma once

#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include <arpa/inet.h>

#include "env/posix/clock.h"
#include "http/testing/client_harness.h"

namespace tidemark::http::testing {

struct Received {
  std::string target;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

// Answers one request a connection, one connection after the other.
class Receiver {
 public:
  static constexpr int kHold = -1;  // takes the request, and answers 200 once released
  static constexpr int kHangUp = 0;

  explicit Receiver(std::deque<int> statuses = {}) : statuses_(std::move(statuses)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    EXPECT_EQ(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length), 0);
    port_ = ntohs(address.sin_port);
  }
  ~Receiver() {
    release();
    if (thread_.joinable()) {
      thread_.request_stop();
      ::shutdown(fd_, SHUT_RDWR);
      thread_.join();
    }
    ::close(fd_);
  }

  // Before this, connections are refused.
  Receiver& start() {
    if (thread_.joinable()) return *this;
    EXPECT_EQ(::listen(fd_, 64), 0);
    thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
    return *this;
  }

  std::string url() const { return fmt::format("http://127.0.0.1:{}", port_); }

  // Waits until so many requests came; what came then.
  std::vector<Received> wait(size_t count) {
    MutexLock lock(mutex_);
    const bool came = changed_.wait_for(mutex_, {}, kPatience,
                                        [&]() REQUIRES(mutex_) { return received_.size() >= count; });
    EXPECT_TRUE(came) << received_.size() << " of " << count << " requests came";
    return received_;
  }
  void release() {
    MutexLock lock(mutex_);
    released_ = true;
    changed_.notify_all();
  }

 private:
  void serve(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const int connection = ::accept(fd_, nullptr, nullptr);
      if (connection < 0) return;
      answer(connection);
      ::close(connection);
    }
  }

  void answer(int connection) {
    std::string bytes;
    size_t head = std::string::npos;
    size_t length = 0;
    while ((head = bytes.find("\r\n\r\n")) == std::string::npos || bytes.size() < head + 4 + length) {
      if (head != std::string::npos && length == 0) {
        const size_t at = bytes.find("Content-Length: ");
        length = at < head ? std::stoul(bytes.substr(at + 16)) : 0;
        if (bytes.size() >= head + 4 + length) break;
      }
      char buffer[4096];
      const ssize_t count = ::recv(connection, buffer, sizeof buffer, 0);
      if (count <= 0) return;
      bytes.append(buffer, static_cast<size_t>(count));
    }
    const int status = take(parse(bytes, head));
    if (status == kHangUp) return;
    const std::string text = fmt::format("HTTP/1.1 {} Whatever\r\nContent-Length: 2\r\n\r\nok", status);
    static_cast<void>(::send(connection, text.data(), text.size(), MSG_NOSIGNAL));
  }

  static Received parse(const std::string& bytes, size_t head) {
    Received request;
    const size_t space = bytes.find(' ');
    request.target = bytes.substr(space + 1, bytes.find(' ', space + 1) - space - 1);
    for (size_t line = bytes.find("\r\n") + 2; line < head;) {
      const size_t stop = bytes.find("\r\n", line);
      const size_t colon = bytes.find(": ", line);
      std::string name = bytes.substr(line, colon - line);
      for (char& c : name) c = static_cast<char>(std::tolower(c));
      request.headers[name] = bytes.substr(colon + 2, stop - colon - 2);
      line = stop + 2;
    }
    request.body = bytes.substr(head + 4);
    return request;
  }

  int take(Received request) {
    MutexLock lock(mutex_);
    received_.push_back(std::move(request));
    changed_.notify_all();
    int status = 200;
    if (!statuses_.empty()) {
      status = statuses_.front();
      statuses_.pop_front();
    }
    if (status != kHold) return status;
    changed_.wait_for(mutex_, {}, kPatience, [this]() REQUIRES(mutex_) { return released_; });
    return 200;
  }

  const int fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
  uint16_t port_ = 0;
  Mutex mutex_;
  CondVar changed_;
  std::deque<int> statuses_ GUARDED_BY(mutex_);
  std::vector<Received> received_ GUARDED_BY(mutex_);
  bool released_ GUARDED_BY(mutex_) = false;
  std::jthread thread_;
};

// Every wait is over at once, and noted. Its time is what was waited.
class FastClock final : public Clock {
 public:
  // Called at each wait, with how many there were before.
  explicit FastClock(std::function<void(size_t)> on_wait = {}) : on_wait_(std::move(on_wait)) {}

  Mono now() const override {
    MutexLock lock(mutex_);
    return now_;
  }
  WallMs wall_ms() const override {
    MutexLock lock(mutex_);
    return kStartMs + std::chrono::duration_cast<std::chrono::milliseconds>(now_.time_since_epoch()).count();
  }
  bool sleep_until(Mono deadline, std::stop_token stop) override {
    if (stop.stop_requested()) return false;
    size_t before = 0;
    {
      MutexLock lock(mutex_);
      before = waits_.size();
      waits_.push_back(std::chrono::duration_cast<std::chrono::milliseconds>(deadline - now_));
      now_ = deadline;
    }
    if (on_wait_) on_wait_(before);
    return true;
  }
  std::vector<std::chrono::milliseconds> waits() const {
    MutexLock lock(mutex_);
    return waits_;
  }

  static constexpr WallMs kStartMs = 1'700'000'000'000;

 private:
  const std::function<void(size_t)> on_wait_;
  mutable Mutex mutex_;
  Mono now_ GUARDED_BY(mutex_){};
  std::vector<std::chrono::milliseconds> waits_ GUARDED_BY(mutex_);
};

}  // namespace tidemark::http::testing
