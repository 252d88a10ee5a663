// Waiting with patience: 1 s doubling to 30 s, each wait shortened by a random part of up to a quarter, so
// that many pipelines don't come back in step. Pure; one thread.
#pragma once

#include <chrono>

#include "env/random.h"

namespace tidemark {

class Backoff {
 public:
  struct Limits {
    std::chrono::milliseconds initial{1000};
    std::chrono::milliseconds max{30000};
  };

  explicit Backoff(Limits limits) : limits_(limits) {}

  // The next wait: in (3/4 d, d] for d = initial, 2 initial, 4 initial ... max.
  std::chrono::milliseconds next(Random& random);

  // Called when something succeeded: an event was delivered or a high-water mark moved. Never on a mere open,
  // because a stream that opens and dies at once would then be retried without pause for ever.
  void reset() { attempts_ = 0; }

  // Waits taken since the last reset.
  int attempts() const { return attempts_; }

 private:
  Limits limits_;
  int attempts_ = 0;
};

}  // namespace tidemark
