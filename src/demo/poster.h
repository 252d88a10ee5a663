// The demo's client: posts earthquakes as CloudEvents over HTTP, in batches, on a thread of its own, each batch again and
// again until it is answered 202, and remembers every event that was: those are the promises that the audit holds the
// rest to.
//
// Made and destroyed by the demo's thread; the rest may be called by any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "demo/data.h"
#include "demo/ledger.h"
#include "demo/net.h"
#include "env/clock.h"
#include "env/random.h"
#include "guard/compare.h"

namespace tidemark::demo {

// What a CloudEvent is known by at both ends, and what stands in for its content: the digest of its JSON with the fields
// in order of their names. kReject for what is no CloudEvent.
Result<guard::Row> event_row(const std::string& json);

class Poster {
 public:
  struct Options {
    int port = 0;
    std::string path;
    int rate = 0;            // events a second, at most
    int64_t events_max = 0;  // no more than so many in all
    uint64_t seed = 0;
  };
  // `quakes` (at least one) and `clock` outlive it. Begins at once.
  Poster(Options options, const std::vector<Quake>& quakes, Clock& clock);
  // Ends once the present batch and one last event are accepted; see finished().
  void request_stop() { thread_.request_stop(); }
  bool finished() const { return finished_.load(); }

  // An event that can't be processed goes with the next batch. Its number among them, from 1.
  int64_t post_poisoned();

  struct Figures {
    int64_t posted = 0;    // different events sent, accepted or not
    int64_t accepted = 0;  // of those, answered 202
    int64_t poisoned = 0;  // of those, the ones that can't be processed
    int64_t refusals = 0;  // answers 503, and requests without an answer
    std::string trouble;   // why the present batch isn't accepted; empty while it goes well
  };
  Figures figures() const EXCLUDES(mutex_);
  // Age of the oldest accepted event when so many have arrived.
  std::chrono::nanoseconds lag(int64_t arrived) EXCLUDES(mutex_);
  // Every accepted event that can be processed.
  std::vector<guard::Row> promises() const EXCLUDES(mutex_);
  // Set when a batch could not be repeated to success: the demo is over.
  std::optional<Error> failure() const EXCLUDES(mutex_);

 private:
  struct Batch {
    std::string body;
    std::vector<guard::Row> rows;  // of the events that can be processed
    int64_t poisoned = 0;
  };

  void run(std::stop_token stop);
  Batch compose(int events);
  std::string next_event();
  bool post_until_accepted(const Batch& batch);
  // Notes why the batch wasn't accepted (a 503 has noted its own reason); false, with failure_ set, when that's the end.
  bool may_try_again(const std::optional<Error>& error, Mono give_up) EXCLUDES(mutex_);
  // How long to wait before the same again; 0 = accepted.
  Result<std::chrono::milliseconds> post_once(const Batch& batch);

  const Options options_;
  const std::vector<Quake>& quakes_;
  Clock& clock_;
  // The thread's own.
  LoopbackHttp http_;
  SeededRandom random_;
  std::vector<size_t> order_;  // of this revision
  size_t next_ = 0;
  int64_t revision_ = 0;
  int64_t poisoned_sent_ = 0;

  std::atomic<int64_t> poisoned_wanted_ = 0;
  std::atomic<bool> finished_ = false;

  mutable Mutex mutex_;
  Figures figures_ GUARDED_BY(mutex_);
  DeliveryLedger ledger_ GUARDED_BY(mutex_);
  std::vector<guard::Row> promises_ GUARDED_BY(mutex_);  // bounded by events_max
  std::optional<Error> failure_ GUARDED_BY(mutex_);
  std::jthread thread_;
};

}  // namespace tidemark::demo
