// Holds reading back to so many documents a second, and tries again what may pass. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <stop_token>
#include <string>

#include "base/result.h"
#include "env/clock.h"

namespace tidemark::guard {

class Pace {
 public:
  // `per_second` 0: no limit.
  Pace(Clock& clock, double per_second) : clock_(clock), per_second_(per_second) {}

  // Counts what was just read, and waits as long as it should have taken. kCancelled on a stop.
  Status spent(uint64_t documents, std::stop_token stop);

  // A page's size such that none takes longer than about a second.
  size_t page(size_t documents_max) const;

 private:
  Clock& clock_;
  const double per_second_;
  bool begun_ = false;
  Mono free_at_{};  // when all that was read so far is paid for
};

// kCancelled, with the name of what was interrupted.
Status sleep_for(Clock& clock, std::chrono::milliseconds time, std::stop_token stop);

inline constexpr int kTriesMax = 5;

// Runs `act` until it succeeds, fails for good or has failed kTriesMax times: after 1 s, 2 s, 4 s and 8 s, each time
// with `again` before it.
template <class Act, class Again>
auto with_tries(Clock& clock, const std::stop_token& stop, Act act, Again again) -> decltype(act()) {
  for (int i = 1;; ++i) {
    auto result = act();
    if (result || result.error().react != React::kRetry || i == kTriesMax) return result;
    TIDEMARK_TRY(sleep_for(clock, std::chrono::seconds(1 << (i - 1)), stop));
    if (Status ready = again(); !ready && ready.error().react != React::kRetry)
      return fail(std::move(ready).error());
  }
}

}  // namespace tidemark::guard
