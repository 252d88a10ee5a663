// The demo's faults, on a thread of their own: every few seconds one of eight kinds, chosen by a seed, and in between those
// that somebody orders with a button of the page. Each is remembered with the number of events posted by then; it counts
// as survived once an event posted after it stands at the end of the line.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "demo/ledger.h"
#include "demo/poster.h"
#include "demo/server.h"
#include "demo/world.h"
#include "env/clock.h"
#include "env/random.h"

namespace tidemark::demo {

// What is ordered by hand and not yet inflicted. Thread-safe.
class FaultOrders {
 public:
  // kReject for a name that is no fault's, kRetry while too many wait or the demo is ending.
  Status order(const std::string& button) EXCLUDES(mutex_);
  // The next one; empty at the deadline and once `stop` is requested.
  std::optional<FaultKind> next(Mono deadline, const Clock& clock, std::stop_token stop) EXCLUDES(mutex_);
  void close() EXCLUDES(mutex_);

 private:
  Mutex mutex_;
  CondVar changed_;
  std::deque<FaultKind> waiting_ GUARDED_BY(mutex_);
  bool closed_ GUARDED_BY(mutex_) = false;
};

class Faults {
 public:
  struct Options {
    uint64_t seed = 0;
    Mono started;           // the demo's start
    bool scheduled = true;  // false: only those that are ordered
    // Told of each fault in a sentence, on the thread of the faults.
    std::function<void(const std::string&)> tell;
  };
  // Everything it is given outlives it. Begins at once, with a pause.
  Faults(Server server, World& world, Poster& poster, FaultOrders& orders, Options options, Clock& clock);
  // Also ends what this thread may have started, the worker and the broker: stop those first.
  ~Faults();

  // No more faults; healed() once every member, the broker and the worker run again.
  void request_heal();
  bool healed() const { return healed_.load(); }

  // How many events stand at the end of the line, and how many the page's feed has shown: see FaultLedger.
  void delivered(int64_t events) EXCLUDES(mutex_);
  void shown(int64_t events) EXCLUDES(mutex_);
  FaultLedger ledger() const EXCLUDES(mutex_);
  // What the deployment is up to: "primary is member 1".
  std::string deployment() const EXCLUDES(mutex_);
  std::optional<Error> failure() const EXCLUDES(mutex_);

 private:
  void run(std::stop_token end);
  std::optional<FaultKind> next_fault();
  std::chrono::milliseconds elapsed() const;
  Status inflict(FaultKind kind);
  Status inflict_on_primary(FaultKind kind);
  void record(FaultKind kind, Mono at, std::string detail) EXCLUDES(mutex_);
  Status step_down(int primary);
  Status kill_primary(int primary);
  Status kill_cursors();
  Status silence_feed();
  Status close_connection();
  Status kill_worker();
  Status restart_broker();
  void post_poisoned();
  Status control(const char* action, int member);
  // The member that is primary, by its place in the URI; empty while there is none.
  std::optional<int> find_primary();
  void note_deployment(std::string text) EXCLUDES(mutex_);
  void give_up(Error error) EXCLUDES(mutex_);
  void restart_what_is_down();

  Server server_;
  World& world_;
  Poster& poster_;
  FaultOrders& orders_;
  const Options options_;
  SeededRandom random_;
  Clock& clock_;
  std::vector<std::string> hosts_;
  std::vector<FaultKind> round_;  // kinds still to come in this round, the thread's own
  std::optional<int> down_;       // a killed member, the thread's own
  std::stop_source quiet_;        // no more faults
  Mono strike_;                   // when the present fault began

  std::atomic<bool> healed_ = false;

  mutable Mutex mutex_;
  FaultLedger ledger_ GUARDED_BY(mutex_);
  int64_t shown_ GUARDED_BY(mutex_) = 0;
  std::string deployment_ GUARDED_BY(mutex_) = "starting";
  std::optional<Error> failure_ GUARDED_BY(mutex_);
  std::jthread thread_;
};

}  // namespace tidemark::demo
