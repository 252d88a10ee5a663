// What the demo knows of both ends, from outside the relay: two threads, one counts the source, the other counts
// the destination and reads the stored position; and the comparison of every document at the end.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "cli/demo_faults.h"
#include "cli/demo_server.h"
#include "cli/demo_view.h"
#include "cli/demo_writer.h"
#include "core/position.h"
#include "env/clock.h"
#include "guard/compare.h"

namespace tidemark::cli {

// The relay's SQLite file, read only. One thread.
class DemoDestination {
 public:
  DemoDestination(std::string path, Clock& clock) : path_(std::move(path)), clock_(clock) {}

  Result<int64_t> count() const;
  Result<std::optional<StoredPosition>> position() const;
  Result<std::vector<guard::Row>> rows() const;

 private:
  const std::string path_;
  Clock& clock_;
};

// Events per second out of a growing total, looked at now and then. Pure; one thread.
class RateMeter {
 public:
  void add(int64_t total, Mono now);
  // Over the last two seconds.
  double per_second() const;
  // One value for each whole second, oldest first.
  const std::vector<double>& by_second() const { return by_second_; }

 private:
  struct Sample {
    Mono at;
    int64_t total = 0;
  };
  std::deque<Sample> recent_;
  std::optional<Sample> second_;
  std::vector<double> by_second_;
};

class DemoWatch {
 public:
  // `writer`, `faults` (null without faults) and `clock` outlive it.
  DemoWatch(DemoServer server, std::string database_path, DemoWriter& writer, DemoFaults* faults,
            Clock& clock);
  ~DemoWatch();

  // Fills the figures of both ends into the snapshot.
  void fill(DemoSnapshot& snapshot) const EXCLUDES(mutex_);
  // True once the stored position has passed the last change written.
  bool drained() const;

 private:
  void run(std::stop_token stop, void (DemoWatch::*look)());
  void look_at_source();
  void look_at_destination();

  DemoServer server_;
  DemoDestination destination_;
  DemoWriter& writer_;
  DemoFaults* faults_;
  Clock& clock_;

  mutable Mutex mutex_;
  std::optional<int64_t> source_count_ GUARDED_BY(mutex_);
  std::optional<int64_t> destination_count_ GUARDED_BY(mutex_);
  DeliveryLedger::Progress progress_ GUARDED_BY(mutex_);
  bson::Timestamp position_time_ GUARDED_BY(mutex_);
  std::optional<WallMs> position_saved_at_ GUARDED_BY(mutex_);
  RateMeter rate_ GUARDED_BY(mutex_);
  // One each: an election keeps the source from answering, and must not hide what the destination does meanwhile.
  std::jthread source_thread_;
  std::jthread destination_thread_;
};

// Compares every document at both ends; nothing may be written meanwhile.
Result<guard::Comparison> audit_demo(DemoServer& server, const DemoDestination& destination);

}  // namespace tidemark::cli
