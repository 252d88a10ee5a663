#include "chaos/schedule.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "env/random.h"

namespace tidemark::chaos {
namespace {

constexpr int kWritesMin = 90, kWritesMax = 220;
constexpr int kFaultsMin = 3, kFaultsMax = 8;
constexpr size_t kPartsMax = 200;

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t end = text.find(separator);
    std::string_view part = text.substr(0, end);
    while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
    while (!part.empty() && part.back() == ' ') part.remove_suffix(1);
    if (!part.empty()) parts.push_back(part);
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

template <class Number>
bool read_number(std::string_view text, Number& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

tl::unexpected<Error> unreadable(std::string_view part, const std::string& why) {
  return fail(React::kConfig, fmt::format("schedule: \"{}\": {}", part, why),
              "give back a line that tidemark-chaos has printed, in quotes");
}

std::string names_of_relays() {
  std::string names;
  for (const RelayKind& kind : relay_kinds()) names += (names.empty() ? "" : ", ") + std::string(kind.name);
  return names;
}

Status read_relays(std::string_view list, Schedule& schedule) {
  for (const std::string_view name : split(list, ',')) {
    const RelayKind* kind = find_relay_kind(name);
    if (kind == nullptr) return unreadable(name, "no such relay; there are " + names_of_relays());
    schedule.relays.push_back(kind);
  }
  return {};
}

Status read_fault(std::string_view part, Schedule& schedule) {
  const auto words = split(part, ' ');
  Fault fault;
  if (words.size() != 4 || !read_number(words[0], fault.at) || !read_number(words[2], fault.target) ||
      !read_number(words[3], fault.amount))
    return unreadable(part, "a fault is AT NAME TARGET AMOUNT");
  const auto& specs = fault_specs();
  const auto spec =
      std::find_if(specs.begin(), specs.end(), [&](const FaultSpec& s) { return s.name == words[1]; });
  if (spec == specs.end()) return unreadable(part, "no such fault");
  if (fault.at < 0 || fault.target < 0 || fault.amount < 0 || fault.amount > 10'000)
    return unreadable(part, "a number is out of its range");
  fault.kind = spec->kind;
  schedule.faults.push_back(fault);
  return {};
}

Status check(const Schedule& schedule) {
  if (schedule.writes <= 0 || schedule.writes > 1'000'000) return unreadable("writes", "from 1 to 1000000");
  if (schedule.relays.empty() || schedule.relays.size() > 16)
    return unreadable("relays", "from 1 to 16 of them");
  for (const Fault& fault : schedule.faults) {
    const FaultSpec& spec = spec_of(fault.kind);
    const int targets =
        spec.target == Target::kRelay ? static_cast<int>(schedule.relays.size()) : spec.targets;
    if (spec.target != Target::kNone && fault.target >= targets)
      return unreadable(spec.name, "its target is one of " + std::to_string(targets));
  }
  return {};
}

// The kind whose turn it is, and one or two others.
std::vector<const RelayKind*> choose_relays(uint64_t seed, Random& random, const Surroundings& surroundings) {
  std::vector<const RelayKind*> usable;
  for (const RelayKind& kind : relay_kinds())
    if (surroundings.postgres || kind.sink != SinkType::kPostgres) usable.push_back(&kind);
  std::vector<const RelayKind*> chosen = {usable[seed % usable.size()]};
  const size_t wanted = 2 + random.below(2);
  while (chosen.size() < wanted) {
    const RelayKind* kind = usable[random.below(usable.size())];
    if (std::find(chosen.begin(), chosen.end(), kind) == chosen.end()) chosen.push_back(kind);
  }
  return chosen;
}

Fault make_fault(Random& random, const Schedule& schedule, const Surroundings& surroundings) {
  int total = 0;
  for (const FaultSpec& spec : fault_specs())
    if (applies(spec.kind, schedule, surroundings)) total += spec.weight;
  int ticket = static_cast<int>(random.below(static_cast<uint64_t>(total)));
  for (const FaultSpec& spec : fault_specs()) {
    if (!applies(spec.kind, schedule, surroundings)) continue;
    if ((ticket -= spec.weight) >= 0) continue;
    Fault fault;
    fault.kind = spec.kind;
    // Not before the first writes: there would be nothing to lose.
    fault.at = static_cast<int>(5 + random.below(static_cast<uint64_t>(schedule.writes - 10)));
    const size_t targets = spec.target == Target::kRelay  ? schedule.relays.size()
                           : spec.target == Target::kNone ? 1
                                                          : static_cast<size_t>(spec.targets);
    fault.target = static_cast<int>(random.below(targets));
    fault.amount =
        spec.amount_min +
        static_cast<int>(random.below(static_cast<uint64_t>(spec.amount_max - spec.amount_min + 1)));
    if (fault.kind == FaultKind::kCrashRelay)
      fault.amount = static_cast<int>(random.below(crash_points().size()) * 10 + 1 + random.below(4));
    return fault;
  }
  return {};
}

}  // namespace

const std::vector<RelayKind>& relay_kinds() {
  using enum SinkType;
  static const std::vector<RelayKind> kinds = {
      {"sqlite-current", kSqlite, false, 1, false, true},
      {"postgres-log", kPostgres, true, 1, false, true},
      {"mongodb-current", kMongodb, false, 1, false, true},
      {"sqlite-log", kSqlite, true, 1, false, true},
      {"postgres-current", kPostgres, false, 1, false, true},
      {"file", kFile, true, 1, false, true},
      {"sqlite-log-lanes", kSqlite, true, 3, false, true},
      {"postgres-current-lanes", kPostgres, false, 3, false, true},
      {"mongodb-current-lanes", kMongodb, false, 3, false, true},
      {"file-mongodb-position", kFile, true, 1, true, true},
      {"sqlite-current-lanes", kSqlite, false, 2, false, true},
      {"postgres-log-lanes", kPostgres, true, 4, false, true},
      {"mongodb-current-plain", kMongodb, false, 1, false, false},
  };
  return kinds;
}

const RelayKind* find_relay_kind(std::string_view name) {
  for (const RelayKind& kind : relay_kinds())
    if (kind.name == name) return &kind;
  return nullptr;
}

const std::vector<FaultSpec>& fault_specs() {
  using enum FaultKind;
  const int errors = static_cast<int>(passing_errors().size());
  static const std::vector<FaultSpec> specs = {
      {kStepDown, "step-down", Target::kNone, 1, 1, 1, 6, true},
      {kKillMember, "kill-member", Target::kMember, 2, 20, 200, 6, true},
      {kPauseMember, "pause-member", Target::kMember, 2, 20, 150, 3, false},
      {kPartition, "partition", Target::kMember, 2, 20, 200, 4, false},
      {kCutOff, "cut-off", Target::kMember, 2, 20, 150, 3, false},
      {kStopReplication, "stop-replication", Target::kNone, 1, 20, 150, 3, false},
      {kRollback, "rollback", Target::kNone, 1, 1, 8, 5, false},  // amount: unreplicated writes
      {kKillCursors, "kill-cursors", Target::kMember, 2, 1, 1, 5, false},
      {kDelay, "delay", Target::kNone, 1, 20, 150, 2, false},
      {kTruncateOplog, "truncate-oplog", Target::kNone, 1, 1, 1, 6, false},
      {kFailGetMore, "fail-getmore", Target::kError, errors, 10, 120, 4, true},
      {kFailAggregate, "fail-aggregate", Target::kError, errors, 10, 120, 4, true},
      {kFailStream, "fail-stream", Target::kError, errors, 1, 5, 4, false},  // amount: getMores
      {kCutConnections, "cut-connections", Target::kNone, 1, 10, 120, 4, true},
      {kKillRelay, "kill-relay", Target::kRelay, 0, 1, 150, 12, true},
      {kStopRelay, "stop-relay", Target::kRelay, 0, 1, 150, 5, true},
      {kCrashRelay, "crash-relay", Target::kRelay, 0, 1, 99, 8, true},       // amount: see crash_points()
      {kCrashAtCall, "crash-at-call", Target::kRelay, 0, 1, 300, 16, true},  // amount: the call
      {kPauseRelay, "pause-relay", Target::kRelay, 0, 20, 200, 3, true},
      {kTwinRelay, "twin-relay", Target::kRelay, 0, 50, 250, 3, true},
      {kLockSink, "lock-sink", Target::kRelay, 0, 30, 250, 5, true},
      {kCutSink, "cut-sink", Target::kRelay, 0, 10, 100, 6, true},
      {kFailSink, "fail-sink", Target::kRelay, 0, 10, 120, 4, true},
      {kFailPosition, "fail-position", Target::kRelay, 0, 20, 150, 4, true},
      {kCrashPostgres, "crash-postgres", Target::kNone, 1, 10, 100, 4, true},
      {kDiskFull, "disk-full", Target::kNone, 1, 30, 200, 4, true},
  };
  return specs;
}

const FaultSpec& spec_of(FaultKind kind) { return fault_specs()[static_cast<size_t>(kind)]; }

const std::vector<int>& passing_errors() {
  static const std::vector<int> codes = {6,     7,     43,    50,    63,    89,    91,   133,
                                         134,   150,   189,   202,   234,   237,   262,  9001,
                                         10107, 11600, 11601, 11602, 13388, 13435, 13436};
  return codes;
}

const std::vector<std::string>& crash_points() {
  static const std::vector<std::string> points = {"opened",      "read",        "before_write",
                                                  "after_write", "before_save", "after_save"};
  return points;
}

bool applies(FaultKind kind, const Schedule& schedule, const Surroundings& surroundings) {
  if (surroundings.real && !spec_of(kind).real) return false;
  const auto any = [&](SinkType sink) {
    return std::any_of(schedule.relays.begin(), schedule.relays.end(),
                       [sink](const RelayKind* relay) { return relay->sink == sink; });
  };
  if (kind == FaultKind::kCrashPostgres) return any(SinkType::kPostgres);
  if (kind == FaultKind::kDiskFull)
    return surroundings.disk_full && (any(SinkType::kSqlite) || any(SinkType::kFile));
  return true;
}

Schedule make_schedule(uint64_t seed, const Surroundings& surroundings) {
  // Of the first number and not of the seed itself: seeds that follow each other shall have nothing in common.
  SeededRandom random(SeededRandom(seed).next_u64());
  Schedule schedule;
  schedule.seed = seed;
  schedule.writes = kWritesMin + static_cast<int>(random.below(kWritesMax - kWritesMin + 1));
  schedule.relays = choose_relays(seed, random, surroundings);
  const size_t faults = kFaultsMin + random.below(kFaultsMax - kFaultsMin + 1);
  for (size_t i = 0; i < faults; ++i) schedule.faults.push_back(make_fault(random, schedule, surroundings));
  std::stable_sort(schedule.faults.begin(), schedule.faults.end(),
                   [](const Fault& a, const Fault& b) { return a.at < b.at; });
  return schedule;
}

std::string print(const Schedule& schedule) {
  std::string text = fmt::format("seed {}; writes {}; relays ", schedule.seed, schedule.writes);
  for (size_t i = 0; i < schedule.relays.size(); ++i)
    text += (i > 0 ? "," : "") + std::string(schedule.relays[i]->name);
  for (const Fault& fault : schedule.faults)
    text += fmt::format("; {} {} {} {}", fault.at, spec_of(fault.kind).name, fault.target, fault.amount);
  return text;
}

Result<Schedule> parse_schedule(std::string_view text) {
  Schedule schedule;
  const auto parts = split(text, ';');
  if (parts.size() > kPartsMax) return unreadable("...", "it has more than 200 parts");
  for (const std::string_view part : parts) {
    const auto words = split(part, ' ');
    if (words.size() == 2 && words[0] == "seed") {
      if (!read_number(words[1], schedule.seed)) return unreadable(part, "not a number");
    } else if (words.size() == 2 && words[0] == "writes") {
      if (!read_number(words[1], schedule.writes)) return unreadable(part, "not a number");
    } else if (words.size() == 2 && words[0] == "relays") {
      TIDEMARK_TRY(read_relays(words[1], schedule));
    } else {
      TIDEMARK_TRY(read_fault(part, schedule));
    }
  }
  TIDEMARK_TRY(check(schedule));
  std::stable_sort(schedule.faults.begin(), schedule.faults.end(),
                   [](const Fault& a, const Fault& b) { return a.at < b.at; });
  return schedule;
}

}  // namespace tidemark::chaos
