// A clock that stands until the test moves it. Thread-safe.
#pragma once

#include <chrono>
#include <stop_token>

#include "base/mutex.h"
#include "env/clock.h"

namespace tidemark::testing {

class ManualClock final : public Clock {
 public:
  Mono now() const override EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return now_;
  }
  WallMs wall_ms() const override EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return kStartMs + std::chrono::duration_cast<std::chrono::milliseconds>(now_.time_since_epoch()).count();
  }
  bool sleep_until(Mono deadline, std::stop_token stop) override EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return moved_.wait(mutex_, std::move(stop), [&]() REQUIRES(mutex_) { return now_ >= deadline; });
  }

  void advance(std::chrono::nanoseconds by) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    now_ += by;
    moved_.notify_all();
  }

  static constexpr WallMs kStartMs = 1'700'000'000'000;

 private:
  mutable Mutex mutex_;
  CondVar moved_;
  Mono now_ GUARDED_BY(mutex_){};
};

}  // namespace tidemark::testing
