// Failures of the source that leave the process up, its connections open and its log quiet.
#include "detection/fixture.h"

namespace tidemark::detection {
namespace {

using testing::Mongo;
using testing::ReplicaSet;

class SourceDetection : public Detection {
 protected:
  // A replica set of the test's own, in place of the shared one: to be broken for good.
  void use_own_set(std::vector<std::string> sandbox_args = {}) {
    auto set =
        ReplicaSet::start({.members = 3, .sandbox_args = std::move(sandbox_args), .sandbox_only = true});
    if (!set && set.error().react == React::kConfig) GTEST_SKIP() << set.error().describe();
    ASSERT_TRUE(set) << set.error().describe();
    own_set_ = std::move(*set);
    client_ = std::make_unique<Mongo>(own_set_->uri());
    setup_.uri = own_set_->uri();
  }
  void sandbox(const std::string& command) {
    const auto reply = client_->run("admin", command);
    ASSERT_TRUE(reply) << reply.error().describe();
  }
  void need_fail_points() {
    if (!set_->is_sandbox()) GTEST_SKIP() << "the deployment that was given has no fail points";
  }

  std::unique_ptr<ReplicaSet> own_set_;
};

TEST_F(SourceDetection, AnIdleButHealthySourceRaisesNothing) {
  start_relay();
  start_guard();
  for (int n = 0; n < 30; ++n) healthy_tick();
  expect_silence();
}

TEST_F(SourceDetection, AnHourOfHealthyLifeRaisesNothing) {
  start_relay();
  start_guard();
  for (int n = 0; n < 360; ++n) {
    if (n % 3 != 2) {
      write_orders(n * 10, 10);
      ASSERT_TRUE(client_->remove(setup_.database, setup_.collection,
                                  "{\"_id\": " + std::to_string(n * 10 + 4) + "}"));
    }
    healthy_tick();
    if (n % 60 == 59) audit();
    if (n == 150) {
      stop_relay();
      restart_relay();
    }
  }
  expect_silence();
}

TEST_F(SourceDetection, ACursorThatIsDeadAndWhoseReopeningIsRefused) {
  need_fail_points();
  if (IsSkipped()) return;
  start_relay();
  start_guard(See::kOutsideAlone);
  healthy_tick();
  refuse_streams();
  expect_flagged(RuleId::kPositionStuck);
  stop_failing();
  expect_resolved(RuleId::kPositionStuck);
}

TEST_F(SourceDetection, AReopeningThatIsRefusedIsNamedAsTheSourcesRefusal) {
  need_fail_points();
  if (IsSkipped()) return;
  start_relay();
  start_guard();
  healthy_tick();
  refuse_streams();
  expect_flagged(RuleId::kSourceFailing, {RuleId::kPositionStuck});
}

TEST_F(SourceDetection, ACursorThatHangsUnderAnOpenConnection) {
  need_fail_points();
  if (IsSkipped()) return;
  start_relay();
  start_guard(See::kOutsideAlone);
  healthy_tick();
  fail_commands(
      R"({"failCommands": ["getMore", "aggregate"], "blockConnection": true, "blockTimeMS": 600000})");
  expect_flagged(RuleId::kPositionStuck);
}

TEST_F(SourceDetection, ALongResumeScanRaisesNothing) {
  need_fail_points();
  if (IsSkipped()) return;
  start_relay();
  stop_relay();
  // The server looks for where the stream goes on: the open doesn't answer for long.
  fail_commands(R"({"failCommands": ["aggregate"], "blockConnection": true, "blockTimeMS": 600000})");
  restart_relay();
  ASSERT_TRUE(testing::eventually([&] { return relay_->status().state == PipelineState::kOpening; }));
  start_guard();
  for (int n = 0; n < 30; ++n) tick();  // five minutes
  expect_silence();
}

TEST_F(SourceDetection, ASetWithoutAMajorityThatStaysOpenAndSilent) {
  use_own_set();
  if (IsSkipped()) return;
  start_relay();
  start_guard();
  healthy_tick();
  // A primary that keeps its office and answers, and nothing of what it takes is ever the majority's.
  const auto replication = [&](const std::string& action) {
    for (int member = 0; member < 3; ++member)
      sandbox("{\"sandbox\": \"" + action + "\", \"member\": " + std::to_string(member) + "}");
  };
  replication("stopReplication");
  bool flagged = false;
  for (int n = 0; n < 8 && !flagged; ++n) {
    clock_.advance(kInterval);  // without the heartbeat, which would wait for the majority
    watch_->look_once({});
    flagged = firing(RuleId::kSourceStalled);
  }
  EXPECT_TRUE(flagged);
  EXPECT_FALSE(firing(RuleId::kSourceUnreachable)) << "it answers";
  replication("startReplication");
}

TEST_F(SourceDetection, ADeploymentThatIsGone) {
  use_own_set();
  if (IsSkipped()) return;
  setup_.uri += (setup_.uri.find('?') == std::string::npos ? "?" : "&") +
                std::string("serverSelectionTimeoutMS=200&connectTimeoutMS=200");
  start_relay();
  start_guard();
  healthy_tick();
  own_set_->process().kill_now();
  bool flagged = false;
  for (int n = 0; n < 6 && !flagged; ++n) {
    clock_.advance(kInterval);
    watch_->look_once({});
    flagged = firing(RuleId::kSourceUnreachable);
  }
  EXPECT_TRUE(flagged);
}

TEST_F(SourceDetection, AnOplogThatIsAboutToRollOverThePosition) {
  use_own_set({"--oplog-mb", "1"});
  if (IsSkipped()) return;
  start_relay();
  await_caught_up();
  stop_relay();
  start_guard(See::kOutsideAlone);
  tick();
  // Until the position has less than a quarter of the window left. The window is time, and the sandbox's clock is civil.
  const std::string filler(20'000, 'x');
  int n = 0;
  const auto ratio = [&] {
    const guard::Signals seen = look();
    const double window = guard::seconds_between((*seen.health)->oldest, (*seen.health)->latest);
    return window <= 0
               ? 1.0
               : guard::seconds_between((*seen.health)->oldest, guard::time_of(***seen.position)) / window;
  };
  ASSERT_TRUE(testing::eventually([&] {
    (void)client_->insert(setup_.database, "filler",
                          "{\"_id\": " + std::to_string(n++) + ", \"x\": \"" + filler + "\"}");
    const double left = ratio();
    return left > 0 && left < 0.2;
  })) << "the oplog doesn't roll; "
      << ratio() << " is left";
  bool warned = false, critical = false;
  for (int looks = 0; looks < 9 && !(warned && critical); ++looks) {
    clock_.advance(kInterval);
    watch_->look_once({});
    warned = firing(RuleId::kOplogWindow);
    critical = firing(RuleId::kOplogWindowCritical);
  }
  EXPECT_TRUE(warned);
  EXPECT_TRUE(critical);
}

TEST_F(SourceDetection, APositionWhoseHistoryIsGone) {
  use_own_set();
  if (IsSkipped()) return;
  start_relay();
  await_caught_up();
  stop_relay();
  start_guard(See::kOutsideAlone);
  const bson::Timestamp position = guard::time_of(***look().position);
  int written = 0;
  // Cluster time has to be later by a whole second: the oplog's window is told in seconds.
  ASSERT_TRUE(testing::eventually([&] {
    write_orders(written++, 1);
    return (*look().health)->latest.seconds > position.seconds + 1;
  }));
  sandbox(R"({"sandbox": "truncateOplog", "keep": 1})");
  expect_flagged(RuleId::kPositionLost,
                 {RuleId::kOplogWindow, RuleId::kOplogWindowCritical, RuleId::kPositionStuck, RuleId::kLag});
}

TEST_F(SourceDetection, AFilterThatMatchesNothing) {
  setup_.after =
      "[[pipeline.transform]]\ntype = \"filter\"\nwhere = '{\"fullDocument.item\": \"nobody has this\"}'\n";
  start_relay();
  start_guard();
  healthy_tick();
  write_orders(0, 1500);
  await_caught_up();
  ASSERT_TRUE(testing::eventually([&] { return monitor_->views().at(0).events_filtered >= 1500; }));
  expect_flagged(RuleId::kNothingDelivered);
}

TEST_F(SourceDetection, AFilterThatMatchesNothingIsSeenByAnAuditToo) {
  setup_.after =
      "[[pipeline.transform]]\ntype = \"filter\"\nwhere = '{\"fullDocument.item\": \"nobody has this\"}'\n";
  start_relay();
  start_guard(See::kOutsideAlone);
  write_orders(0, 1500);
  await_caught_up();
  audit();
  expect_flagged(RuleId::kNothingDelivered);
}

TEST_F(SourceDetection, AMachineWhoseClockJumps) {
  start_relay();
  start_guard();
  healthy_tick();
  clock_.jump(std::chrono::hours(2));
  expect_flagged(RuleId::kClockJumped);
}

}  // namespace
}  // namespace tidemark::detection
