#include "runtime/stats_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/manual_clock.h"

namespace tidemark {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

struct FakeProbe final : StatsProbe {
  explicit FakeProbe(Result<StatsReport>& answer) : answer(answer) {}
  std::string describe() const override { return "fake"; }
  Result<StatsReport> look(std::stop_token) override { return answer; }
  Result<StatsReport>& answer;
};

class StatsWatchTest : public ::testing::Test {
 protected:
  StatsWatchTest() {
    std::vector<std::unique_ptr<StatsProbe>> probes;
    probes.push_back(std::make_unique<FakeProbe>(counts_));
    probes.push_back(std::make_unique<FakeProbe>(queue_));
    watch_ = std::make_unique<StatsWatch>(std::move(probes), seconds(5), clock_);
  }
  tidemark::testing::ManualClock clock_;
  Result<StatsReport> counts_ = StatsReport{.total = 100, .at = {7, 1}};
  Result<StatsReport> queue_ = StatsReport{.queue_depth = 3, .queue = "events"};
  std::unique_ptr<StatsWatch> watch_;
};

TEST_F(StatsWatchTest, PutsTheProbesAnswersTogetherAndTheirRate) {
  watch_->look({});
  clock_.advance(seconds(5));
  counts_->total = 150;
  watch_->look({});
  const StatsView view = watch_->view();
  EXPECT_EQ(view.total, 150);
  EXPECT_EQ(view.queue_depth, 3);
  EXPECT_EQ(view.queue, "events");
  EXPECT_EQ(view.cluster_seconds, 7u);
  EXPECT_DOUBLE_EQ(view.per_s.value(), 10.0);
  EXPECT_EQ(view.error, "");
}

TEST_F(StatsWatchTest, KeepsTheLastFiguresAndTheirAgeWhileAProbeFails) {
  watch_->look({});
  clock_.advance(seconds(5));
  counts_ = fail(React::kRetry, "no primary");
  watch_->look({});
  clock_.advance(seconds(4));
  const StatsView view = watch_->view();
  EXPECT_EQ(view.total, 100);
  EXPECT_DOUBLE_EQ(view.age_s, 9.0);
  EXPECT_THAT(view.error, HasSubstr("fake: no primary"));
}

}  // namespace
}  // namespace tidemark
