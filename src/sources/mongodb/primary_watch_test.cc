#include "sources/mongodb/primary_watch.h"

#include <gtest/gtest.h>

namespace tidemark::mongodb {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kPatience{15};

TEST(PrimaryWatch, AStartAndAnElectionAreNoNews) {
  PrimaryWatch watch(kPatience);
  EXPECT_FALSE(watch.note(false, seconds(0)));
  EXPECT_FALSE(watch.note(true, milliseconds(40)));
  EXPECT_FALSE(watch.note(false, seconds(100)));
  EXPECT_FALSE(watch.note(false, seconds(112)));
  EXPECT_FALSE(watch.note(true, seconds(113)));
  EXPECT_FALSE(watch.note(false, seconds(114))) << "patience begins anew with each absence";
  EXPECT_FALSE(watch.note(false, seconds(128)));
}

TEST(PrimaryWatch, APrimaryThatStaysAwayIsToldOnce) {
  PrimaryWatch watch(kPatience);
  EXPECT_FALSE(watch.note(true, seconds(1)));
  EXPECT_FALSE(watch.note(false, seconds(2)));
  EXPECT_EQ(watch.note(false, seconds(17)), seconds(15));
  EXPECT_FALSE(watch.note(false, seconds(60)));
  EXPECT_FALSE(watch.note(true, seconds(61)));
  EXPECT_FALSE(watch.note(false, seconds(62)));
  EXPECT_EQ(watch.note(false, seconds(80)), seconds(18)) << "the next absence is news again";
}

TEST(PrimaryWatch, OneThatNeverWasThereIsToldToo) {
  PrimaryWatch watch(kPatience);
  EXPECT_FALSE(watch.note(false, seconds(5)));
  EXPECT_EQ(watch.note(false, seconds(20)), seconds(15));
}

}  // namespace
}  // namespace tidemark::mongodb
