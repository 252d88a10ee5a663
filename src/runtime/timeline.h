// What happened to the pipelines, newest last: elections, cursors that died, resumes, back-offs, ends. Bounded; the oldest
// go first. Thread-safe.
#pragma once

#include <deque>
#include <vector>

#include "base/mutex.h"
#include "env/clock.h"
#include "runtime/status.h"

namespace tidemark {

class Timeline {
 public:
  static constexpr size_t kEntriesMax = 500;

  explicit Timeline(Clock& clock) : clock_(clock) {}

  // Numbers the entry and gives it the present time.
  void add(TimelineEntry entry) EXCLUDES(mutex_);
  // The entries after `seq`, oldest first.
  std::vector<TimelineEntry> after(uint64_t seq) const EXCLUDES(mutex_);

 private:
  Clock& clock_;
  mutable Mutex mutex_;
  std::deque<TimelineEntry> entries_ GUARDED_BY(mutex_);
  uint64_t newest_ GUARDED_BY(mutex_) = 0;
};

}  // namespace tidemark
