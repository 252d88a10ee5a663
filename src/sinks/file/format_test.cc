#include "sinks/file/format.h"

#include <gtest/gtest.h>

namespace tidemark {
namespace {

TEST(Rfc3339, CoversTheYearsItCanWrite) {
  EXPECT_EQ(rfc3339(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(rfc3339(1'709'210'096'005), "2024-02-29T12:34:56.005Z");
  EXPECT_EQ(rfc3339(-1), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(rfc3339(-62'167'219'200'000), "0000-01-01T00:00:00.000Z");
  EXPECT_EQ(rfc3339(253'402'300'799'999), "9999-12-31T23:59:59.999Z");
  EXPECT_EQ(rfc3339(253'402'300'800'000), "");
  EXPECT_EQ(rfc3339(INT64_MIN), "");
  EXPECT_EQ(rfc3339(INT64_MAX), "");
}

}  // namespace
}  // namespace tidemark
