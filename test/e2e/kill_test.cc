// The relay killed with SIGKILL at random moments under a writer: afterwards both ends are equal, and a log holds every
// event once.
#include <csignal>
#include <tuple>

#include "e2e/relay.h"

namespace tidemark::e2e {
namespace {

using std::chrono::milliseconds;

constexpr int kKills = 50;
constexpr uint64_t kSeed = 20260101;

class KilledRelay : public EndToEnd, public ::testing::WithParamInterface<std::tuple<SinkKind, Mode>> {
 protected:
  // One life of the relay. Every third is cut short while it starts; the others once it has moved the position.
  void live_and_die(int life, SeededRandom& random) {
    const std::string before = destination_->position();
    const auto relay = start_relay(config_);
    if (life % 3 != 0) {
      const bool moved =
          testing::eventually([&] { return !relay->running() || destination_->position() != before; });
      ASSERT_TRUE(relay->running()) << "life " << life << " ended by itself: " << relay->error_output();
      ASSERT_TRUE(moved) << "life " << life << " made no progress: " << relay->error_output();
      ++progressed_;
    }
    // The moment is the test's input, not something to wait for.
    relay->wait(milliseconds(random.below(life % 3 == 0 ? 120 : 50)));
    ASSERT_TRUE(relay->running()) << "life " << life << " ended by itself: " << relay->error_output();
    relay->kill_now();
  }

  int progressed_ = 0;
};

TEST_P(KilledRelay, LosesNothingAndDoublesNothing) {
  const auto [kind, mode] = GetParam();
  use(kind, mode);
  if (IsSkipped()) return;
  init_position();
  ReferenceStream reference(setup_.uri, setup_.database, setup_.collection);
  Workload workload(setup_.uri, setup_.database, setup_.collection, kSeed);
  SeededRandom random(kSeed + static_cast<uint64_t>(kind) * 2 + static_cast<uint64_t>(mode));
  for (int life = 0; life < kKills; ++life) {
    live_and_die(life, random);
    if (HasFatalFailure()) return;
  }
  EXPECT_GE(progressed_, kKills / 2);
  EXPECT_GT(workload.stop(), kKills) << "there was nothing to lose";
  if (mode == Mode::kCurrent) {
    run_until_equal();
    expect_equal_ends();
    return;
  }
  const auto tokens = reference.tokens_to_the_end();
  run_until_delivered(tokens);
  expect_same_events(tokens);
  // A file's events, applied in order, are the documents too.
  if (kind == SinkKind::kFile) expect_equal_ends();
}

INSTANTIATE_TEST_SUITE_P(EverySink, KilledRelay,
                         ::testing::Values(std::tuple(SinkKind::kSqlite, Mode::kCurrent),
                                           std::tuple(SinkKind::kSqlite, Mode::kLog),
                                           std::tuple(SinkKind::kPostgres, Mode::kCurrent),
                                           std::tuple(SinkKind::kPostgres, Mode::kLog),
                                           std::tuple(SinkKind::kFile, Mode::kLog)),
                         [](const auto& info) {
                           return to_string(std::get<0>(info.param)) + "_" +
                                  to_string(std::get<1>(info.param));
                         });

// A deployment that fails at the same time as the relay dies.
TEST_F(EndToEnd, AKilledRelayAndAnElectionLoseNothing) {
  if (!set_->is_sandbox()) GTEST_SKIP() << "elections at will need the sandbox";
  use(SinkKind::kSqlite, Mode::kCurrent);
  init_position();
  Workload workload(setup_.uri, setup_.database, setup_.collection, kSeed);
  for (int round = 0; round < 2; ++round) {
    const std::string before = destination_->position();
    const auto relay = start_relay(config_);
    ASSERT_TRUE(testing::eventually([&] { return destination_->position() != before; }))
        << relay->error_output();
    ASSERT_TRUE(testing::eventually([&] {
      return client_->run("admin", R"({"replSetStepDown": 5, "secondaryCatchUpPeriodSecs": 1})").has_value();
    }));
    relay->kill_now();
  }
  workload.stop();
  run_until_equal();
  expect_equal_ends();
}

}  // namespace
}  // namespace tidemark::e2e
