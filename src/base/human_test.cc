#include "base/human.h"

#include <gtest/gtest.h>

namespace tidemark {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Human, NumbersAndDurationsReadWell) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(-1234567), "-1,234,567");
  EXPECT_EQ(grouped(std::numeric_limits<int64_t>::min()), "-9,223,372,036,854,775,808");
  EXPECT_EQ(human_duration(milliseconds(999)), "999 ms");
  EXPECT_EQ(human_duration(milliseconds(12'400)), "12.4 s");
  EXPECT_EQ(human_duration(seconds(180)), "3 min");
}

}  // namespace
}  // namespace tidemark
