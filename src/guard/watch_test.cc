#include "guard/watch.h"

#include <latch>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "guard/testing/alerts_harness.h"
#include "support/manual_clock.h"

namespace tidemark::guard {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Sim = testing::SimPipeline;

class Recorder final : public Notifier {
 public:
  void notify(const AlertView& alert) override {
    MutexLock lock(mutex_);
    told_.push_back(alert.pipeline + " " + alert.name + (alert.firing ? " fired" : " resolved"));
  }
  Counts counts() const override { return {2, 1}; }
  std::vector<std::string> told() const {
    MutexLock lock(mutex_);
    return told_;
  }

 private:
  mutable Mutex mutex_;
  std::vector<std::string> told_ GUARDED_BY(mutex_);
};

// Driven by hand: one round of looks an interval.
class WatchTest : public ::testing::Test {
 protected:
  void make(std::vector<WatchAudit> audits = {}) {
    std::vector<WatchSubject> subjects;
    subjects.push_back({"orders", {}, [this](std::stop_token) { return sim_.look(); }});
    watch_ = std::make_unique<Watch>(options_, std::move(subjects), std::move(audits),
                                     std::vector<Notifier*>{&recorder_}, clock_);
  }
  void round() {
    clock_.advance(seconds(10));
    for (int i = 0; i < 10; ++i) sim_.second_passes();
    watch_->look_once({});
  }
  // An audit that gives what `result_` holds.
  WatchAudit audit(std::chrono::milliseconds every = std::chrono::minutes(10)) {
    return {"orders", "checksum", every,
            [this](std::stop_token, const WatchAudit::Progress& progress) -> Result<AuditView> {
              ++runs_;
              clock_.advance(seconds(4));
              progress(0.5);
              seen_ = watch_->view();
              return result_;
            }};
  }
  AuditView shown() { return watch_->view().audits.at(0); }

  tidemark::testing::ManualClock clock_;
  Sim sim_{Sim::Kind::kOutside};
  Recorder recorder_;
  WatchOptions options_;
  Result<AuditView> result_ = testing::audit_of("", 0, 5).view;
  int runs_ = 0;
  GuardView seen_;
  std::unique_ptr<Watch> watch_;
};

TEST_F(WatchTest, ShowsWhatFiresAndTellsTheNotifiersOnce) {
  make();
  round();
  EXPECT_THAT(watch_->view().alerts, IsEmpty());
  sim_.position_gone = true;
  for (int i = 0; i < 5; ++i) round();
  ASSERT_THAT(watch_->view().alerts, SizeIs(1));
  EXPECT_EQ(watch_->view().alerts[0].name, "position_missing");
  EXPECT_THAT(recorder_.told(), ElementsAre("orders position_missing fired"));
  sim_.position_gone = false;
  for (int i = 0; i < 5; ++i) round();
  EXPECT_THAT(recorder_.told(),
              ElementsAre("orders position_missing fired", "orders position_missing resolved"));
  ASSERT_THAT(watch_->view().alerts, SizeIs(1));
  EXPECT_FALSE(watch_->view().alerts[0].firing);
}

TEST_F(WatchTest, TellsItsAgeAndWhatItsNotifiersCounted) {
  make();
  EXPECT_FALSE(watch_->view().age_s);
  round();
  clock_.advance(seconds(3));
  const GuardView view = watch_->view();
  EXPECT_TRUE(view.configured);
  EXPECT_EQ(view.interval_s, 10);
  EXPECT_EQ(view.age_s, 3.0);
  EXPECT_EQ(view.notices_sent, 2u);
  EXPECT_EQ(view.notices_failed, 1u);
}

TEST_F(WatchTest, ShowsAnAuditBeforeDuringAndAfterItsRun) {
  make({audit()});
  EXPECT_EQ(shown().state, "waiting");
  EXPECT_EQ(shown().every_s, 600);
  EXPECT_EQ(shown().finished_at_ms, 0);
  EXPECT_FALSE(shown().age_s);
  watch_->run_audits_once({});
  EXPECT_EQ(seen_.audits.at(0).state, "running");
  EXPECT_EQ(seen_.audits.at(0).progress, 0.5);
  clock_.advance(seconds(7));
  EXPECT_EQ(shown().pipeline, "orders");
  EXPECT_EQ(shown().kind, "checksum");
  EXPECT_EQ(shown().state, "waiting");
  EXPECT_EQ(shown().progress, 0);
  EXPECT_EQ(shown().age_s, 7.0);
  EXPECT_EQ(shown().duration_s, 4);
  EXPECT_EQ(shown().source_documents, 1000u);
  EXPECT_GT(shown().finished_at_ms, 0);
}

TEST_F(WatchTest, FiresForAnAuditsResultAtOnce) {
  make({audit()});
  round();
  result_->missing = 3;
  watch_->run_audits_once({});
  EXPECT_THAT(recorder_.told(), ElementsAre("orders audit_missing fired"));
  result_->missing = 0;
  watch_->run_audits_once({});
  EXPECT_THAT(recorder_.told(), ElementsAre("orders audit_missing fired", "orders audit_missing resolved"));
}

TEST_F(WatchTest, KeepsTheFiguresOfTheLastAuditThatSucceeded) {
  make({audit()});
  watch_->run_audits_once({});
  result_ = fail(React::kRetry, "no primary");
  watch_->run_audits_once({});
  EXPECT_EQ(shown().state, "waiting");
  EXPECT_THAT(shown().error, HasSubstr("no primary"));
  EXPECT_EQ(shown().source_documents, 1000u);
  EXPECT_THAT(recorder_.told(), IsEmpty());  // the next try may succeed
  watch_->run_audits_once({});
  EXPECT_THAT(recorder_.told(), ElementsAre("orders audit_failing fired"));
  result_ = AuditView{};
  watch_->run_audits_once({});
  EXPECT_EQ(shown().error, "");
  EXPECT_THAT(recorder_.told(), ElementsAre("orders audit_failing fired", "orders audit_failing resolved"));
}

TEST_F(WatchTest, CallsAnAuditStoppedThatNoWaitingMends) {
  make({audit()});
  result_ = fail(React::kConfig, "no grant");
  watch_->run_audits_once({});
  EXPECT_EQ(shown().state, "stopped");
  EXPECT_THAT(recorder_.told(), ElementsAre("orders audit_failing fired"));
}

TEST_F(WatchTest, TakesACancelledAuditForNoFailure) {
  make({audit()});
  result_ = fail(React::kCancelled, "stop");
  for (int i = 0; i < 5; ++i) watch_->run_audits_once({});
  EXPECT_EQ(shown().error, "");
  EXPECT_THAT(recorder_.told(), IsEmpty());
}

TEST_F(WatchTest, NeverRunsAnAuditThatIsOnlyByHand) {
  make({audit(milliseconds(0))});
  watch_->run_audits_once({});
  EXPECT_EQ(runs_, 0);
  EXPECT_THAT(watch_->view().audits, SizeIs(1));
}

TEST_F(WatchTest, GoesOnFromTheLastResultOfAnEarlierProcess) {
  AuditView last;
  last.duration_s = 9;
  last.finished_at_ms = clock_.wall_ms() - 60'000;
  last.source_documents = 5;
  WatchAudit given = audit();
  given.last = last;
  make({given});
  EXPECT_EQ(shown().age_s, 60.0);
  EXPECT_EQ(shown().source_documents, 5u);
  EXPECT_EQ(shown().duration_s, 9);
}

// With its threads: the clock stands until the test moves it.
class RunningWatch : public WatchTest {
 protected:
  ~RunningWatch() override { watch_.reset(); }
  // Moves the clock on until `done`, leaving the threads the time to keep up with it.
  template <class Done>
  void until(Done done) {
    MutexLock lock(mutex_);
    while (!done()) {
      clock_.advance(seconds(5));
      turn_.wait_for(mutex_, milliseconds(1));
    }
  }

