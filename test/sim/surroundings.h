// What all pipelines of one simulated process share: time, the disk, the seed's decisions, and what was found. Owned by the
// Process; one thread.
#pragma once

#include <deque>
#include <string>
#include <utility>

#include "env/clock.h"
#include "sim/choices.h"
#include "sim/disk.h"
#include "sim/marks.h"
#include "sim/verdict.h"

namespace tidemark::sim {

class SimClock final : public Clock {
 public:
  static constexpr WallMs kStart_ms = 1'700'000'000'000;

  Mono now() const override { return now_; }
  WallMs wall_ms() const override {
    return kStart_ms + std::chrono::duration_cast<std::chrono::milliseconds>(now_.time_since_epoch()).count();
  }
  bool sleep_until(Mono deadline, std::stop_token) override {
    if (now_ < deadline) now_ = deadline;
    return true;
  }
  void advance(Mono::duration by) { now_ += by; }

 private:
  Mono now_{};
};

// The last steps of a schedule, in words. Off unless somebody will read it, because words cost more than steps.
class Trace {
 public:
  static constexpr size_t kLinesMax = 60;

  explicit Trace(bool on) : on_(on) {}
  // `words` is a function, called only when the trace is on.
  template <class Words>
  void add(Words words) {
    if (!on_) return;
    lines_.emplace_back() = words();
    if (lines_.size() > kLinesMax) lines_.pop_front();
  }
  const std::deque<std::string>& lines() const { return lines_; }

 private:
  const bool on_;
  std::deque<std::string> lines_;
};

struct Surroundings {
  Surroundings(uint64_t seed, uint64_t faults, bool traced)
      : choices(seed, faults), disk(seed + 1), trace(traced) {}

  Choices choices;
  Disk disk;
  SimClock clock;
  Verdict verdict;
  Marks marks;
  Trace trace;
  uint64_t steps = 0;  // of all cores: each was given an input, and every rule was checked after it
};

}  // namespace tidemark::sim
