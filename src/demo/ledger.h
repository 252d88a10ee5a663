// What the demo counts: accepted events against stored ones, faults against the first event stored after them, and rates.
// Pure; each object belongs to one thread or to a mutex of its owner's.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "env/clock.h"

namespace tidemark::demo {

enum class FaultKind : uint8_t {
  kElection,
  kPrimaryKilled,
  kDeadCursors,
  kSilentFeed,
  kClosedConnection,
  kWorkerKilled,
  kBrokerRestarted,
  kPoisoned,
};
constexpr size_t kFaultKinds = 8;
std::string_view to_string(FaultKind kind);  // "election"
std::string_view plural(FaultKind kind);     // "elections"
// As a button of the page: "step_down", "Step the primary down".
std::string_view button_name(FaultKind kind);
std::string_view button_label(FaultKind kind);
std::optional<FaultKind> fault_of_button(std::string_view name);

// One fault as it happened.
struct FaultRecord {
  FaultKind kind = FaultKind::kElection;
  std::chrono::milliseconds at{0};  // since the demo's start
  std::string detail;               // "member 1 steps down"
  // From the fault to the first event posted after it that stands in SQLite, or, where the feed was silenced, to the first
  // that the feed shows again; empty until then.
  std::optional<std::chrono::milliseconds> survived_after;
};

// Which faults were inflicted and which survived.
class FaultLedger {
 public:
  // `posted` different events had been posted when the fault had struck, whether accepted or not.
  void inflicted(FaultKind kind, std::chrono::milliseconds at, std::string detail, int64_t posted);
  // `events` different events stand at the end of the line: with more than were posted before a fault, at least one of
  // them came after it.
  void delivered(int64_t events, std::chrono::milliseconds now);
  // The feed, which had shown `events`, is no longer silenced.
  void silence_ended(int64_t events);
  // The feed has shown so many.
  void shown(int64_t events, std::chrono::milliseconds now);

  const std::array<int, kFaultKinds>& inflicted_counts() const { return inflicted_; }
  const std::array<int, kFaultKinds>& survived_counts() const { return survived_; }
  std::vector<FaultRecord> newest_first(size_t max) const;
  size_t waiting() const;

 private:
  struct Entry {
    FaultRecord record;
    int64_t posted = 0;
    std::optional<int64_t> shown;  // kSilentFeed alone: when the silence ended
  };
  void survive(Entry& entry, std::chrono::milliseconds now);

  std::vector<Entry> entries_;  // one every few seconds
  std::array<int, kFaultKinds> inflicted_{};
  std::array<int, kFaultKinds> survived_{};
};

// Accepted events against the number that has arrived at the end of the line.
class DeliveryLedger {
 public:
  void accepted(int64_t events, Mono now);
  // Age of the oldest accepted event when `arrived` have arrived, taking it that they arrive in order; 0 when none waits.
  std::chrono::nanoseconds lag(int64_t arrived, Mono now);
  int64_t accepted() const { return accepted_; }

 private:
  struct Mark {
    int64_t accepted = 0;  // including these
    Mono at;
  };
  std::deque<Mark> waiting_;  // bounded: beyond kMarksMax marks run together, which rounds lag up
  int64_t accepted_ = 0;
};

// Events per second out of a growing total, looked at now and then.
class RateMeter {
 public:
  void add(int64_t total, Mono now);
  // Over the last two seconds.
  double per_second() const;
  // One value for each whole second, oldest first.
  const std::vector<double>& by_second() const { return by_second_; }

 private:
  struct Sample {
    Mono at;
    int64_t total = 0;
  };
  std::deque<Sample> recent_;
  std::optional<Sample> second_;
  std::vector<double> by_second_;
};

}  // namespace tidemark::demo
