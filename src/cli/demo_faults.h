// The demo's faults, on a thread of their own: every few seconds one of five kinds, chosen by a seed. Each is
// remembered with the number of changes written by then; it counts as survived once a change written after it
// was delivered.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "cli/demo_server.h"
#include "cli/demo_view.h"
#include "cli/demo_world.h"
#include "cli/demo_writer.h"
#include "env/clock.h"
#include "env/random.h"

namespace tidemark::cli {

// Which faults were inflicted and which survived. Pure; one thread.
class FaultLedger {
 public:
  // `written` changes were acknowledged when the fault had struck.
  void inflicted(FaultKind kind, std::chrono::milliseconds at, std::string detail, int64_t written);
  void delivered(int64_t changes, std::chrono::milliseconds now);

  const std::array<int, kFaultKinds>& inflicted_counts() const { return inflicted_; }
  const std::array<int, kFaultKinds>& survived_counts() const { return survived_; }
  std::vector<FaultRecord> newest_first(size_t max) const;
  size_t waiting() const;

 private:
  struct Entry {
    FaultRecord record;
    int64_t written = 0;
  };
  std::vector<Entry> entries_;  // one every few seconds
  std::array<int, kFaultKinds> inflicted_{};
  std::array<int, kFaultKinds> survived_{};
};

class DemoFaults {
 public:
  // Everything it is given outlives it. `started` is the demo's start. Begins at once, with a pause.
  DemoFaults(DemoServer server, DemoWorld& world, DemoWriter& writer, uint64_t seed, Mono started,
             Clock& clock);
  // Also ends the relay it may have started: stop that first.
  ~DemoFaults();

  // No more faults; healed() once every member and the relay run again.
  void request_heal() { quiet_.request_stop(); }
  bool healed() const { return healed_.load(); }

  void delivered(int64_t changes) EXCLUDES(mutex_);
  FaultLedger ledger() const EXCLUDES(mutex_);
  // What the deployment is up to: "primary is member 1".
  std::string deployment() const EXCLUDES(mutex_);
  std::optional<Error> failure() const EXCLUDES(mutex_);

 private:
  void run(std::stop_token end);
  void inflict(FaultKind kind);
  void record(FaultKind kind, Mono at, std::string detail) EXCLUDES(mutex_);
  Status step_down(int primary);
  Status kill_primary(int primary);
  Status kill_cursors();
  Status close_connection();
  Status kill_relay();
  Status control(const char* action, int member);
  // The member that is primary, by its place in the URI; empty while there is none.
  std::optional<int> find_primary();
  void note_deployment(std::string text) EXCLUDES(mutex_);
  void restart_what_is_down();

  DemoServer server_;
  DemoWorld& world_;
  DemoWriter& writer_;
  SeededRandom random_;
  const Mono started_;
  Clock& clock_;
  std::vector<std::string> hosts_;
  std::optional<int> down_;  // a killed member, the thread's own
  std::stop_source quiet_;   // no more faults
  Mono strike_;              // when the present fault began

  std::atomic<bool> healed_ = false;

  mutable Mutex mutex_;
  FaultLedger ledger_ GUARDED_BY(mutex_);
  std::string deployment_ GUARDED_BY(mutex_) = "starting";
  std::optional<Error> failure_ GUARDED_BY(mutex_);
  std::jthread thread_;
};

}  // namespace tidemark::cli
