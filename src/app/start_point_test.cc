#include "app/start_point.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace tidemark::app {
namespace {

TEST(ParseRfc3339, ReadsTimesWithAndWithoutAnOffset) {
  EXPECT_EQ(parse_rfc3339("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(parse_rfc3339("2026-11-22T03:00:00Z"), 1795316400);
  EXPECT_EQ(parse_rfc3339("2026-11-22T04:00:00+01:00"), 1795316400);
  EXPECT_EQ(parse_rfc3339("2026-11-21T21:30:00.75-05:30"), 1795316400);
  EXPECT_EQ(parse_rfc3339("2024-02-29 12:00:00z"), 1709208000);
}

TEST(ParseRfc3339, RefusesWhatIsNotATime) {
  for (const char* text : {"", "now", "2026-11-22", "2026-11-22T03:00:00", "2026-13-01T00:00:00Z",
                           "2025-02-29T00:00:00Z", "2026-11-22T24:00:00Z", "2026-11-22T03:00:00+1:00",
                           "2026-11-22T03:00:00Z ", "x026-11-22T03:00:00Z", "2026-11-22T03:-1:00Z"})
    EXPECT_FALSE(parse_rfc3339(text)) << text;
}

RC_GTEST_PROP(ParseRfc3339, ReadsWhatFormatWrites, ()) {
  const auto seconds = *rc::gen::inRange<int64_t>(0, UINT32_MAX);
  RC_ASSERT(parse_rfc3339(format_rfc3339(seconds)) == seconds);
}

TEST(ParseStartPoint, KnowsTheFourKinds) {
  EXPECT_EQ(parse_start_point("now")->kind, StartPoint::Kind::kNow);
  EXPECT_EQ(parse_start_point("earliest")->kind, StartPoint::Kind::kEarliest);
  const auto time = parse_start_point("time:2026-11-22T03:00:00Z");
  EXPECT_EQ(time->kind, StartPoint::Kind::kTime);
  EXPECT_EQ(time->time.seconds, 1795316400u);
  const auto token = parse_start_point("token:826B0257");
  EXPECT_EQ(token->kind, StartPoint::Kind::kToken);
  EXPECT_EQ(token->token_data, "826B0257");
}

TEST(ParseStartPoint, SaysWhatIsExpectedInstead) {
  for (const char* text :
       {"", "latest", "time:", "time:yesterday", "token:", "token:xyz", "time:1960-01-01T00:00:00Z",
        "time:1970-01-01T00:00:00Z", "time:2106-02-07T06:28:16Z", "time:9999-01-01T00:00:00Z"}) {
    const auto start = parse_start_point(text);
    ASSERT_FALSE(start) << text;
    EXPECT_EQ(start.error().react, React::kConfig);
  }
  EXPECT_NE(parse_start_point("latest").error().hint.find("now, earliest"), std::string::npos);
}

}  // namespace
}  // namespace tidemark::app
