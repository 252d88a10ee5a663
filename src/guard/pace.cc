#include "guard/pace.h"

#include <algorithm>

namespace tidemark::guard {

Status Pace::spent(uint64_t documents, std::stop_token stop) {
  if (stop.stop_requested()) return fail(React::kCancelled, "the audit was stopped");
  if (per_second_ <= 0) return {};
  const Mono now = clock_.now();
  // Time in which nothing was asked for isn't saved up: a limit that allows bursts protects nobody.
  if (!begun_ || free_at_ < now) free_at_ = now;
  begun_ = true;
  free_at_ +=
      std::chrono::nanoseconds(static_cast<int64_t>(static_cast<double>(documents) / per_second_ * 1e9));
  if (!clock_.sleep_until(free_at_, std::move(stop))) return fail(React::kCancelled, "the audit was stopped");
  return {};
}

size_t Pace::page(size_t documents_max) const {
  if (per_second_ <= 0) return documents_max;
  return static_cast<size_t>(std::clamp(per_second_, 1.0, static_cast<double>(documents_max)));
}

Status sleep_for(Clock& clock, std::chrono::milliseconds time, std::stop_token stop) {
  if (!clock.sleep_until(clock.now() + time, std::move(stop)))
    return fail(React::kCancelled, "the audit was stopped");
  return {};
}

}  // namespace tidemark::guard
