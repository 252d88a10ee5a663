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

TEST(Human, WhatIsPrintedStaysOnItsLineAndMovesNoCursor) {
  EXPECT_EQ(printable("a\nb\r\tc\x1b[2J\x7f"), "a\\nb\\r\\tc\\x1b[2J\\x7f");
  EXPECT_EQ(printable("\u009b2J caf\u00e9 \u20ac"), "\\xc2\\x9b2J caf\u00e9 \u20ac");
  EXPECT_EQ(printable(std::string("\0", 1)), "\\x00");
  EXPECT_EQ(printable("caf\xe9"), "caf\xe9");
}

}  // namespace
}  // namespace tidemark
