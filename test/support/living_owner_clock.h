// A clock for tests of leases: the first owner lives, so whenever somebody waits for its lease, it has renewed it.
#pragma once

#include <functional>
#include <stop_token>
#include <utility>

#include "env/posix/clock.h"

namespace tidemark::testing {

class LivingOwnerClock final : public Clock {
 public:
  explicit LivingOwnerClock(std::function<void()> renew) : renew_(std::move(renew)) {}
  Mono now() const override { return clock_.now(); }
  WallMs wall_ms() const override { return clock_.wall_ms(); }
  // Passes no time.
  bool sleep_until(Mono, std::stop_token stop) override {
    renew_();
    return !stop.stop_requested();
  }

 private:
  PosixClock clock_;
  std::function<void()> renew_;
};

}  // namespace tidemark::testing
