#include "env/posix/clock.h"

#include <random>

#include "base/mutex.h"

namespace tidemark {

Mono PosixClock::now() const { return std::chrono::steady_clock::now(); }

WallMs PosixClock::wall_ms() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

bool PosixClock::sleep_until(Mono deadline, std::stop_token stop) {
  Mutex mutex;
  CondVar never;
  MutexLock lock(mutex);
  while (!stop.stop_requested()) {
    const auto left = deadline - now();
    if (left <= left.zero()) return true;
    never.wait_for(mutex, stop, left, [] { return false; });
  }
  return false;
}

uint64_t random_seed() {
  std::random_device device;
  return (static_cast<uint64_t>(device()) << 32) | device();
}

}  // namespace tidemark
