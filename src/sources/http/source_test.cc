#include <gmock/gmock.h>

#include "core/watermark.h"
#include "sources/http/component.h"
#include "sources/http/testing/support.h"
#include "support/manual_clock.h"

namespace tidemark {
namespace {

using http_source::Client;
using http_source::many_events;
using http_source::one_event;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using Kind = Answer::Kind;

config::Settings http_settings(std::string path = "/events") {
  config::Settings settings;
  settings.set_where("x.toml:8:1, pipeline.source");
  settings.set("path", std::move(path), "x.toml:9:9, pipeline.source.path");
  settings.set("queue_bytes_max", int64_t{8 << 20});
  settings.set("queue_requests_max", int64_t{4096});
  settings.set("batch_events_max", int64_t{3});
  settings.set("reply_timeout", int64_t{10'000});
  return settings;
}

// The only honest way to a position that may be saved: a batch that owes nothing.
DurablePosition durable(const Position& position) {
  Watermark watermark(1);
  watermark.admit(position, 0, 0);
  return *watermark.advance();
}

class HttpSourceTest : public ::testing::Test {
 protected:
  void SetUp() override { remake(); }

  void remake() {
    Plugboard plugboard;
    auto made = http_source_component().make(
        http_settings(), {.pipeline = "ingest", .clock = &clock_, .plugboard = &plugboard});
    ASSERT_TRUE(made.has_value()) << made.error().describe();
    source_ = std::move(*made);
    ASSERT_EQ(plugboard.inlets().size(), 1u);
    inlet_ = plugboard.inlets()[0];
  }
  Position opened(const Position& from = {}) {
    auto position = source_->open(from, {});
    EXPECT_TRUE(position.has_value()) << position.error().describe();
    return position.value_or(Position());
  }
  SourceBatch read() {
    auto batch = source_->read(milliseconds(0), {});
    EXPECT_TRUE(batch.has_value()) << batch.error().describe();
    return batch.value_or(SourceBatch{});
  }
  Client submit(Submission submission) {
    Client client;
    inlet_->submit(std::move(submission), client.reply());
    return client;
  }
  Status save(const Position& position) { return source_->own_positions()->save(durable(position), {}); }

  testing::ManualClock clock_;
  std::unique_ptr<Source> source_;
  std::shared_ptr<Inlet> inlet_;
};

TEST_F(HttpSourceTest, SavingAPositionAnswersTheClientsUpToIt) {
  EXPECT_EQ(inlet_->path(), "/events");
  opened();
  const Client one = submit(many_events(1, 2));
  const SourceBatch first = read();
  const Client two = submit(one_event(3));
  const SourceBatch second = read();
  EXPECT_EQ(first.events->events().size(), 2u);
  EXPECT_EQ(second.events->events().size(), 1u);
  EXPECT_FALSE(first.resume_after == second.resume_after);
  ASSERT_TRUE(save(first.resume_after).has_value());
  EXPECT_EQ(one.kind(), Kind::kAccepted);
  EXPECT_EQ(two.answers(), 0u);
  ASSERT_TRUE(save(second.resume_after).has_value());
  EXPECT_EQ(two.kind(), Kind::kAccepted);
  ASSERT_TRUE(save(first.resume_after).has_value());  // again: without effect
}

TEST_F(HttpSourceTest, AcquiringBeginsWithAnEmptyPositionOfThisSource) {
  auto stored = source_->own_positions()->acquire({"ingest", source_->identity().fingerprint, "http"}, {});
  ASSERT_TRUE(stored.has_value());
  ASSERT_TRUE(stored->has_value());
  EXPECT_TRUE((*stored)->position.empty());
  EXPECT_EQ((*stored)->fingerprint, source_->identity().fingerprint);
  EXPECT_EQ((*stored)->deployment, "http");
  EXPECT_EQ(source_->identity().summary, "POST /events");
}

TEST_F(HttpSourceTest, AnIdleReadKeepsThePosition) {
  const Position start = opened();
  EXPECT_TRUE(read().resume_after == start);
  const Client client = submit(one_event(1));
  const Position after = read().resume_after;
  EXPECT_FALSE(after == start);
  const SourceBatch idle = read();
  EXPECT_TRUE(idle.events->events().empty());
  EXPECT_TRUE(idle.resume_after == after);
}

TEST_F(HttpSourceTest, OpenedAgainItGoesOnWithWhatIsQueued) {
  opened();
  const Client one = submit(one_event(1));
  const Position after = read().resume_after;
  const Client two = submit(one_event(2));
  EXPECT_TRUE(opened(after) == after);
  const SourceBatch rest = read();
  ASSERT_EQ(rest.events->events().size(), 1u);
  EXPECT_EQ(rest.events->events()[0].id, "/test 2");
  ASSERT_TRUE(save(rest.resume_after).has_value());
  EXPECT_EQ(one.kind(), Kind::kAccepted);
  EXPECT_EQ(two.kind(), Kind::kAccepted);
}

TEST_F(HttpSourceTest, APositionOfAnotherSessionIsLostAndSavingItAnswersNobody) {
  opened();
  const Client before = submit(one_event(1));
  const Position old = read().resume_after;
  clock_.advance(seconds(1));
  remake();
  EXPECT_EQ(before.kind(), Kind::kUnavailable);
  auto reopened = source_->open(old, {});
  ASSERT_FALSE(reopened.has_value());
  EXPECT_EQ(reopened.error().react, React::kPositionLost);
  opened();
  const Client client = submit(one_event(1));
  read();
  EXPECT_TRUE(save(old).has_value());
  EXPECT_EQ(client.answers(), 0u);
}

TEST_F(HttpSourceTest, ASubmissionAfterTheSourceIsGoneIsUnavailable) {
  opened();
  const Client pending = submit(one_event(1));
  source_->close();
  EXPECT_EQ(pending.kind(), Kind::kUnavailable);
  source_.reset();
  EXPECT_EQ(submit(one_event(2)).kind(), Kind::kUnavailable);
  EXPECT_EQ(inlet_->pending(), 0u);
}

TEST_F(HttpSourceTest, AClientIsAnsweredInTimeThoughThePipelineIsStuck) {
  opened();
  const Client read_already = submit(one_event(1));
  read();
  const Client queued = submit(one_event(2));
  clock_.advance(seconds(10));
  read_already.wait();
  queued.wait();
  EXPECT_EQ(read_already.kind(), Kind::kUnavailable);
  EXPECT_EQ(queued.kind(), Kind::kUnavailable);
}

TEST_F(HttpSourceTest, ReadIsCancelledByTheStop) {
  opened();
  std::stop_source stop;
  stop.request_stop();
  auto batch = source_->read(seconds(60), stop.get_token());
  ASSERT_FALSE(batch.has_value());
  EXPECT_EQ(batch.error().react, React::kCancelled);
}

TEST_F(HttpSourceTest, ItsHealthCountsWhatWaits) {
  opened();
  EXPECT_EQ(source_->health({})->deployment, "http");
  EXPECT_EQ(source_->health({})->backlog, 0u);
  const Client client = submit(many_events(1, 3));
  EXPECT_EQ(source_->health({})->backlog, 3u);
}

TEST_F(HttpSourceTest, ARequestHasAtMostSoManyEvents) {
  opened();
  EXPECT_EQ(submit(many_events(1, 3)).answers(), 0u);
  EXPECT_EQ(submit(many_events(1, 4)).kind(), Kind::kInvalid);
}

TEST_F(HttpSourceTest, ItStartsNowAndNowhereElse) {
  EXPECT_TRUE(source_->resolve({}, {}).has_value());
  auto past = source_->resolve({.kind = StartPoint::Kind::kEarliest, .time = {}, .token_data = {}}, {});
  ASSERT_FALSE(past.has_value());
  EXPECT_EQ(past.error().react, React::kConfig);
}

TEST_F(HttpSourceTest, RefusesPathsThatArentItsOwn) {
  for (const char* path :
       {"", "/", "events", "/events/", "/a//b", "/a/../b", "/a b", "/a?b", "/api", "/api/events", "/ws",
        "/metrics", "/healthz", "/readyz", "/assets/x", "/openapi.json"}) {
    auto made = http_source_component().make(http_settings(path), {.pipeline = "ingest", .clock = &clock_});
    ASSERT_FALSE(made.has_value()) << path;
    EXPECT_EQ(made.error().react, React::kConfig);
    EXPECT_THAT(made.error().what, HasSubstr("x.toml:9:9, pipeline.source.path"));
  }
  for (const char* path : {"/events", "/apis", "/v1/quakes.json", "/in/api"})
    EXPECT_TRUE(http_source_component()
                    .make(http_settings(path), {.pipeline = "ingest", .clock = &clock_})
                    .has_value())
        << path;
}

}  // namespace
}  // namespace tidemark
