#include "guard/pace.h"

#include <gtest/gtest.h>

#include "guard/testing/audit_harness.h"

namespace tidemark::guard {
namespace {

using audit_world::SteppingClock;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Pace, SleepsAsLongAsWhatWasReadShouldHaveTaken) {
  SteppingClock clock;
  Pace pace(clock, 100);
  ASSERT_TRUE(pace.spent(50, {}));
  EXPECT_EQ(clock.slept, milliseconds(500));
  clock.advance(milliseconds(200));  // reading takes its own time
  ASSERT_TRUE(pace.spent(50, {}));
  EXPECT_EQ(clock.slept, milliseconds(1000)) << "the 200 ms passed before it was asked for are no debt";
}

TEST(Pace, SavesNothingUpForABurst) {
  SteppingClock clock;
  Pace pace(clock, 100);
  ASSERT_TRUE(pace.spent(1, {}));
  clock.advance(seconds(3600));
  clock.slept = {};
  ASSERT_TRUE(pace.spent(200, {}));
  EXPECT_EQ(clock.slept, seconds(2));
}

TEST(Pace, ZeroIsNoLimit) {
  SteppingClock clock;
  Pace pace(clock, 0);
  ASSERT_TRUE(pace.spent(1'000'000'000, {}));
  EXPECT_EQ(clock.slept.count(), 0);
  EXPECT_EQ(pace.page(1000), 1000U);
}

TEST(Pace, CutsPagesToAboutASecond) {
  SteppingClock clock;
  EXPECT_EQ(Pace(clock, 30).page(1000), 30U);
  EXPECT_EQ(Pace(clock, 0.5).page(1000), 1U);
  EXPECT_EQ(Pace(clock, 5000).page(1000), 1000U);
}

TEST(Pace, EndsAtAStop) {
  SteppingClock clock;
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(Pace(clock, 0).spent(1, stop.get_token()).error().react, React::kCancelled);
}

TEST(Tries, EndAfterFiveAndOnlyForWhatMayPass) {
  SteppingClock clock;
  int calls = 0;
  int reopened = 0;
  const auto again = [&]() -> Status {
    ++reopened;
    return {};
  };
  const auto failing = [&]() -> Status {
    ++calls;
    return fail(React::kRetry, "no");
  };
  EXPECT_FALSE(with_tries(clock, {}, failing, again));
  EXPECT_EQ(calls, 5);
  EXPECT_EQ(reopened, 4);
  EXPECT_EQ(clock.slept, seconds(15));
  calls = 0;
  const auto wrong = [&]() -> Status {
    ++calls;
    return fail(React::kConfig, "no");
  };
  EXPECT_FALSE(with_tries(clock, {}, wrong, again));
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace tidemark::guard
