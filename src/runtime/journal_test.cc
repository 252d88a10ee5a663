#include "runtime/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/manual_clock.h"

namespace tidemark {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class JournalTest : public ::testing::Test {
 protected:
  // One step of the pipeline: the input, then the status it led to.
  void step(const Input& input) {
    journal_.before(input);
    journal_.after(status_);
  }
  void read(size_t events, WallMs happened_at = 0) {
    auto batch = std::make_shared<EventBatch>();
    batch->events().resize(events);
    for (Event& event : batch->events()) event.wall_time_ms = happened_at;
    status_.events_read += events;
    step(ReadDone{SourceBatch{std::move(batch), Position(), false}});
  }
  void streaming() {
    status_.state = PipelineState::kStreaming;
    status_.last_error.clear();
    status_.retry_at.reset();
    status_.retry_attempt = 0;
    ++status_.source_opens;
    step(Tick{});
  }
  void dead(int attempt) {
    status_.state = PipelineState::kWaitingForSource;
    status_.last_error = "the cursor is gone";
    status_.retry_attempt = attempt;
    status_.retry_at = clock_.now() + seconds(1 << (attempt - 1));
    step(Tick{});
  }
  std::vector<std::string> kinds() const {
    std::vector<std::string> kinds;
    for (const TimelineEntry& entry : timeline_.after(0)) kinds.push_back(entry.kind);
    return kinds;
  }

  tidemark::testing::ManualClock clock_;
  Timeline timeline_{clock_};
  Journal journal_{"orders", &timeline_, clock_};
  PipelineStatus status_;
};

TEST_F(JournalTest, TellsADeadCursorItsBackOffsAndTheResumeWithTheReplayedEvents) {
  streaming();
  dead(1);
  clock_.advance(seconds(1));
  dead(2);
  clock_.advance(seconds(2));
  streaming();
  read(30);
  read(12);
  EXPECT_THAT(kinds(), ElementsAre("started", "cursor_dead", "backoff"));  // it hasn't caught up yet
  read(0);
  EXPECT_THAT(kinds(), ElementsAre("started", "cursor_dead", "backoff", "resumed"));
  const TimelineEntry resumed = timeline_.after(0).back();
  EXPECT_EQ(resumed.replayed, 42u);
  EXPECT_EQ(resumed.pipeline, "orders");
  EXPECT_THAT(resumed.text, HasSubstr("42 events had happened in the 3.0 s since"));
}

// A busy stream never has nothing to read: what is younger than the reopening is no replay.
TEST_F(JournalTest, EndsTheReplayAtTheFirstEventThatHappenedAfterTheReopening) {
  streaming();
  dead(1);
  clock_.advance(seconds(1));
  streaming();
  read(30);
  clock_.advance(seconds(1));
  read(5, clock_.wall_ms());
  EXPECT_THAT(kinds(), ElementsAre("started", "cursor_dead", "resumed"));
  EXPECT_EQ(timeline_.after(0).back().replayed, 30u);
}

TEST_F(JournalTest, CallsANewPrimaryAnElectionOnceTheStreamHasBeenOpen) {
  step(SourceReady{});
  EXPECT_THAT(kinds(), IsEmpty());
  streaming();
  step(SourceReady{});
  EXPECT_THAT(kinds(), ElementsAre("started", "election"));
}

TEST_F(JournalTest, SaysThatTheSinkFailsAndThatItIsBack) {
  streaming();
  status_.state = PipelineState::kWaitingForSink;
  status_.last_error = "disk full";
  step(Tick{});
  step(Tick{});
  status_.state = PipelineState::kStreaming;
  status_.last_error.clear();
  step(Tick{});
  EXPECT_THAT(kinds(), ElementsAre("started", "sink_fault", "sink_back"));
}

TEST_F(JournalTest, GathersABurstOfDeadLetters) {
  streaming();
  for (int i = 0; i < 5; ++i) {
    ++status_.events_rejected;
    step(Tick{});
  }
  clock_.advance(seconds(2));
  step(Tick{});
  EXPECT_THAT(kinds(), ElementsAre("started", "dead_letter", "dead_letter"));
  EXPECT_THAT(timeline_.after(0).back().text, HasSubstr("4 events"));
}

TEST_F(JournalTest, KnowsWhenTheSourceLastAnsweredAndThePositionWasSaved) {
  EXPECT_EQ(journal_.times().last_sign, std::nullopt);
  clock_.advance(seconds(5));
  read(0);
  clock_.advance(seconds(3));
  status_.saves = 1;
  step(SaveDone{});
  EXPECT_EQ(*journal_.times().last_sign, Mono(seconds(5)));
  EXPECT_EQ(*journal_.times().last_saved, Mono(seconds(8)));
}

TEST(Timeline, KeepsTheNewestAndGivesWhatFollowsANumber) {
  tidemark::testing::ManualClock clock;
  Timeline timeline(clock);
  for (size_t i = 0; i < Timeline::kEntriesMax + 10; ++i) timeline.add({.kind = "fault"});
  const auto all = timeline.after(0);
  ASSERT_EQ(all.size(), Timeline::kEntriesMax);
  EXPECT_EQ(all.front().seq, 11u);
  EXPECT_EQ(timeline.after(Timeline::kEntriesMax + 8).size(), 2u);
}

}  // namespace
}  // namespace tidemark
