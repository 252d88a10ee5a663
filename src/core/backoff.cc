#include "core/backoff.h"

#include <algorithm>

namespace tidemark {

std::chrono::milliseconds Backoff::next(Random& random) {
  // 2^20 times any initial wait is beyond every maximum, so the shift stays in range for ever.
  const int doublings = std::min(attempts_, 20);
  ++attempts_;
  const int64_t full = std::min(limits_.initial.count() << doublings, limits_.max.count());
  const int64_t jitter =
      full / 4 > 0 ? static_cast<int64_t>(random.below(static_cast<uint64_t>(full / 4))) : 0;
  return std::chrono::milliseconds(full - jitter);
}

}  // namespace tidemark
