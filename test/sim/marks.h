// Coverage marks: rare situations that a standard run has to have met. Product code knows nothing of them; the simulator
// recognises each by what goes into the core, what comes out and what stands at the ends.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tidemark::sim {

enum class Mark : uint8_t {
  // the source
  kPositionLostDuringSave,
  kPositionLostDuringWrite,
  kInvalidate,
  kInvalidateWhileDraining,
  kClosedWithoutMoving,
  kReadyCutsAWait,
  kReadyOvertakesTheFailure,
  kReadyIgnoredAfterThree,
  kLongestWait,
  kEventsBehindAnUnsavedFirstMark,
  kReadCancelledBeforeTheStop,
  kOtherDeploymentRefused,
  // the sink
  kAmbiguousCommitResolved,
  kAmbiguousCommitUnresolved,
  kFencedDuringWrite,
  kPartialPrefixOnOneOfSeveralLanes,
  kMoreDurableThanKnown,
  kBarrierWaitsForLanes,
  kLanesFinishOutOfOrder,
  kSinkBrokenWhileDraining,
  kCommitOfAMarkAlone,
  kCommitInsideABatch,
  // the position
  kFencedDuringSave,
  kSaveFailed,
  kSaveFailedWhileDraining,
  kFailedSaveOvertakenByANewer,
  kSaveFailedThatHadHappened,
  kIdleMarkSaved,
  kReadingPausedByUnsavedEvents,
  kReadingPausedByBatches,
  kReadingPausedByBytes,
  kCorruptRefused,
  kAbsentRefused,
  kBackupFencesItsOwner,
  kOlderPositionReplayed,
  kRivalAtStart,
  kLeaseRefusedARival,
  // dead letters
  kStopAtARejectedEvent,
  kLetterFailed,
  kLetterWhileALaneWaits,
  kLetterPutBack,
  kLetterOutWhileDraining,
  // ends
  kStopDuringBackOff,
  kStopBeforeTheFirstOpen,
  kStopWithRetryOfALanePending,
  kDrainEndsAtItsDeadline,
  kDeniedBeforeItWorked,
  kDeniedForAWhile,
  kDeniedBeyondPatience,
  kFatalWhileDraining,
  kSaveOfADrain,
  kCrashBetweenWriteAndSave,
  kCrashDuringSave,
  kCrashDuringWrite,
  kCrashBeforeTheFirstSave,
  kCrashWhileDraining,
  kCrashAfterLetterBeforeSave,
  kPowerLossLeavesTheOldPosition,
  kPowerLossLeavesTheNewPosition,
  // the process
  kShutdownWithWritesOut,
  kRequestAnsweredDuringShutdown,
  kRequestRefusedDuringShutdown,
  kQueueAcknowledgedDuringShutdown,
  kCount
};
constexpr size_t kMarkCount = static_cast<size_t>(Mark::kCount);
std::string_view to_string(Mark mark);

class Marks {
 public:
  void hit(Mark mark) { ++counts_[static_cast<size_t>(mark)]; }
  uint64_t count(Mark mark) const { return counts_[static_cast<size_t>(mark)]; }
  void add(const Marks& other);
  // Those never hit.
  std::vector<std::string> missing() const;
  // One line a mark: how often, and its name.
  std::string table() const;

 private:
  std::array<uint64_t, kMarkCount> counts_{};
};

}  // namespace tidemark::sim
