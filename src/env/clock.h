// Time, as the program is given it. Nothing reads a clock of the system's own but env/posix (tools/tidy
// refuses it), so that a test or the simulator decides what time it is.
#pragma once

#include <chrono>
#include <cstdint>
#include <stop_token>

namespace tidemark {

// A point on a clock that never goes back; its zero means nothing.
using Mono = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;
// Civil time, milliseconds since 1970-01-01T00:00:00Z. It may jump, so it is shown and stored, never waited
// on.
using WallMs = int64_t;

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Mono now() const = 0;
  virtual WallMs wall_ms() const = 0;
  // Returns at `deadline` (true) or as soon as `stop` is requested (false).
  virtual bool sleep_until(Mono deadline, std::stop_token stop) = 0;
};

}  // namespace tidemark
