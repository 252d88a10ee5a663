// The minimiser against failures whose causes are known.
#include "chaos/minimise.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "chaos/summary.h"

namespace tidemark::chaos {
namespace {

bool has(const Schedule& schedule, FaultKind kind) {
  return std::any_of(schedule.faults.begin(), schedule.faults.end(),
                     [kind](const Fault& fault) { return fault.kind == kind; });
}

Schedule long_one() {
  return *parse_schedule(
      "seed 3; writes 200; relays file,sqlite-log,postgres-log; 10 step-down 0 1; 20 kill-relay 1 30; 30 "
      "delay 0 50; 40 kill-member 1 60; 50 stop-relay 2 20; 60 rollback 0 3; 70 kill-cursors 0 1");
}

TEST(Minimise, LeavesThePairOfFaultsAndTheRelayThatFailTogether) {
  const auto fails = [](const Schedule& s) {
    const bool relay = std::any_of(s.relays.begin(), s.relays.end(),
                                   [](const RelayKind* kind) { return kind->sink == SinkType::kSqlite; });
    return relay && has(s, FaultKind::kKillRelay) && has(s, FaultKind::kRollback) && s.writes >= 30;
  };
  const Schedule smallest = minimise(long_one(), fails, 200);
  EXPECT_EQ(print(smallest), "seed 3; writes 30; relays sqlite-log; 10 kill-relay 0 30; 30 rollback 0 3");
}

TEST(Minimise, KeepsAFailureThatNeedsNoFaultAtAll) {
  const Schedule smallest = minimise(
      long_one(), [](const Schedule&) { return true; }, 200);
  EXPECT_TRUE(smallest.faults.empty());
  EXPECT_EQ(smallest.relays.size(), 1u);
  EXPECT_LE(smallest.writes, 4);
}

TEST(Minimise, GivesBackTheWholeWhereNothingCanGo) {
  const Schedule whole = long_one();
  EXPECT_EQ(minimise(
                whole, [&whole](const Schedule& s) { return s == whole; }, 200),
            whole);
}

TEST(Minimise, StaysWithinItsRuns) {
  int runs = 0;
  const auto counts = [&runs](const Schedule&) { return ++runs, false; };
  (void)minimise(long_one(), counts, 5);
  EXPECT_EQ(runs, 5);
}

TEST(WithoutRelay, MovesTheTargetsOfTheOthers) {
  EXPECT_EQ(print(without_relay(long_one(), 1)),
            "seed 3; writes 200; relays file,postgres-log; 10 step-down 0 1; 30 delay 0 50; 40 kill-member 1 "
            "60; 50 stop-relay 1 20; 60 rollback 0 3; 70 kill-cursors 0 1");
}

TEST(Report, SurvivesItsLineOfJson) {
  Report report;
  report.schedule = long_one();
  report.minimal = make_schedule(5, {});
  report.verdict.findings = {"relay 0 (file): 1 events lost"};
  report.verdict.missed = {"kill-member: there is no primary now"};
  report.verdict.inflicted = 6;
  report.verdict.writes = 200;
  report.verdict.stock = {12, 1};
  report.verdict.repeated = 4;
  const auto again = Report::from_json(report.to_json());
  ASSERT_TRUE(again.has_value()) << again.error().describe();
  EXPECT_EQ(again->to_json(), report.to_json());
  EXPECT_EQ(again->schedule, report.schedule);
  EXPECT_FALSE(Report::from_json("not one").has_value());
}

TEST(StockTable, CountsSchedulesEventsAndRepetitions) {
  Report lossy, clean;
  lossy.verdict.stock = {7, 0};
  lossy.verdict.in_memory = {3, 2};
  lossy.verdict.writes = clean.verdict.writes = 100;
  const std::string table = stock_table({lossy, clean, lossy}, "make chaos SEEDS=3");
  EXPECT_NE(table.find("| Tidemark | 0 of 3 | 0 | 0 |"), std::string::npos) << table;
  EXPECT_NE(table.find("starts at now | 2 of 3 | 14 | 0 |"), std::string::npos) << table;
  EXPECT_NE(table.find("in memory | 2 of 3 | 6 | 4 |"), std::string::npos) << table;
  EXPECT_NE(table.find("`make chaos SEEDS=3`"), std::string::npos) << table;
}

}  // namespace
}  // namespace tidemark::chaos
