#include "core/backoff.h"

#include <gtest/gtest.h>

namespace tidemark {
namespace {

using std::chrono::milliseconds;

// A source of randomness whose every draw is 0: no jitter.
class NoJitter final : public Random {
 public:
  uint64_t next_u64() override { return 0; }
};

TEST(Backoff, DoublesFromOneSecondToThirty) {
  NoJitter random;
  Backoff backoff({});
  std::vector<int64_t> waits;
  for (int i = 0; i < 8; ++i) waits.push_back(backoff.next(random).count());
  EXPECT_EQ(waits, (std::vector<int64_t>{1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000}));
}

TEST(Backoff, StartsAgainAfterAReset) {
  NoJitter random;
  Backoff backoff({});
  backoff.next(random);
  backoff.next(random);
  backoff.reset();
  EXPECT_EQ(backoff.next(random), milliseconds(1000));
}

TEST(Backoff, ShortensEachWaitByAtMostAQuarter) {
  SeededRandom random(7);
  Backoff backoff({milliseconds(1000), milliseconds(1000)});
  for (int i = 0; i < 1000; ++i) {
    const auto wait = backoff.next(random);
    EXPECT_GT(wait, milliseconds(750));
    EXPECT_LE(wait, milliseconds(1000));
  }
}

TEST(Backoff, StaysAtItsMaximumHoweverLongTheFaultLasts) {
  NoJitter random;
  Backoff backoff({});
  for (int i = 0; i < 10'000; ++i) backoff.next(random);
  EXPECT_EQ(backoff.next(random), milliseconds(30000));
}

}  // namespace
}  // namespace tidemark
