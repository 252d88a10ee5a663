// The demo's writer: inserts, updates and deletes earthquakes on a thread of its own, each write repeated
// until the majority acknowledged it, and remembers when each was, so that a stored position can be turned
// into "so many changes delivered, the oldest one waiting for so long".
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "cli/demo_data.h"
#include "cli/demo_server.h"
#include "env/clock.h"
#include "env/random.h"

namespace tidemark::cli {

// Acknowledged changes against a position. Pure; one thread.
class DeliveryLedger {
 public:
  struct Progress {
    int64_t written = 0;
    int64_t delivered = 0;
    std::chrono::nanoseconds lag{0};  // age of the oldest change not delivered; 0 when there is none
  };

  // `count` changes were acknowledged, the last of them at `time` of the oplog. Times never go back.
  void acknowledged(bson::Timestamp time, int64_t count, Mono now);
  Progress progress(bson::Timestamp position, Mono now);

  int64_t written() const { return written_; }
  bson::Timestamp last() const { return last_; }

 private:
  struct Mark {
    bson::Timestamp time;
    int64_t written = 0;  // including these
    Mono at;
  };
  std::deque<Mark> waiting_;  // bounded: beyond kMarksMax marks run together, which rounds lag up
  int64_t written_ = 0;
  int64_t delivered_ = 0;
  bson::Timestamp last_;
};

class DemoWriter {
 public:
  // `quakes` and `clock` outlive it. `rate` changes a second at most.
  DemoWriter(DemoServer server, const std::vector<Quake>& quakes, int rate, uint64_t seed, Clock& clock);
  // Ends after the present batch and one last write, which marks the end of the stream; see finished().
  void request_stop() { thread_.request_stop(); }
  bool finished() const { return finished_.load(); }

  DeliveryLedger::Progress progress(bson::Timestamp position) EXCLUDES(mutex_);
  int64_t written() const EXCLUDES(mutex_);
  // The oplog time of the last acknowledged change.
  bson::Timestamp last_write() const EXCLUDES(mutex_);
  // The error that writes meet at present; empty while they go well.
  std::string trouble() const EXCLUDES(mutex_);
  // Set when a write could not be repeated to success: the demo is over.
  std::optional<Error> failure() const EXCLUDES(mutex_);

 private:
  enum class Kind { kInsert, kUpdate, kDelete };
  struct Batch {
    std::vector<size_t> inserts, updates, deletes;  // indexes of quakes, all different
  };

  void run(std::stop_token stop);
  Batch compose(int changes);
  bool write(const Batch& batch);
  bool write_until_acknowledged(const bson::Document& command, size_t changes);
  Result<bson::Timestamp> write_once(const bson::Document& command);
  bson::Document insert_command(const std::vector<size_t>& chosen) const;
  bson::Document update_command(const std::vector<size_t>& chosen);
  bson::Document delete_command(const std::vector<size_t>& chosen) const;

  DemoServer server_;
  const std::vector<Quake>& quakes_;
  const int rate_;
  SeededRandom random_;
  Clock& clock_;
  std::vector<bool> alive_;  // which quakes stand in the collection; the thread's own
  int64_t revision_ = 0;

  std::atomic<bool> finished_ = false;

  mutable Mutex mutex_;
  DeliveryLedger ledger_ GUARDED_BY(mutex_);
  std::string trouble_ GUARDED_BY(mutex_);
  std::optional<Error> failure_ GUARDED_BY(mutex_);
  std::jthread thread_;
};

}  // namespace tidemark::cli
