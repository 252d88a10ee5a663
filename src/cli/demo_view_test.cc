#include "cli/demo_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidemark::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

DemoSnapshot busy() {
  DemoSnapshot snapshot;
  snapshot.stage = "writing and breaking things";
  snapshot.seed = 18446744073709551615u;
  snapshot.elapsed = seconds(37);
  snapshot.duration = seconds(60);
  snapshot.source_count = 1204;
  snapshot.destination_count = 1203;
  snapshot.written = 18400;
  snapshot.delivered = 18395;
  snapshot.events_per_s = 498.4;
  snapshot.lag = milliseconds(12);
  snapshot.position_age = milliseconds(34);
  snapshot.relay = "running, start 3";
  snapshot.source = "primary is member 1";
  snapshot.rates.assign(200, 480);
  snapshot.inflicted = {3, 2, 3, 2, 3};
  snapshot.survived = {3, 2, 3, 2, 2};
  for (int i = 0; i < 30; ++i)
    snapshot.last_faults.push_back({FaultKind::kRelayKilled, seconds(31 - i),
                                    "process 12345, started again as 12399",
                                    i == 0 ? std::nullopt : std::optional(milliseconds(310 + i))});
  return snapshot;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

TEST(DemoView, FitsAnOrdinaryTerminalWithEveryFigure) {
  for (const bool colour : {false, true}) {
    const auto lines = render_frame(busy(), 80, 24, colour);
    EXPECT_LE(lines.size(), 24u);
    for (const std::string& line : lines) EXPECT_LE(columns(line), 80u) << line;
  }
  const std::string text = joined(render_frame(busy(), 80, 24, false));
  for (const char* expected : {"1,204",
                               "1,203",
                               "+1",
                               "498",
                               "12 ms",
                               "34 ms",
                               "18,400",
                               "18,395",
                               "12 of 13",
                               "election",
                               "primary kills",
                               "cursor kills",
                               "closed connections",
                               "kill -9 of the relay",
                               "recovering",
                               "survived in 311 ms",
                               "running, start 3",
                               "primary is member 1",
                               "00:37 of 01:00",
                               "Ctrl-C"})
    EXPECT_THAT(text, HasSubstr(expected));
}

TEST(DemoView, ATinyTerminalGetsWhatFits) {
  for (int height = 1; height < 30; ++height) {
    for (const int width : {1, 10, 39, 41, 80, 300}) {
      const auto lines = render_frame(busy(), width, height, true);
      EXPECT_LE(lines.size(), static_cast<size_t>(height));
      for (const std::string& line : lines) EXPECT_LE(columns(line), static_cast<size_t>(width));
    }
  }
}

TEST(DemoView, WhatIsNotKnownYetIsADash) {
  const std::string text = joined(render_frame(DemoSnapshot{}, 80, 24, false));
  EXPECT_THAT(text, HasSubstr("- documents"));
  EXPECT_THAT(render_line(DemoSnapshot{}), HasSubstr("source - destination - delta -"));
}

TEST(DemoView, APlainLineHoldsTheSameFigures) {
  const std::string line = render_line(busy());
  for (const char* expected : {"00:37", "source 1,204", "destination 1,203", "delta +1", "events/s 498",
                               "lag 12 ms", "position age 34 ms", "survived 12 of 13"})
    EXPECT_THAT(line, HasSubstr(expected));
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_EQ(line.find('\x1b'), std::string::npos);
}

TEST(DemoView, NumbersAndDurationsReadWell) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(-1234567), "-1,234,567");
  EXPECT_EQ(grouped(INT64_MIN), "-9,223,372,036,854,775,808");
  EXPECT_EQ(human_duration(milliseconds(999)), "999 ms");
  EXPECT_EQ(human_duration(milliseconds(12'400)), "12.4 s");
  EXPECT_EQ(human_duration(seconds(180)), "3 min");
}

TEST(DemoView, ColoursTakeNoColumn) {
  EXPECT_EQ(columns("\x1b[1;36mab\x1b[0m→"), 3u);
  EXPECT_EQ(columns(""), 0u);
}

}  // namespace
}  // namespace tidemark::cli
