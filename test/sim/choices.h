// Every decision of a schedule, from one seed: which call is answered next, how far time moves, what fails. Owned by a
// Process; one thread.
//
// Each kind of fault draws from a stream of its own, so that a failing schedule can be run again with one kind left out
// and most of the rest as it was: that is how it is made smaller.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include "env/random.h"

namespace tidemark::sim {

enum class Fault : uint8_t {
  kIdentifyFails,    // the deployment doesn't say who it is
  kOpenFails,        // the stream can't be opened
  kReadFails,        // a reply is lost, or the cursor is gone
  kElection,         // no primary for a while; then one is announced
  kFalseReady,       // a primary is announced though nothing changed
  kClosesUnmoved,    // the cursor is closed without an event or a new mark
  kRollover,         // the oplog loses what the position needs
  kOtherDeployment,  // the name in the configuration leads to another deployment
  kSinkOpenFails,    // a lane can't be opened
  kWriteFails,       // a write fails, in part or whole, with more durable than the sink knows of
  kAnswerLost,       // a commit's answer is lost
  kSinkBroken,       // a write fails in a way that waiting can't mend
  kLetterFails,      // the dead letters can't be written
  kLetterRetried,    // a letter is put back before the source
  kDiskFails,        // a disk operation fails while the position is saved or acquired
  kDiskBroken,       // the same, in a way that waiting can't mend
  kPowerLostInSave,  // the machine stops in the middle of a save
  kKilled,           // the process dies; what the disk's cache holds stays
  kPowerLost,        // the machine stops; what was not synced goes
  kRival,            // a second instance takes the position, its lock having been removed
  kBackupRestored,   // an old copy of the position is put back
  kFileRemoved,      // the position's file is removed
  kFileDamaged,      // a byte of it flips
  kStop,             // the operator stops the process
  kDenied,           // for a while every call is refused for its credentials
  kCount
};
constexpr size_t kFaultCount = static_cast<size_t>(Fault::kCount);
std::string_view to_string(Fault fault);
constexpr uint64_t bit(Fault fault) { return uint64_t{1} << static_cast<size_t>(fault); }
constexpr uint64_t kAllFaults = (uint64_t{1} << kFaultCount) - 1;

class Choices final : public Random {
 public:
  // `enabled`: bit i allows the fault of that number.
  Choices(uint64_t seed, uint64_t enabled);

  uint64_t next_u64() override { return schedule_.next_u64(); }
  bool one_in(uint64_t n) { return below(n) == 0; }

  // Whether `fault` happens now, at a rate of once in `n`. Never after calm().
  bool fault(Fault fault, uint64_t n);
  // A number for the damage that `fault` does.
  uint64_t damage(Fault fault, uint64_t bound) { return streams_[static_cast<size_t>(fault)].below(bound); }
  void calm() { calm_ = true; }
  // From now on only these faults may happen; the answer is what was allowed before.
  uint64_t allow(uint64_t enabled) { return std::exchange(enabled_, enabled); }
  uint64_t allowed() const { return enabled_; }
  bool is_calm() const { return calm_; }

 private:
  SeededRandom schedule_;
  std::array<SeededRandom, kFaultCount> streams_;
  uint64_t enabled_;
  bool calm_ = false;
};

}  // namespace tidemark::sim
