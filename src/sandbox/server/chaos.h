// A schedule of faults that a seed decides: which one, of which member, when and for how long. One fault at a time, each
// healed before the next, so that a majority always comes back. Owned by main; runs a thread of its own.
#pragma once

#include <thread>

#include "sandbox/server/replica_set.h"

namespace tidemark::sandbox {

struct ChaosOptions {
  uint64_t seed = 1;
  std::chrono::milliseconds calm_min{1'000};  // between the end of one fault and the next
  std::chrono::milliseconds calm_max{5'000};
  std::chrono::milliseconds fault_min{200};  // how long one lasts
  std::chrono::milliseconds fault_max{2'500};
};

class Chaos {
 public:
  // Every fault is told to `on_event`, on the thread of the schedule.
  Chaos(ReplicaSet& set, ChaosOptions options, Clock& clock,
        std::function<void(const std::string&)> on_event);
  // Heals what is broken and ends.
  ~Chaos() = default;

 private:
  void run(std::stop_token stop);
  void inflict(std::stop_token stop);
  std::chrono::milliseconds between(std::chrono::milliseconds low, std::chrono::milliseconds high);
  void hold(std::stop_token stop);

  ReplicaSet& set_;
  const ChaosOptions options_;
  Clock& clock_;
  SeededRandom random_;
  const std::function<void(const std::string&)> on_event_;
  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace tidemark::sandbox
