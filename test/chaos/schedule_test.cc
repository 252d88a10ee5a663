// A schedule's form of one line, and what seeds make.
#include "chaos/schedule.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidemark::chaos {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kSeeds = 400;

TEST(Schedule, IsReadBackFromWhatWasPrinted) {
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    const Schedule schedule = make_schedule(seed, {});
    const auto again = parse_schedule(print(schedule));
    ASSERT_TRUE(again.has_value()) << again.error().describe();
    EXPECT_EQ(*again, schedule) << print(schedule);
  }
}

TEST(Schedule, FollowsFromItsSeedAlone) {
  EXPECT_EQ(make_schedule(7, {}), make_schedule(7, {}));
  EXPECT_NE(make_schedule(7, {}).faults, make_schedule(8, {}).faults);
}

TEST(Schedule, SeedsReachEveryRelayAndEveryFault) {
  std::set<std::string> relays;
  std::set<FaultKind> faults;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const Schedule schedule = make_schedule(seed, {});
    for (const RelayKind* relay : schedule.relays) relays.insert(relay->name);
    for (const Fault& fault : schedule.faults) faults.insert(fault.kind);
  }
  EXPECT_EQ(relays.size(), relay_kinds().size());
  EXPECT_EQ(faults.size(), fault_specs().size());
}

TEST(Schedule, EveryFaultStandsAtTheIndexOfItsKind) {
  for (const FaultSpec& spec : fault_specs()) EXPECT_STREQ(spec_of(spec.kind).name, spec.name);
}

TEST(Schedule, HasOnlyWhatTheSurroundingsAllow) {
  const Surroundings poor{.postgres = false, .disk_full = false, .real = true};
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    const Schedule schedule = make_schedule(seed, poor);
    for (const RelayKind* relay : schedule.relays) EXPECT_NE(relay->sink, SinkType::kPostgres);
    for (const Fault& fault : schedule.faults) {
      EXPECT_TRUE(spec_of(fault.kind).real) << spec_of(fault.kind).name;
      EXPECT_NE(fault.kind, FaultKind::kDiskFull);
      EXPECT_NE(fault.kind, FaultKind::kCrashPostgres);
    }
  }
}

TEST(Schedule, SaysWhatItCannotRead) {
  const std::pair<const char*, const char*> bad[] = {
      {"seed x; writes 10; relays file", "seed x"},
      {"seed 1; writes 0; relays file", "writes"},
      {"seed 1; writes 10", "relays"},
      {"seed 1; writes 10; relays tape", "no such relay"},
      {"seed 1; writes 10; relays file; 3 flood 0 1", "no such fault"},
      {"seed 1; writes 10; relays file; 3 kill-relay 1 1", "its target is one of 1"},
      {"seed 1; writes 10; relays file; 3 kill-relay 0", "AT NAME TARGET AMOUNT"},
      {"seed 1; writes 10; relays file; 3 kill-relay 0 99999", "out of its range"},
  };
  for (const auto& [text, words] : bad) {
    const auto parsed = parse_schedule(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_EQ(parsed.error().react, React::kConfig);
    EXPECT_THAT(parsed.error().what, HasSubstr(words));
  }
}

}  // namespace
}  // namespace tidemark::chaos
