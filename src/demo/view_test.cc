#include "demo/view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidemark::demo {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

Snapshot busy() {
  Snapshot snapshot;
  snapshot.stage = "posting, and breaking things";
  snapshot.page_url = "http://127.0.0.1:8321";
  snapshot.seed = 18446744073709551615u;
  snapshot.elapsed = seconds(37);
  snapshot.duration = seconds(60);
  snapshot.posted = 18420;
  snapshot.accepted = 18400;
  snapshot.refusals = 17;
  snapshot.poisoned = 2;
  snapshot.stored = 18399;
  snapshot.archived = 18395;
  snapshot.severities = {{"major", 2}, {"minor", 15000}, {"light", 1200}, {"moderate", 310}, {"strong", 41}};
  snapshot.page.shown = 18398;
  snapshot.page.waiting = 12;
  snapshot.page.dead_letters = 1;
  snapshot.page.planes = {{"ingest", "streaming"},
                          {"observe", "waiting for the source"},
                          {"process", "streaming"},
                          {"archive", "streaming"}};
  snapshot.events_per_s = 498.4;
  snapshot.lag = milliseconds(12);
  snapshot.position_age = milliseconds(34);
  snapshot.worker = "start 3, pid 12345";
  snapshot.broker = "start 2, pid 12346";
  snapshot.deployment = "primary is member 1";
  snapshot.rates.assign(200, 480);
  snapshot.inflicted = {3, 2, 3, 2, 3, 1, 1, 1};
  snapshot.survived = {3, 2, 3, 2, 2, 1, 1, 1};
  for (int i = 0; i < 30; ++i)
    snapshot.last_faults.push_back({FaultKind::kWorkerKilled, seconds(31 - i),
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
  for (const char* expected : {"http://127.0.0.1:8321",
                               "18,400",
                               "18,399",
                               "18,395",
                               "18,398",
                               "17 times",
                               "12 events",
                               "1 of 2 poisoned",
                               "minor 15,000  light 1,200  moderate 310  strong 41  major 2",
                               "observe waiting for the source",
                               "498",
                               "12 ms",
                               "34 ms",
                               "15 of 16",
                               "elections",
                               "primary kills",
                               "cursor kills",
                               "silenced feeds",
                               "closed connections",
                               "broker restarts",
                               "poisoned events",
                               "kill -9 of the worker",
                               "recovering",
                               "survived in 311 ms",
                               "start 3, pid",
                               "start 2, pid",
                               "primary is member 1",
                               "00:37 of 01:00",
                               "Ctrl-C"})
    EXPECT_THAT(text, HasSubstr(expected)) << text;
}

TEST(DemoView, WhereAllIsWellThePlanesTakeOneWord) {
  Snapshot snapshot = busy();
  for (auto& [name, state] : snapshot.page.planes) state = "streaming";
  EXPECT_THAT(joined(render_frame(snapshot, 80, 24, false)), HasSubstr("all 4 stream"));
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
  const std::string text = joined(render_frame(Snapshot{}, 80, 24, false));
  EXPECT_THAT(text, ::testing::ContainsRegex("in MongoDB +- +in SQLite +-"));
  EXPECT_THAT(render_line(Snapshot{}), HasSubstr("MongoDB - SQLite - page - queue - dead letters -"));
}

TEST(DemoView, APlainLineHoldsTheSameFigures) {
  const std::string line = render_line(busy());
  for (const char* expected : {"00:37", "accepted 18,400", "MongoDB 18,399", "SQLite 18,395", "page 18,398",
                               "queue 12", "dead letters 1", "posted again 17", "events/s 498", "lag 12 ms",
                               "survived 15 of 16", "observe waiting for the source"})
    EXPECT_THAT(line, HasSubstr(expected));
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_EQ(line.find('\x1b'), std::string::npos);
}

TEST(DemoView, ColoursTakeNoColumn) {
  EXPECT_EQ(columns("\x1b[1;36mab\x1b[0m→"), 3u);
  EXPECT_EQ(columns(""), 0u);
}

TEST(DemoView, AfterItsTimeTheClockHasNoEndAndWhatIsUnknownIsADash) {
  Snapshot snapshot = busy();
  EXPECT_THAT(joined(render_frame(snapshot, 80, 24, false)), HasSubstr("00:37 of 01:00"));
  snapshot.elapsed = seconds(73);
  snapshot.stored = std::nullopt;
  snapshot.archived = 1;
  const std::string text = joined(render_frame(snapshot, 80, 24, false));
  EXPECT_THAT(text, HasSubstr(" 01:13  seed"));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("of 01:00")));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("- events")));
  EXPECT_THAT(text, HasSubstr("1 event\n"));
}

}  // namespace
}  // namespace tidemark::demo