 private:
  Mutex mutex_;
  CondVar turn_;
};

TEST_F(RunningWatch, LooksEveryIntervalAndRunsItsAuditsOnSchedule) {
  std::atomic<int> looks = 0, audits = 0;
  std::vector<WatchSubject> subjects;
  subjects.push_back({"orders", {}, [&](std::stop_token) {
                        ++looks;
                        return Signals{};
                      }});
  std::vector<WatchAudit> scheduled;
  scheduled.push_back(
      {"orders", "count", seconds(30), [&](std::stop_token, const auto&) -> Result<AuditView> {
         ++audits;
         return AuditView{};
       }});
  watch_ = std::make_unique<Watch>(options_, std::move(subjects), std::move(scheduled),
                                   std::vector<Notifier*>{}, clock_);
  watch_->start();
  until([&] { return looks >= 10 && audits >= 3; });
  watch_->stop();
  const int before = looks;
  clock_.advance(seconds(1000));
  EXPECT_EQ(looks, before);
}

TEST_F(RunningWatch, SaysWhenALookHangsAndStopsItPromptly) {
  std::vector<WatchSubject> subjects;
  subjects.push_back({"orders", {}, [&](std::stop_token stop) {
                        clock_.sleep_until(Mono::max(), stop);
                        return Signals{};
                      }});
  subjects.push_back({"users", {}, [&](std::stop_token) { return Signals{}; }});
  watch_ = std::make_unique<Watch>(options_, std::move(subjects), std::vector<WatchAudit>{},
                                   std::vector<Notifier*>{&recorder_}, clock_);
  watch_->start();
  until([&] { return !recorder_.told().empty(); });
  EXPECT_THAT(recorder_.told(), ElementsAre("orders guard_blind fired"));
  watch_->stop();
}

TEST_F(RunningWatch, EndsAnAuditUnderWayWhenItStops) {
  std::latch begun(1);
  std::vector<WatchAudit> audits;
  audits.push_back(
      {"orders", "checksum", seconds(60), [&](std::stop_token stop, const auto&) -> Result<AuditView> {
         begun.count_down();
         clock_.sleep_until(Mono::max(), stop);
         return fail(React::kCancelled, "stop");
       }});
  watch_ = std::make_unique<Watch>(options_, std::vector<WatchSubject>{}, std::move(audits),
                                   std::vector<Notifier*>{&recorder_}, clock_);
  watch_->start();
  until([&] { return begun.try_wait(); });
  watch_->stop();
  EXPECT_EQ(shown().error, "");
  EXPECT_THAT(recorder_.told(), IsEmpty());
}

}  // namespace
}  // namespace tidemark::guard
