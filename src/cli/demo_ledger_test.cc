#include <gtest/gtest.h>

#include "cli/demo_faults.h"
#include "cli/demo_watch.h"
#include "cli/demo_writer.h"

namespace tidemark::cli {
namespace {

using bson::Timestamp;
using std::chrono::milliseconds;
using std::chrono::seconds;

Mono at(int64_t ms) { return Mono(milliseconds(ms)); }

TEST(DeliveryLedger, APositionDeliversWhatWasWrittenUpToIt) {
  DeliveryLedger ledger;
  ledger.acknowledged({10, 1}, 5, at(100));
  ledger.acknowledged({10, 9}, 3, at(150));
  ledger.acknowledged({11, 1}, 2, at(200));
  EXPECT_EQ(ledger.written(), 10);
  EXPECT_EQ(ledger.last(), (Timestamp{11, 1}));

  EXPECT_EQ(ledger.progress({10, 0}, at(300)).delivered, 0);
  const auto some = ledger.progress({10, 9}, at(300));
  EXPECT_EQ(some.delivered, 8);
  EXPECT_EQ(some.lag, milliseconds(100)) << "the age of the oldest change that is not delivered";
  const auto all = ledger.progress({12, 0}, at(300));
  EXPECT_EQ(all.delivered, 10);
  EXPECT_EQ(all.lag.count(), 0);
}

TEST(DeliveryLedger, APositionThatWentBackTakesNothingBack) {
  DeliveryLedger ledger;
  ledger.acknowledged({10, 1}, 5, at(0));
  EXPECT_EQ(ledger.progress({10, 1}, at(1)).delivered, 5);
  EXPECT_EQ(ledger.progress({9, 1}, at(1)).delivered, 5);
}

TEST(DeliveryLedger, ARelayThatStandsStillCostsNoMemory) {
  DeliveryLedger ledger;
  for (uint32_t i = 1; i <= 60'000; ++i) ledger.acknowledged({i, 0}, 1, at(i));
  EXPECT_EQ(ledger.progress({50'000 - 1, 0}, at(60'000)).delivered, 49'999);
  EXPECT_EQ(ledger.progress({59'999, 0}, at(60'000)).delivered, 49'999) << "the rest has run together";
  EXPECT_EQ(ledger.progress({60'000, 0}, at(60'000)).delivered, 60'000);
}

TEST(FaultLedger, AFaultIsSurvivedOnceALaterChangeArrived) {
  FaultLedger ledger;
  ledger.inflicted(FaultKind::kElection, seconds(2), "member 1 steps down", 100);
  ledger.inflicted(FaultKind::kRelayKilled, seconds(5), "process 7", 200);
  ledger.delivered(100, milliseconds(5'100));
  EXPECT_EQ(ledger.waiting(), 2u) << "what was written before it proves nothing";
  ledger.delivered(101, milliseconds(5'200));
  EXPECT_EQ(ledger.waiting(), 1u);
  EXPECT_EQ(ledger.survived_counts()[static_cast<size_t>(FaultKind::kElection)], 1);
  EXPECT_EQ(ledger.inflicted_counts()[static_cast<size_t>(FaultKind::kRelayKilled)], 1);

  const auto newest = ledger.newest_first(1);
  ASSERT_EQ(newest.size(), 1u);
  EXPECT_EQ(newest[0].kind, FaultKind::kRelayKilled);
  EXPECT_FALSE(newest[0].survived_after.has_value());
  ledger.delivered(999, milliseconds(5'310));
  EXPECT_EQ(ledger.newest_first(1)[0].survived_after, milliseconds(310));
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
}  // namespace tidemark::cli
