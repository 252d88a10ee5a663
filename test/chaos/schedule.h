// What one trial of the chaos does: how many writes, which relays, and which faults at which write. A schedule follows from
// its seed, has a form of one line that can be given back with --schedule, and is what the minimiser makes smaller. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tidemark::chaos {

enum class SinkType { kSqlite, kPostgres, kFile, kMongodb };

// One kind of relay under test. `log`: one row or line per event, else the documents as they are now.
struct RelayKind {
  const char* name;
  SinkType sink;
  bool log;
  int lanes;
  bool mongodb_position;  // sink `file` with [pipeline.position] type = "mongodb"
  bool transaction;       // sink `mongodb`: transaction = "auto"
  // Rows and position in one transaction: never a row beyond the stored position.
  bool effectively_once() const { return sink != SinkType::kFile && lanes == 1 && transaction; }
  bool leases() const { return sink == SinkType::kMongodb || mongodb_position; }
};

// Every kind, in the order in which seeds take them by turns.
const std::vector<RelayKind>& relay_kinds();
const RelayKind* find_relay_kind(std::string_view name);

enum class FaultKind {
  kStepDown,
  kKillMember,
  kPauseMember,
  kPartition,
  kCutOff,
  kStopReplication,
  kRollback,
  kKillCursors,
  kDelay,
  kTruncateOplog,
  kFailGetMore,
  kFailAggregate,
  kFailStream,
  kCutConnections,
  kKillRelay,
  kStopRelay,
  kCrashRelay,
  kCrashAtCall,
  kPauseRelay,
  kTwinRelay,
  kLockSink,
  kCutSink,
  kFailSink,
  kFailPosition,
  kCrashPostgres,
  kDiskFull,
};

// What `target` of a fault chooses.
enum class Target { kNone, kMember, kRelay, kError };

struct FaultSpec {
  FaultKind kind;
  const char* name;
  Target target;
  int targets;     // how many there are, for kMember and kError
  int amount_min;  // milliseconds that it lasts, unless said otherwise
  int amount_max;
  int weight;  // how often seeds choose it
  bool real;   // a real deployment can have it too
};
const std::vector<FaultSpec>& fault_specs();
const FaultSpec& spec_of(FaultKind kind);

struct Fault {
  int at = 0;  // once the writer has tried so many writes
  FaultKind kind = FaultKind::kStepDown;
  int target = 0;
  int amount = 0;
  bool operator==(const Fault&) const = default;
};

struct Schedule {
  uint64_t seed = 0;  // of the writer and of the relays' configurations
  int writes = 0;
  std::vector<const RelayKind*> relays;
  std::vector<Fault> faults;  // in order of `at`
  bool operator==(const Schedule&) const = default;
};

// What a run can inflict at all.
struct Surroundings {
  bool postgres = true;
  bool disk_full = true;
  bool real = false;  // a real deployment in place of the sandbox
};

Schedule make_schedule(uint64_t seed, const Surroundings& surroundings);

// Whether `kind` means anything to a trial with these relays.
bool applies(FaultKind kind, const Schedule& schedule, const Surroundings& surroundings);

// "seed 12; writes 220; relays sqlite-current,postgres-log; 12 step-down 0 80; 30 kill-relay 1 40"
std::string print(const Schedule& schedule);
// kConfig that names what can't be read.
Result<Schedule> parse_schedule(std::string_view text);

// The error codes of kError, by target: all of them pass by themselves.
const std::vector<int>& passing_errors();

// The places of kCrashRelay, as tidemark-crash names them; its amount is 10 * place + how often it is reached.
const std::vector<std::string>& crash_points();

}  // namespace tidemark::chaos
