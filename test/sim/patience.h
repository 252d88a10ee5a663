// The rule of waiting, told naively: after the nth failure in a row no try before three quarters of min(1 s * 2^n, 30 s), and
// one at the whole of it. Written without a look at core/backoff, so that the two can disagree. One thread.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <vector>

#include "env/clock.h"

namespace tidemark::sim {

class Patience {
 public:
  static constexpr int64_t kFirst_ms = 1000;
  static constexpr int64_t kLongest_ms = 30000;

  void failed(Mono now) {
    int64_t wait_ms = kFirst_ms;
    for (int i = 0; i < failures_ && wait_ms < kLongest_ms; ++i) wait_ms *= 2;
    wait_ms = std::min(wait_ms, kLongest_ms);
    ++failures_;
    earliest_ = now + std::chrono::milliseconds(wait_ms - wait_ms / 4);
    latest_ = now + std::chrono::milliseconds(wait_ms);
  }
  // The wait is over now, for a reason from outside.
  void cut(Mono now) {
    earliest_ = std::min(earliest_.value_or(now), now);
    latest_ = std::min(latest_.value_or(now), now);
  }
  // Both ends of the wait are brought forward, to no earlier than `at`.
  void by(Mono at) {
    earliest_ = std::min(earliest_.value_or(at), at);
    latest_ = std::min(latest_.value_or(at), at);
  }
  void tried() {
    earliest_.reset();
    latest_.reset();
  }
  void succeeded() { failures_ = 0; }

  int failures() const { return failures_; }
  bool waits() const { return latest_.has_value(); }
  // Whether a try is allowed, and whether one is owed.
  bool may_try(Mono now) const { return !earliest_ || *earliest_ <= now; }
  bool must_try(Mono now) const { return !latest_ || *latest_ <= now; }
  std::optional<Mono> latest() const { return latest_; }

 private:
  int failures_ = 0;
  std::optional<Mono> earliest_;
  std::optional<Mono> latest_;
};

// The rule of refused credentials, told as naively: three refusals in a row end what never worked, and what has worked is tried
// until `patience` has passed since the first.
class Refusals {
 public:
  void succeeded() {
    worked_ = true;
    refused_.clear();
  }
  void can_succeed() { worked_ = true; }
  // Whether the pipeline goes on.
  bool refused(Mono now, std::chrono::milliseconds patience) {
    refused_.push_back(now);
    return worked_ ? now < refused_.front() + patience : refused_.size() < 3;
  }
  bool worked() const { return worked_; }
  bool any() const { return !refused_.empty(); }
  // The wait may be cut by this.
  std::optional<Mono> end(std::chrono::milliseconds patience) const {
    if (!worked_ || refused_.empty()) return std::nullopt;
    return refused_.front() + patience;
  }

 private:
  bool worked_ = false;
  std::vector<Mono> refused_;
};

}  // namespace tidemark::sim
