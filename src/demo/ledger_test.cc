#include "demo/ledger.h"

#include <set>

#include <gtest/gtest.h>

namespace tidemark::demo {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Mono at(int64_t ms) { return Mono(milliseconds(ms)); }

TEST(DeliveryLedger, TheOldestEventThatHasNotArrivedTellsTheLag) {
  DeliveryLedger ledger;
  EXPECT_EQ(ledger.lag(0, at(50)).count(), 0) << "nothing was promised";
  ledger.accepted(5, at(100));
  ledger.accepted(3, at(150));
  ledger.accepted(2, at(200));
  EXPECT_EQ(ledger.accepted(), 10);
  EXPECT_EQ(ledger.lag(4, at(300)), milliseconds(200)) << "the fifth still waits";
  EXPECT_EQ(ledger.lag(8, at(300)), milliseconds(100));
  EXPECT_EQ(ledger.lag(10, at(300)).count(), 0);
}

TEST(DeliveryLedger, AnArchiveThatStandsStillCostsNoMemory) {
  DeliveryLedger ledger;
  for (int i = 1; i <= 60'000; ++i) ledger.accepted(1, at(i));
  EXPECT_EQ(ledger.lag(49'998, at(60'000)), milliseconds(60'000 - 49'999));
  EXPECT_GT(ledger.lag(59'999, at(60'000)).count(), 0) << "the rest has run together";
  EXPECT_EQ(ledger.lag(60'000, at(60'000)).count(), 0);
}

TEST(FaultKinds, EachHasAButtonOfItsOwn) {
  std::set<std::string_view> names;
  for (size_t kind = 0; kind < kFaultKinds; ++kind) {
    const auto fault = static_cast<FaultKind>(kind);
    EXPECT_TRUE(names.insert(button_name(fault)).second) << button_name(fault);
    EXPECT_EQ(fault_of_button(button_name(fault)), fault);
    EXPECT_FALSE(button_label(fault).empty());
  }
  EXPECT_EQ(fault_of_button("rm -rf"), std::nullopt);
}

TEST(FaultLedger, AFaultIsSurvivedOnceALaterEventArrived) {
  FaultLedger ledger;
  ledger.inflicted(FaultKind::kElection, seconds(2), "member 1 steps down", 100);
  ledger.inflicted(FaultKind::kWorkerKilled, seconds(5), "process 7", 200);
  ledger.delivered(100, milliseconds(5'100));
  EXPECT_EQ(ledger.waiting(), 2u) << "what was posted before it proves nothing";
  ledger.delivered(101, milliseconds(5'200));
  EXPECT_EQ(ledger.waiting(), 1u);
  EXPECT_EQ(ledger.survived_counts()[static_cast<size_t>(FaultKind::kElection)], 1);
  EXPECT_EQ(ledger.inflicted_counts()[static_cast<size_t>(FaultKind::kWorkerKilled)], 1);

  const auto newest = ledger.newest_first(1);
  ASSERT_EQ(newest.size(), 1u);
  EXPECT_EQ(newest[0].kind, FaultKind::kWorkerKilled);
  EXPECT_FALSE(newest[0].survived_after.has_value());
  ledger.delivered(999, milliseconds(5'310));
  EXPECT_EQ(ledger.newest_first(1)[0].survived_after, milliseconds(310));
}

TEST(FaultLedger, ASilencedFeedIsHeardOnceItShowsMoreThanBefore) {
  FaultLedger ledger;
  ledger.inflicted(FaultKind::kSilentFeed, seconds(2), "for 6 s", 100);
  ledger.delivered(500, seconds(3));
  ledger.shown(120, seconds(3));
  EXPECT_EQ(ledger.waiting(), 1u)
      << "the archive goes on all the while, and the feed may still empty its pipe";
  ledger.silence_ended(120);
  ledger.shown(120, seconds(8));
  EXPECT_EQ(ledger.waiting(), 1u);
  ledger.shown(121, seconds(9));
  EXPECT_EQ(ledger.newest_first(1)[0].survived_after, seconds(7));
}

TEST(RateMeter, CountsOverTheLastTwoSeconds) {
  RateMeter meter;
  EXPECT_EQ(meter.per_second(), 0);
  for (int i = 0; i <= 100; ++i) meter.add(i * 10, at(i * 100));
  EXPECT_NEAR(meter.per_second(), 100, 1);
  for (int i = 0; i <= 40; ++i) meter.add(1000, at(10'000 + i * 100));
  EXPECT_EQ(meter.per_second(), 0) << "it forgets what is older";
  ASSERT_GE(meter.by_second().size(), 13u);
  EXPECT_NEAR(meter.by_second()[3], 100, 1);
}

TEST(RateMeter, KeepsABoundedHistory) {
  RateMeter meter;
  for (int i = 0; i < 1000; ++i) meter.add(i, at(i * 1000));
  EXPECT_LE(meter.by_second().size(), 120u);
}

}  // namespace
}  // namespace tidemark::demo
