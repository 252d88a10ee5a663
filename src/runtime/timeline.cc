#include "runtime/timeline.h"

#include <algorithm>

namespace tidemark {

void Timeline::add(TimelineEntry entry) {
  MutexLock lock(mutex_);
  entry.seq = ++newest_;
  entry.at_ms = clock_.wall_ms();
  entries_.push_back(std::move(entry));
  if (entries_.size() > kEntriesMax) entries_.pop_front();
}

std::vector<TimelineEntry> Timeline::after(uint64_t seq) const {
  MutexLock lock(mutex_);
  const auto first = std::find_if(entries_.begin(), entries_.end(),
                                  [seq](const TimelineEntry& entry) { return entry.seq > seq; });
  return {first, entries_.end()};
}

}  // namespace tidemark
