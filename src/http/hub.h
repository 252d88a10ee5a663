// What every WebSocket client is told alike: status, stats and timeline, asked of the Backend and rendered once for all.
// Owned by the Server; any thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "env/clock.h"
#include "http/backend.h"

namespace tidemark::http {

using Text = std::shared_ptr<const std::string>;

// A rendering and its number; a session sends the newest when its number is above the one it sent last.
struct Bulletin {
  uint64_t version = 0;  // 0 = none yet
  Text text;
};

class Hub {
 public:
  static constexpr size_t kTimelineMax = 500;
  static constexpr size_t kTimelineAtConnect = 200;

  Hub(Backend& backend, Clock& clock) : backend_(backend), clock_(clock) {}

  // Looks at the Backend. Called by one timer while there are sessions, and before the first one's start.
  void look() EXCLUDES(mutex_);

  Bulletin status() const EXCLUDES(mutex_);
  Bulletin stats() const EXCLUDES(mutex_);
  double stats_interval_s() const EXCLUDES(mutex_);
  // Where a new client begins.
  uint64_t timeline_start() const EXCLUDES(mutex_);
  // The entries after `seen`, which is moved on. Entries that are gone are skipped without a word: the timeline is a
  // view of the newest, and /api/timeline has no more of them.
  std::vector<Text> timeline_after(uint64_t& seen) const EXCLUDES(mutex_);

 private:
  struct Entry {
    uint64_t seq = 0;
    Text text;
  };
  void take_timeline(const std::vector<TimelineEntry>& entries) REQUIRES(mutex_);

  Backend& backend_;
  Clock& clock_;
  Mutex looking_;  // held around a whole look, so that two don't number each other's entries
  mutable Mutex mutex_;
  Bulletin status_ GUARDED_BY(mutex_);
  Mono status_at_ GUARDED_BY(mutex_){};
  Bulletin stats_ GUARDED_BY(mutex_);
  StatsView last_stats_ GUARDED_BY(mutex_);
  std::deque<Entry> timeline_ GUARDED_BY(mutex_);
  uint64_t timeline_seq_ GUARDED_BY(mutex_) = 0;
};

}  // namespace tidemark::http
