// What the server counts of itself, for /metrics and for the tests. Owned by the Server; any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "base/mutex.h"

namespace tidemark::http {

struct Counters {
  std::atomic<int64_t> started_ms{0};            // when the server began
  std::atomic<int64_t> certificate_until_ms{0};  // when the server's certificate expires; 0 = there is none
  std::atomic<int64_t> connections{0};
  std::atomic<int64_t> websockets{0};
  std::atomic<int64_t> websocket_bytes_queued{0};  // of frames handed to a socket and not yet taken by it
  std::atomic<int64_t> body_bytes{0};              // reserved for the bodies of requests being read
  std::atomic<uint64_t> feed_missed{0};            // events that WebSocket clients were told they missed
  std::atomic<uint64_t> websockets_stalled{0};     // clients cut off because they took nothing
  std::atomic<uint64_t> refused_connections{0};    // above connections_max

  // `route` is one of the router's own names, so that their number is bounded.
  void count_request(std::string_view route, int status) EXCLUDES(mutex) {
    MutexLock lock(mutex);
    ++requests[{std::string(route), status}];
  }
  std::map<std::pair<std::string, int>, uint64_t> requests_by_route() const EXCLUDES(mutex) {
    MutexLock lock(mutex);
    return requests;
  }

  mutable Mutex mutex;
  std::map<std::pair<std::string, int>, uint64_t> requests GUARDED_BY(mutex);
};

// Adds to a counter for as long as it lives. Move-only.
class Held {
 public:
  Held() = default;
  Held(std::atomic<int64_t>& counter, int64_t amount) : counter_(&counter), amount_(amount) {
    counter += amount;
  }
  Held(Held&& other) noexcept : counter_(std::exchange(other.counter_, nullptr)), amount_(other.amount_) {}
  Held& operator=(Held&& other) noexcept {
    if (this != &other) {
      release();
      counter_ = std::exchange(other.counter_, nullptr);
      amount_ = other.amount_;
    }
    return *this;
  }
  ~Held() { release(); }

  void release() {
    if (auto* counter = std::exchange(counter_, nullptr)) *counter -= amount_;
  }

 private:
  std::atomic<int64_t>* counter_ = nullptr;
  int64_t amount_ = 0;
};

}  // namespace tidemark::http
