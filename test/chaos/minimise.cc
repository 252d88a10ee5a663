#include "chaos/minimise.h"

#include <algorithm>

namespace tidemark::chaos {
namespace {

class Minimiser {
 public:
  Minimiser(Schedule schedule, const std::function<bool(const Schedule&)>& fails, int runs_max)
      : smallest_(std::move(schedule)), fails_(fails), runs_left_(runs_max) {}

  Schedule run() {
    bool smaller = true;
    while (smaller && runs_left_ > 0) {
      smaller = drop_faults();
      smaller = drop_relays() || smaller;
      smaller = drop_writes() || smaller;
    }
    return smallest_;
  }

 private:
  bool try_one(Schedule candidate) {
    if (runs_left_ <= 0) return false;
    --runs_left_;
    if (!fails_(candidate)) return false;
    smallest_ = std::move(candidate);
    return true;
  }

  // Halves first, then quarters, down to one at a time.
  bool drop_faults() {
    bool dropped = false;
    for (size_t chunk = std::max<size_t>(1, smallest_.faults.size() / 2);; chunk /= 2) {
      for (size_t from = 0; from < smallest_.faults.size();) {
        Schedule candidate = smallest_;
        const auto begin = candidate.faults.begin() + static_cast<std::ptrdiff_t>(from);
        const size_t count = std::min(chunk, candidate.faults.size() - from);
        candidate.faults.erase(begin, begin + static_cast<std::ptrdiff_t>(count));
        if (try_one(std::move(candidate))) {
          dropped = true;
        } else {
          from += chunk;
        }
      }
      if (chunk <= 1) return dropped;
    }
  }

  bool drop_relays() {
    bool dropped = false;
    for (size_t i = 0; i < smallest_.relays.size() && smallest_.relays.size() > 1;) {
      if (try_one(without_relay(smallest_, i))) {
        dropped = true;
      } else {
        ++i;
      }
    }
    return dropped;
  }

  // What comes after the last fault first, then halves of the whole.
  bool drop_writes() {
    bool dropped = false;
    const int needed = smallest_.faults.empty() ? 1 : smallest_.faults.back().at + 1;
    if (needed + 5 < smallest_.writes) {
      Schedule candidate = smallest_;
      candidate.writes = needed;
      dropped = try_one(std::move(candidate));
    }
    while (smallest_.writes > 4) {
      Schedule candidate = smallest_;
      candidate.writes /= 2;
      for (Fault& fault : candidate.faults) fault.at /= 2;
      if (!try_one(std::move(candidate))) return dropped;
      dropped = true;
    }
    return dropped;
  }

  Schedule smallest_;
  const std::function<bool(const Schedule&)>& fails_;
  int runs_left_;
};

}  // namespace

Schedule without_relay(const Schedule& schedule, size_t index) {
  Schedule rest = schedule;
  rest.relays.erase(rest.relays.begin() + static_cast<std::ptrdiff_t>(index));
  const int dropped = static_cast<int>(index);
  std::erase_if(rest.faults, [dropped](const Fault& fault) {
    return spec_of(fault.kind).target == Target::kRelay && fault.target == dropped;
  });
  for (Fault& fault : rest.faults)
    if (spec_of(fault.kind).target == Target::kRelay && fault.target > dropped) --fault.target;
  return rest;
}

Schedule minimise(const Schedule& schedule, const std::function<bool(const Schedule&)>& fails, int runs_max) {
  return Minimiser(schedule, fails, runs_max).run();
}

}  // namespace tidemark::chaos
