// One schedule: a process with one pipeline or with several of all kinds, killed, stopped and started again as a seed says;
// then the faults end, and everything owed has to arrive. Deterministic: the same seed and faults give the same steps. One
// thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/pipeline.h"

namespace tidemark::sim {

struct Schedule {
  uint64_t seed = 0;
  uint64_t faults = kAllFaults;   // those that may happen, of those that the seed chooses
  std::optional<int> steps = {};  // with faults; the seed's own number when absent
  bool traced = false;
  // This operation of the disk, counted from the start of the first life, goes wrong.
  std::optional<uint64_t> disk_operation = {};
  Disk::Damage disk_damage = Disk::Damage::kRetry;
  Disk::Lie disk_lie = Disk::Lie::kNone;
};

struct Report {
  uint64_t steps = 0;  // inputs that cores were given, every rule checked after each
  uint64_t disk_operations = 0;
  bool disk_fault_hit = false;
  Marks marks;
  std::optional<Verdict::Violation> violation;
  std::string shape;               // what the seed made
  std::vector<std::string> trace;  // the last steps
};

Report run_schedule(const Schedule& schedule);

// Leaves out what the violation does without, and runs what is left once more with its last steps in words.
struct Minimal {
  Schedule schedule;
  Report report;
};
Minimal minimise(const Schedule& schedule);
// The whole story for people, with the way to run it again.
std::string describe(const Schedule& schedule, const Minimal& minimal);

}  // namespace tidemark::sim
