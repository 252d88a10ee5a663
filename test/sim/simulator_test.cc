// The simulator itself: it repeats itself to the step, it visits every operation of the disk, and it can tell a disk that lies.
#include <gtest/gtest.h>

#include "sim/process.h"

namespace tidemark::sim {
namespace {

TEST(Simulator, RepeatsAScheduleToTheStep) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    const Report first = run_schedule({.seed = seed, .traced = true});
    const Report second = run_schedule({.seed = seed, .traced = true});
    ASSERT_EQ(first.steps, second.steps) << "seed " << seed;
    ASSERT_EQ(first.trace, second.trace) << "seed " << seed;
    ASSERT_EQ(first.marks.table(), second.marks.table()) << "seed " << seed;
  }
}

// One schedule without any other fault, once for each operation of the disk and each way in which it can go wrong.
void fail_each_operation(uint64_t seed) {
  const Report whole = run_schedule({.seed = seed, .faults = 0});
  ASSERT_FALSE(whole.violation) << whole.violation->what;
  uint64_t hits = 0;
  for (uint64_t n = 0; n < whole.disk_operations; ++n) {
    for (const auto damage : {Disk::Damage::kRetry, Disk::Damage::kFatal, Disk::Damage::kPowerLost}) {
      const Schedule schedule{.seed = seed, .faults = 0, .disk_operation = n, .disk_damage = damage};
      const Report report = run_schedule(schedule);
      ASSERT_FALSE(report.violation) << "operation " << n << ": " << describe(schedule, minimise(schedule));
      hits += report.disk_fault_hit;
    }
  }
  // Those of the operator's first position come before the first life.
  EXPECT_GE(hits, whole.disk_operations * 2) << "of " << whole.disk_operations;
}

TEST(Simulator, FailsTheDiskAtEveryOperation) {
  int seeds = 0;
  for (uint64_t seed = 1; seeds < 3; ++seed) {
    const Report report = run_schedule({.seed = seed, .faults = 0});
    if (report.shape.find("file store") == std::string::npos || report.disk_operations < 60) continue;
    SCOPED_TRACE("seed " + std::to_string(seed));
    fail_each_operation(seed);
    if (testing::Test::HasFatalFailure()) return;
    ++seeds;
  }
}

// The first rule that is broken on such a disk; empty when none is in many schedules.
std::string broken_by(Disk::Lie lie) {
  for (uint64_t seed = 1; seed <= 1000; ++seed) {
    const Report report = run_schedule(
        {.seed = seed, .faults = bit(Fault::kPowerLost) | bit(Fault::kPowerLostInSave), .disk_lie = lie});
    if (report.violation) return report.violation->rule;
  }
  return "";
}

TEST(Simulator, NoticesADiskThatSkipsASync) {
  EXPECT_EQ(broken_by(Disk::Lie::kNone), "");
  EXPECT_EQ(broken_by(Disk::Lie::kSyncFile), rule::kNeverInvented);
  EXPECT_EQ(broken_by(Disk::Lie::kSyncFolder), rule::kReturnMeansDurable);
}

TEST(Simulator, MakesAFailingScheduleSmallerAndTellsIt) {
  for (uint64_t seed = 1; seed <= 3000; ++seed) {
    const Schedule schedule{.seed = seed, .disk_lie = Disk::Lie::kSyncFile};
    const Report report = run_schedule(schedule);
    if (!report.violation) continue;
    const Minimal minimal = minimise(schedule);
    ASSERT_TRUE(minimal.report.violation);
    EXPECT_EQ(minimal.report.violation->rule, report.violation->rule);
    EXPECT_LE(minimal.report.steps, report.steps);
    const std::string story = describe(schedule, minimal);
    EXPECT_NE(story.find("--seed=" + std::to_string(seed)), std::string::npos);
    EXPECT_NE(story.find("power is lost"), std::string::npos) << story;
    return;
  }
  FAIL() << "no schedule noticed the lie";
}

}  // namespace
}  // namespace tidemark::sim
