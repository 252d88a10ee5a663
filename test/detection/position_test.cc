// Positions that are not where the destination is, or not one process's alone.
#include <filesystem>
#include <fstream>

#include "detection/fixture.h"

namespace tidemark::detection {
namespace {

namespace fs = std::filesystem;

// A mongodb destination's rows in one place and the position in a file: what backups are restored one at a time from.
class PositionDetection : public Detection {
 protected:
  void SetUp() override {
    Detection::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    use(e2e::SinkKind::kFile, e2e::Mode::kLog);
    position_ = path("orders.position");
  }
  void command(std::vector<std::string> args) {
    ASSERT_THAT(e2e::tidemark(std::move(args)), e2e::ExitsWith(0));
  }

  std::string position_;
};

TEST_F(PositionDetection, APositionRestoredFromAnOldBackup) {
  start_relay();
  start_guard(See::kOutsideAlone);
  write_orders(0, 10);
  await_caught_up();
  stop_relay();
  fs::copy_file(position_, path("backup"));
  const bson::Timestamp then = guard::time_of(***look().position);
  restart_relay();
  int written = 10;
  ASSERT_TRUE(testing::eventually([&] {
    write_orders(written++, 1);
    await_caught_up();
    return guard::time_of(***look().position).seconds > then.seconds;
  }));
  healthy_tick();
  stop_relay();
  fs::copy_file(path("backup"), position_, fs::copy_options::overwrite_existing);
  expect_flagged(RuleId::kPositionMovedBack);
}

TEST_F(PositionDetection, APositionFileThatIsDamaged) {
  start_relay();
  await_caught_up();
  stop_relay();
  start_guard(See::kOutsideAlone);
  tick();
  std::fstream file(position_, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(20);
  file.write("#", 1);
  file.close();
  expect_flagged(RuleId::kPositionUnreadable);
}

TEST_F(PositionDetection, APositionThatIsGone) {
  start_relay();
  await_caught_up();
  stop_relay();
  start_guard(See::kOutsideAlone);
  tick();
  fs::remove(position_);
  expect_flagged(RuleId::kPositionMissing);
}

TEST_F(PositionDetection, ARelayThatNobodyStartedAgain) {
  start_relay();
  start_guard(See::kOutsideAlone);
  healthy_tick();
  stop_relay();
  expect_flagged(RuleId::kPositionStuck);
}

TEST_F(PositionDetection, TwoInstancesThatTakeThePositionFromEachOther) {
  start_relay();
  await_caught_up();
  start_guard(See::kOutsideAlone);
  healthy_tick();
  bool flagged = false;
  for (int n = 0; n < 8 && !flagged; ++n) {
    stop_relay();  // the one, or the other: each is started by a supervisor of its own
    restart_relay();
    await_caught_up();
    tick();
    flagged = firing(RuleId::kSecondInstance);
  }
  EXPECT_TRUE(flagged);
}

// --- in a destination that can be audited

class AheadDetection : public Detection {};

TEST_F(AheadDetection, APositionSavedAheadOfTheSink) {
  start_relay();
  write_orders(0, 10);
  await_rows(10);
  stop_relay();
  // What happened while nobody looked is skipped: the bug of every consumer that starts at now.
  write_orders(10, 5);
  ASSERT_THAT(e2e::tidemark({"position", "set", config_, "orders", "--from", "now", "--yes"}),
              e2e::ExitsWith(0));
  restart_relay();
  start_guard();
  healthy_tick();
  expect_silence();
  audit();
  EXPECT_EQ(watch_->view().audits.at(0).missing, 5u);
  expect_flagged(RuleId::kAuditMissing);
}

TEST_F(AheadDetection, APositionOfAnotherFilter) {
  start_relay();
  await_caught_up();
  stop_relay();
  file_.reset();
  setup_.collection = "others";
  start_guard(See::kOutsideAlone);
  expect_flagged(RuleId::kPositionForeign);
}

}  // namespace
}  // namespace tidemark::detection
