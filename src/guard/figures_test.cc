// What a succession of looks is worth: what must be held against a pipeline, and what must not.
#include "guard/figures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "guard/testing/alerts_harness.h"

namespace tidemark::guard {
namespace {

using testing::Bench;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Kind = testing::SimPipeline::Kind;

TEST(Alerts, OfAPositionThatMovedBackStayUntilItHasCaughtUp) {
  Bench bench(Kind::kOutside, {});
  bench.look(3);
  bench.sim.stored.position = testing::position_at({bench.sim.second - 3000, 1});
  bench.look();
  EXPECT_TRUE(bench.fires("position_moved_back"));
  bench.look(30);
  EXPECT_THAT(bench.firing(), IsEmpty());
  EXPECT_THAT(bench.notices, SizeIs(2));
}

TEST(Alerts, DoNotHoldALongResumeScanAgainstAPipelineUntilItLastsTooLong) {
  const std::pair<Kind, bool> cases[] = {
      {Kind::kOutside, false}, {Kind::kInProcess, false}, {Kind::kInProcess, true}};
  for (const auto& [kind, in_read] : cases) {
    Bench bench(kind, {});
    bench.look(3);
    bench.sim.restart(5, 500, in_read);
    bench.look(60);
    EXPECT_THAT(bench.notices, IsEmpty()) << bench.notices[0].text;
    bench.sim.restart(5, 100'000, in_read);
    bench.look(60);
    EXPECT_THAT(bench.notices, IsEmpty()) << bench.notices[0].text;
    bench.look(20);
    EXPECT_TRUE(bench.fires("position_stuck"));
    EXPECT_TRUE(bench.fires("lag"));
  }
}

TEST(Alerts, CallASinkThatHangsFromTheStartNoResumeScan) {
  Bench bench(Kind::kInProcess, {});
  bench.sim.sink_hangs = true;
  bench.look(9);
  EXPECT_TRUE(bench.fires("position_stuck"));
}

TEST(Alerts, TakeAPipelineThatHasReadSomethingForOneThatResumesNoMore) {
  Bench bench(Kind::kInProcess, {});
  bench.look(3);
  bench.sim.restart(1, 100);
  bench.look();
  bench.sim.sink_hangs = true;
  bench.look(9);
  EXPECT_TRUE(bench.fires("position_stuck"));
}

TEST(Alerts, GiveAPipelineThatRestartsForEverNoMoreTimeForEachStart) {
  Bench bench(Kind::kOutside, {{.rule = RuleId::kSecondInstance, .enabled = false}});
  bench.look(3);
  for (int i = 0; i < 80; ++i) {
    bench.sim.restart(2, 100);
    bench.look();
  }
  EXPECT_TRUE(bench.fires("position_stuck"));
}

TEST(Alerts, KnowNothingDuringAnOrderlyStop) {
  Bench bench(Kind::kInProcess, {});
  bench.look(3);
  bench.sim.ended = "stopped while it waited for the sink";
  for (int i = 0; i < 30; ++i) {
    bench.pass(10, true);
    Signals signals = bench.sim.look();
    signals.stopping = true;
    bench.judge(signals);
  }
  EXPECT_THAT(bench.notices, IsEmpty());
}

TEST(Alerts, CallTheOtherInstanceByItsNameWhenItTookThePosition) {
  Bench bench(Kind::kInProcess, {});
  bench.look(3);
  bench.sim.ended = "another instance owns the position";
  bench.pass(10, true);
  Signals signals = bench.sim.look();
  signals.fenced = true;
  bench.judge(signals);
  EXPECT_THAT(bench.firing(), ElementsAre("pipeline_ended", "second_instance"));
}

TEST(Alerts, OfAPausedMachineAreOfItsClockAlone) {
  Bench bench(Kind::kInProcess, {});
  bench.look(5);
  // Suspended: the civil clock and the deployment went on.
  bench.wall_ms += 3'600'000;
  bench.sim.second += 3600;
  bench.look(20);
  for (const AlertView& notice : bench.notices) EXPECT_EQ(notice.name, "clock_jumped") << notice.text;
  EXPECT_THAT(bench.notices, SizeIs(2));
}

TEST(Alerts, OfAStoppedProcessAreNone) {
  Bench bench(Kind::kInProcess, {});
  bench.look(5);
  bench.pass(3600, false);
  bench.sim.second += 3600;
  bench.look(20);
  EXPECT_THAT(bench.notices, IsEmpty()) << bench.notices[0].text;
}

TEST(Alerts, SayWhenALookDoesNotComeBack) {
  Bench bench(Kind::kOutside, {});
  bench.look(3);
  for (int i = 0; i < 8; ++i) {
    bench.pass(10, true);
    bench.judge({.pipeline = "orders", .hung = true});
  }
  EXPECT_THAT(bench.firing(), ElementsAre("guard_blind"));
}

TEST(Alerts, DoNotCallALongAuditOverdueWhileItGetsOn) {
  Bench bench(Kind::kOutside, {});
  AuditSignal audit = testing::audit_of("checksum", 60, 1000);
  audit.view.state = "running";
  for (int i = 0; i < 100; ++i) {
    audit.view.progress = i / 200.0;
    bench.sim.audits = {audit};
    bench.look();
  }
  EXPECT_THAT(bench.notices, IsEmpty());
  bench.look(40);
  EXPECT_THAT(bench.firing(), ElementsAre("audit_overdue"));
}

TEST(Alerts, TellTheWorstOfSeveralAudits) {
  Bench bench(Kind::kOutside, {});
  const AuditSignal count = testing::audit_of("count", 0, 10);
  AuditSignal checksum = count;
  checksum.view.kind = "checksum";
  checksum.view.missing = 7;
  checksum.view.first_ids = {"missing shop.orders 1", "extra shop.orders 9", "missing shop.orders 2"};
  bench.sim.audits = {count, checksum};
  bench.look();
  ASSERT_THAT(bench.firing(), ElementsAre("audit_missing"));
  EXPECT_EQ(bench.notices[0].figure, 7);
  EXPECT_THAT(bench.notices[0].text, HasSubstr("checksum audit, first shop.orders 1, shop.orders 2"));
}

TEST(Alerts, CountNoTimeOfAStandstillAgainstThePipeline) {
  Bench bench(Kind::kOutside,
              {{.rule = RuleId::kSourceStalled, .enabled = false}, {.rule = RuleId::kLag, .enabled = false}});
  bench.look(3);
  bench.sim.wedged = true;
  bench.look(2);
  bench.sim.no_majority = true;
  bench.look(100);
  EXPECT_THAT(bench.notices, IsEmpty()) << bench.notices[0].text;
  bench.sim.no_majority = false;
  bench.look(5);
  EXPECT_TRUE(bench.fires("position_stuck"));
}

TEST(Alerts, HoldNothingAgainstAPositionThatHasNothingToPass) {
  Bench bench(Kind::kOutside, {});
  bench.look(3);
  bench.sim.wedged = true;
  StoredPosition fixed = bench.sim.stored;
  fixed.position = testing::position_at({1'700'000'090, 1});
  // A member answers that has not yet seen what the position has passed.
  for (int i = 0; i < 30; ++i) {
    bench.pass(10, true);
    Signals signals = bench.sim.look();
    signals.health->value().latest.seconds = static_cast<uint32_t>(1'700'000'050 + i);
    signals.position = std::optional<StoredPosition>(fixed);
    bench.judge(signals);
  }
  EXPECT_THAT(bench.notices, IsEmpty()) << bench.notices[0].text;
}

TEST(Alerts, GiveADeploymentThatIsBackTheTimeOfAnElection) {
  Bench bench(Kind::kOutside, {{.rule = RuleId::kSourceUnreachable, .enabled = false}});
  bench.look(3);
  bench.sim.unreachable = true;
  bench.sim.elect(325);
  bench.look(30);
  bench.sim.unreachable = false;  // it answers, and elects a primary for another twenty seconds
  bench.look(20);
  EXPECT_THAT(bench.notices, IsEmpty()) << bench.notices[0].text;
}

TEST(Alerts, SeeAStandstillThroughMembersThatAreApart) {
  Bench bench(Kind::kOutside, {});
  bench.look(3);
  bench.sim.no_majority = true;
  for (int i = 0; i < 6; ++i) {
    bench.pass(10, true);
    Signals signals = bench.sim.look();
    if (i % 2 == 0) signals.health->value().latest.seconds -= 3;
    bench.judge(signals);
  }
  EXPECT_THAT(bench.firing(), ElementsAre("source_stalled"));
}

TEST(Alerts, TakeAPositionOfAnotherStreamForNoStepBack) {
  Bench bench(Kind::kOutside, {});
  bench.look(3);
  bench.sim.wedged = true;
  bench.sim.stored.deployment = "rs9/9";
  bench.sim.stored.position = testing::position_at({bench.sim.second - 100'000, 1});
  bench.look(3);
  EXPECT_THAT(bench.firing(), ElementsAre("position_foreign"));
}

TEST(Alerts, HoldNoOplogWindowAgainstAResumingPipelineUntilTheOplogRollsOn) {
  Bench bench(Kind::kInProcess, {});
  bench.look(3);
  bench.sim.oldest_forced = bson::Timestamp{bench.sim.second - 20, 1};
  bench.look();
  bench.sim.restart(1, 400);
  bench.look(30);
  EXPECT_THAT(bench.notices, IsEmpty()) << bench.notices[0].text;
  bench.sim.oldest_forced->seconds += 15;
  bench.look(9);
  EXPECT_THAT(bench.firing(), ElementsAre("oplog_window", "oplog_window_critical"));
}

TEST(Alerts, TellAPositionThatCannotBeSavedFromASinkThatFails) {
  Bench bench(Kind::kInProcess,
              {{.rule = RuleId::kPositionStuck, .enabled = false}, {.rule = RuleId::kLag, .enabled = false}});
  bench.look(3);
  bench.sim.saves_refused = true;
  bench.sim.busy = false;
  bench.look(10);
  EXPECT_THAT(bench.firing(), ElementsAre("saves_failing"));
}

TEST(Alerts, AreNotOfASinkThatFailsNowAndThenAndGetsOn) {
  Bench bench(Kind::kInProcess, {});
  for (int i = 0; i < 60; ++i) {
    bench.pass(10, true);
    ++bench.sim.view.sink_retries;
    Signals signals = bench.sim.look();
    signals.view->state = to_string(PipelineState::kWaitingForSink);
    bench.judge(signals);
  }
  EXPECT_THAT(bench.notices, IsEmpty());
}

TEST(Alerts, AreNotOfAPipelineThatEndedOnRequest) {
  Bench bench(Kind::kFeed, {});
  bench.look(3);
  Signals signals = bench.sim.look();
  signals.view->ended = true;
  signals.view->state = to_string(PipelineState::kFinished);
  bench.pass(10, false);
  bench.judge(signals);
  EXPECT_THAT(bench.notices, IsEmpty());
}

TEST(Alerts, BeginTheFeedsCountWithWhatTheStatsHaveNotSeen) {
  Bench bench(Kind::kFeed, {});
  for (int i = 0; i < 20; ++i) {
    // The stats are old each time, and the feed is ahead of them.
    bench.pass(10, true);
    Signals signals = bench.sim.look();
    signals.stats->age_s += 20;
    signals.stats->total = *signals.stats->total - 20;
    bench.judge(signals);
  }
  bench.look(30);
  EXPECT_THAT(bench.notices, IsEmpty()) << bench.notices[0].text;
}

TEST(Alerts, OweNothingToAFeedThatWasStoredBeforeItBegan) {
  Bench bench(Kind::kFeed, {});
  for (int i = 0; i < 30; ++i) {
    bench.pass(10, true);
    Signals signals = bench.sim.look();
    if (i == 0) {
      signals.stats->age_s = 3;
      signals.stats->total = *signals.stats->total - 5000;
    }
    bench.judge(signals);
  }
  EXPECT_THAT(bench.notices, IsEmpty()) << bench.notices[0].text;
}

TEST(Alerts, ForgiveAFeedThatShowsUpdatesButNotForLong) {
  Bench bench(Kind::kFeed, {});
  bench.look(5);
  bench.sim.view.events_delivered += 1'000'000;  // a replay
  bench.look(10);
  bench.sim.cursor_dead = true;
  bench.look(5);
  EXPECT_TRUE(bench.fires("feed_behind"));
}

}  // namespace
}  // namespace tidemark::guard
