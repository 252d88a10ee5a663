// The relay dying at every step of its loop, at the first, second and fifth time it gets there.
#include <tuple>

#include "e2e/relay.h"
#include "env/random.h"

namespace tidemark::e2e {
namespace {

constexpr int kKilled = 137;

class CrashPoint : public EndToEnd, public ::testing::WithParamInterface<std::tuple<SinkKind, const char*>> {
 protected:
  void crash(const std::string& point, int reaches) {
    const auto relay = start_relay(config_, "tidemark-crash", {point, std::to_string(reaches)});
    const auto status = relay->wait();
    ASSERT_TRUE(status.has_value()) << "it never reached " << point << " " << reaches
                                    << " times: " << relay->error_output();
    ASSERT_EQ(status->code, kKilled) << relay->error_output();
  }
};

TEST_P(CrashPoint, LosesNothingAndDoublesNothing) {
  const auto [kind, point] = GetParam();
  const std::string name = point;
  use(kind, Mode::kLog);
  if (IsSkipped()) return;
  // With one lane the SQL sinks save within the write; with two they have a saver.
  const bool saves = name == "before_save" || name == "after_save";
  if (saves && kind != SinkKind::kFile) setup_.frame = "lanes = 2";
  init_position();
  ReferenceStream reference(setup_.uri, setup_.database, setup_.collection);
  Workload workload(setup_.uri, setup_.database, setup_.collection, 7, 2'000);
  for (const int reaches : {1, 2, 5}) {
    // One life opens the stream once: more of them need more lives.
    const bool once_a_life = name == "opened";
    for (int life = 0; life < (once_a_life ? reaches : 1); ++life) {
      crash(name, once_a_life ? 1 : reaches);
      if (HasFatalFailure()) return;
    }
  }
  workload.stop();
  const auto tokens = reference.tokens_to_the_end();
  run_until_delivered(tokens);
  if (!saves || kind == SinkKind::kFile) {
    expect_same_events(tokens);
  } else {
    const auto found = destination_->tokens();
    EXPECT_THAT(found, ::testing::UnorderedElementsAreArray(tokens))
        << "lanes write side by side, yet each once";
  }
}

INSTANTIATE_TEST_SUITE_P(
    EveryPoint, CrashPoint,
    ::testing::Combine(::testing::Values(SinkKind::kSqlite, SinkKind::kPostgres, SinkKind::kFile),
                       ::testing::Values("opened", "read", "before_write", "after_write", "before_save",
                                         "after_save")),
    [](const auto& info) { return to_string(std::get<0>(info.param)) + "_" + std::get<1>(info.param); });

}  // namespace
}  // namespace tidemark::e2e
