// The machine's clocks, and its source of random seeds. Stateless; any thread.
#pragma once

#include "env/clock.h"

namespace tidemark {

class PosixClock final : public Clock {
 public:
  Mono now() const override;
  WallMs wall_ms() const override;
  bool sleep_until(Mono deadline, std::stop_token stop) override;
};

// A seed that differs from run to run.
uint64_t random_seed();

}  // namespace tidemark
