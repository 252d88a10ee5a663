#include "guard/alerts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "guard/testing/alerts_harness.h"

namespace tidemark::guard {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Bench;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Kind = testing::SimPipeline::Kind;

// The machine alone, fed with lags by hand: threshold 60, clearing 30.
class LagAlert : public ::testing::Test {
 protected:
  static RuleOverride patience(int for_s, int clear_s) {
    return {.rule = RuleId::kLag, .for_ms = seconds(for_s), .clear_ms = seconds(clear_s)};
  }
  explicit LagAlert(RuleOverride given = patience(30, 30))
      : alerts_({.interval = seconds(10),
                 .overrides = {given, {.rule = RuleId::kPositionMovedBack, .enabled = false}}}) {
    alerts_.add("orders", {});
    look(0);
  }

  // Ten seconds later. Everything but the lag is well; without a lag the look doesn't know it.
  void look(std::optional<int> lag_s) {
    now_ += seconds(10);
    second_ += 10;
    Signals signals;
    signals.pipeline = "orders";
    StoredPosition stored;
    stored.position =
        testing::position_at({second_ - static_cast<uint32_t>(lag_s.value_or(0)), ++increment_});
    signals.position = std::optional<StoredPosition>(stored);
    SourceHealth health;
    health.latest = {second_, increment_};
    signals.health = health;
    if (!lag_s) signals.health = fail(React::kRetry, "no answer");
    for (const AlertView& notice : alerts_.update(signals, now_, 0))
      if (notice.name == "lag") told_.push_back(notice.firing ? "fired" : "resolved");
  }

  Alerts alerts_;
  Mono now_{seconds(1)};
  uint32_t second_ = 1'000'000;
  uint32_t increment_ = 1;
  std::vector<std::string> told_;
};

TEST_F(LagAlert, FiresOnceItHasLastedAndNotBefore) {
  for (int i = 0; i < 3; ++i) look(100 + i);
  EXPECT_THAT(told_, IsEmpty());
  look(103);
  EXPECT_THAT(told_, ElementsAre("fired"));
  for (int i = 0; i < 20; ++i) look(110);
  EXPECT_THAT(told_, ElementsAre("fired"));
}

TEST_F(LagAlert, BeginsToWaitAnewWhenItWasOverMeanwhile) {
  for (int i = 0; i < 10; ++i) {
    look(100);
    look(100);
    look(59);
  }
  EXPECT_THAT(told_, IsEmpty());
}

TEST_F(LagAlert, ResolvesOnlyBelowTheClearingLimitAndAfterAWhile) {
  for (int i = 0; i < 4; ++i) look(100);
  for (int i = 0; i < 10; ++i) look(40);  // between the limits
  EXPECT_THAT(told_, ElementsAre("fired"));
  look(20);
  look(20);
  look(40);  // and it begins again
  look(20);
  look(20);
  look(20);
  EXPECT_THAT(told_, ElementsAre("fired"));
  look(20);
  EXPECT_THAT(told_, ElementsAre("fired", "resolved"));
}

TEST_F(LagAlert, DoesNotFlapWhileTheFigureCrossesItsLimit) {
  for (int i = 0; i < 4; ++i) look(100);
  for (int i = 0; i < 50; ++i) look(i % 2 == 0 ? 25 : 65);
  EXPECT_THAT(told_, ElementsAre("fired"));
}

TEST_F(LagAlert, IsNotMovedByALookThatDoesNotKnow) {
  for (int i = 0; i < 3; ++i) look(100);
  for (int i = 0; i < 10; ++i) look(std::nullopt);
  EXPECT_THAT(told_, IsEmpty());
  look(100);
  EXPECT_THAT(told_, ElementsAre("fired"));
  for (int i = 0; i < 10; ++i) look(std::nullopt);
  EXPECT_THAT(told_, ElementsAre("fired"));
}

TEST_F(LagAlert, LetsALagThatIsWorkedOffBe) {
  for (int lag_s = 20'000; lag_s > 60; lag_s -= 200) look(lag_s);
  EXPECT_THAT(told_, IsEmpty());
}

TEST_F(LagAlert, IsNotFooledByALagThatShrinksTooSlowly) {
  for (int lag_s = 20'000; lag_s > 19'900; lag_s -= 10) look(lag_s);
  EXPECT_THAT(told_, ElementsAre("fired"));
}

class LagAlertAtOnce : public LagAlert {
 protected:
  LagAlertAtOnce() : LagAlert(patience(0, 0)) {}
};

TEST_F(LagAlertAtOnce, FiresAndResolvesInOneLookEach) {
  look(61);
  look(30);
  look(60);
  look(61);
  EXPECT_THAT(told_, ElementsAre("fired", "resolved", "fired"));
}

TEST_F(LagAlertAtOnce, KeepsABoundedHistoryLatestFirst) {
  for (int i = 0; i < 150; ++i) {
    look(61 + i);
    look(0);
  }
  look(100);
  const auto views = alerts_.views();
  ASSERT_THAT(views, SizeIs(kAlertsShownMax));
  EXPECT_TRUE(views[0].firing);
  EXPECT_EQ(views[0].seq, 151u);
  EXPECT_FALSE(views[1].firing);
  EXPECT_EQ(views[1].seq, 150u);
  EXPECT_EQ(views[1].figure, 210);
  EXPECT_EQ(views[99].seq, 52u);
}

TEST(Alerts, NameTheFigureItsLimitAndWhatToDo) {
  Bench bench(Kind::kInProcess, {});
  bench.look(3);
  bench.sim.sink_refuses = true;
  bench.look(8);
  const auto views = bench.alerts.views();
  const auto it = std::find_if(views.begin(), views.end(),
                               [](const AlertView& alert) { return alert.name == "sink_failing"; });
  ASSERT_NE(it, views.end());
  EXPECT_EQ(it->pipeline, "orders");
  EXPECT_EQ(it->severity, Severity::kCritical);
  EXPECT_EQ(it->limit, 30);
  EXPECT_GT(it->figure, 30);
  EXPECT_EQ(it->unit, "seconds");
  EXPECT_THAT(it->text, HasSubstr("(limit 30 s): disk full"));
  EXPECT_THAT(it->hint, HasSubstr("mend the destination"));
  EXPECT_GT(it->fired_at_ms, 0);
  EXPECT_EQ(it->resolved_at_ms, 0);
}

TEST(Alerts, ResolveWhenTheFailureIsMended) {
  Bench bench(Kind::kInProcess, {});
  bench.look(3);
  bench.sim.sink_refuses = true;
  bench.look(12);
  EXPECT_THAT(bench.firing(), ElementsAre("lag", "position_stuck", "sink_failing"));
  bench.sim.sink_refuses = false;
  bench.look(8);
  EXPECT_THAT(bench.firing(), IsEmpty());
  EXPECT_THAT(bench.notices, SizeIs(6));
}

TEST(Alerts, AreSilentOnceTheyAreTurnedOff) {
  Bench bench(Kind::kOutside, {{.rule = RuleId::kSourceUnreachable, .enabled = false}});
  bench.sim.unreachable = true;
  bench.look(100);
  EXPECT_THAT(bench.notices, IsEmpty());
}

}  // namespace
}  // namespace tidemark::guard
