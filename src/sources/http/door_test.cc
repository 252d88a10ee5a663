#include "sources/http/door.h"

#include <atomic>
#include <thread>

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include "sources/http/testing/support.h"
#include "support/manual_clock.h"

namespace tidemark::http_source {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Kind = Answer::Kind;

std::vector<std::string> ids(const EventBatch& batch) {
  std::vector<std::string> all;
  for (const Event& event : batch.events()) all.emplace_back(event.id);
  return all;
}

class DoorTest : public ::testing::Test {
 protected:
  std::shared_ptr<Door> make(Door::Limits limits = {}) {
    auto door = std::make_shared<Door>("/events", limits, clock_);
    door->open();
    return door;
  }
  static Client submit(Door& door, Submission submission) {
    Client client;
    door.submit(std::move(submission), client.reply());
    return client;
  }

  testing::ManualClock clock_;
};

TEST_F(DoorTest, AcceptsOnlyOnceTheEventsAreAcknowledged) {
  const auto door = make();
  const Client one = submit(*door, many_events(1, 3));
  const Client two = submit(*door, one_event(4));
  EXPECT_EQ(door->waiting_events(), 4u);
  const auto taken = door->take(milliseconds(0), {});
  ASSERT_TRUE(taken.has_value());
  EXPECT_THAT(ids(*taken->events), ElementsAre("/test 1", "/test 2", "/test 3", "/test 4"));
  EXPECT_EQ(taken->events->events()[0].wall_time_ms, clock_.wall_ms());
  EXPECT_EQ(door->waiting_events(), 0u);
  EXPECT_EQ(one.answers() + two.answers(), 0u);
  EXPECT_EQ(door->pending(), 2u);

  door->acknowledge(taken->seq - 1);
  EXPECT_EQ(one.kind(), Kind::kAccepted);
  EXPECT_EQ(one.answer()->events, 3u);
  EXPECT_EQ(two.answers(), 0u);
  door->acknowledge(taken->seq);
  EXPECT_EQ(two.kind(), Kind::kAccepted);
  EXPECT_EQ(two.answer()->events, 1u);
  EXPECT_EQ(door->pending(), 0u);
}

TEST_F(DoorTest, ABatchOfSubmissionsKeepsTheirBytesAlive) {
  const auto door = make();
  const Client one = submit(*door, one_event(1, "\"first\""));
  const Client two = submit(*door, one_event(2, "\"second\""));
  const auto taken = door->take(milliseconds(0), {});
  door->close();
  ASSERT_EQ(taken->events->events().size(), 2u);
  EXPECT_EQ(taken->events->events()[1].payload, event_json(2, "\"second\""));
  EXPECT_EQ(taken->events->events()[1].after.find("data")->string(), "second");
}

TEST_F(DoorTest, ATakeIsBoundedByEventsButHasAWholeSubmission) {
  const auto door = make();
  const Client large = submit(*door, many_events(1, 1500));
  const Client small = submit(*door, many_events(2000, 600));
  const Client other = submit(*door, many_events(3000, 600));
  EXPECT_EQ(door->take(milliseconds(0), {})->events->events().size(), 1500u);
  EXPECT_EQ(door->take(milliseconds(0), {})->events->events().size(), 600u);
  EXPECT_EQ(door->take(milliseconds(0), {})->events->events().size(), 600u);
  EXPECT_FALSE(door->take(milliseconds(0), {}).has_value());
}

TEST_F(DoorTest, WhatIsInvalidIsAnsweredAtOnceAndNothingOfItIsTaken) {
  const auto door = make();
  const Client broken = submit(*door, {"application/cloudevents+json", {}, "{\"id\":"});
  EXPECT_EQ(broken.kind(), Kind::kInvalid);
  const Client partly = submit(
      *door, {"application/cloudevents-batch+json", {}, "[" + event_json(1) + R"(,{"specversion":"1.0"}])"});
  ASSERT_EQ(partly.kind(), Kind::kInvalid);
  ASSERT_FALSE(partly.answer()->problems.empty());
  EXPECT_THAT(partly.answer()->problems[0].where, HasSubstr("events[1]"));
  EXPECT_FALSE(partly.answer()->detail.empty());
  EXPECT_EQ(door->pending(), 0u);
  EXPECT_FALSE(door->take(milliseconds(0), {}).has_value());
}

TEST_F(DoorTest, WhatItCantReadIsUnsupported) {
  const auto door = make();
  EXPECT_EQ(submit(*door, {"text/plain", {}, "hello"}).kind(), Kind::kUnsupportedType);
  EXPECT_EQ(submit(*door, {"", {}, ""}).kind(), Kind::kUnsupportedType);
  EXPECT_EQ(submit(*door, {"application/cloudevents+avro", {}, ""}).kind(), Kind::kUnsupportedType);
}

TEST_F(DoorTest, TakesBinaryMode) {
  const auto door = make();
  const Client client =
      submit(*door, {"application/json",
                     {{"ce-specversion", "1.0"}, {"ce-id", "7"}, {"ce-source", "/b"}, {"ce-type", "t"}},
                     R"({"mag":4.5})"});
  const auto taken = door->take(milliseconds(0), {});
  ASSERT_TRUE(taken.has_value());
  EXPECT_THAT(ids(*taken->events), ElementsAre("/b 7"));
}

TEST_F(DoorTest, NoEventsAreAcceptedAtOnce) {
  const auto door = make();
  const Client client = submit(*door, many_events(1, 0));
  EXPECT_EQ(client.kind(), Kind::kAccepted);
  EXPECT_EQ(client.answer()->events, 0u);
  EXPECT_FALSE(door->take(milliseconds(0), {}).has_value());
}

TEST_F(DoorTest, AFullQueueIsUnavailableUntilItIsRead) {
  const auto door = make({.queue_bytes_max = 2000});
  const Client large = submit(*door, one_event(1, "\"" + std::string(5000, 'x') + "\""));  // alone it may be
  EXPECT_EQ(large.answers(), 0u);
  const Client next = submit(*door, one_event(2));
  ASSERT_EQ(next.kind(), Kind::kUnavailable);
  EXPECT_THAT(next.answer()->detail, HasSubstr("full"));
  EXPECT_GE(next.answer()->retry_after, seconds(1));
  ASSERT_TRUE(door->take(milliseconds(0), {}).has_value());
  EXPECT_EQ(submit(*door, one_event(3)).answers(), 0u);
}

TEST_F(DoorTest, RequestsWithoutAnAnswerAreBoundedThoughTheyWereRead) {
  const auto door = make({.queue_requests_max = 2});
  const Client one = submit(*door, one_event(1));
  const Client two = submit(*door, one_event(2));
  const auto taken = door->take(milliseconds(0), {});
  EXPECT_EQ(submit(*door, one_event(3)).kind(), Kind::kUnavailable);
  door->acknowledge(taken->seq);
  EXPECT_EQ(submit(*door, one_event(4)).answers(), 0u);
}

TEST_F(DoorTest, BeforeItOpensItIsUnavailable) {
  Door door("/events", {}, clock_);
  EXPECT_EQ(submit(door, one_event(1)).kind(), Kind::kUnavailable);
  door.open();
  EXPECT_EQ(submit(door, one_event(1)).answers(), 0u);
}

TEST_F(DoorTest, RefusingItStillAnswersForWhatItTook) {
  const auto door = make();
  const Client before = submit(*door, one_event(1));
  door->refuse();
  EXPECT_EQ(submit(*door, one_event(2)).kind(), Kind::kUnavailable);
  door->open();  // the source opens again after a fault: no change of mind
  EXPECT_EQ(submit(*door, one_event(3)).kind(), Kind::kUnavailable);
  const auto taken = door->take(milliseconds(0), {});
  ASSERT_TRUE(taken.has_value());
  door->acknowledge(taken->seq);
  EXPECT_EQ(before.kind(), Kind::kAccepted);
}

TEST_F(DoorTest, ClosingAbandonsWhatIsPendingAndRefusesWhatComes) {
  const auto door = make();
  const Client read = submit(*door, one_event(1));
  ASSERT_TRUE(door->take(milliseconds(0), {}).has_value());
  const Client queued = submit(*door, one_event(2));
  door->close();
  EXPECT_EQ(read.kind(), Kind::kUnavailable);
  EXPECT_EQ(queued.kind(), Kind::kUnavailable);
  EXPECT_EQ(submit(*door, one_event(3)).kind(), Kind::kUnavailable);
  EXPECT_FALSE(door->take(seconds(60), {}).has_value());  // at once
  door->acknowledge(1);                                   // too late to be an answer
  EXPECT_EQ(read.answers(), 1u);
}

TEST_F(DoorTest, DestroyedItAbandonsWhatIsPending) {
  auto door = make();
  const Client client = submit(*door, one_event(1));
  door.reset();
  EXPECT_EQ(client.kind(), Kind::kUnavailable);
}

TEST_F(DoorTest, WhatWasNotReadInTimeIsNeverRead) {
  const auto door = make();
  const Client early = submit(*door, one_event(1));
  clock_.advance(seconds(6));
  const Client late = submit(*door, one_event(2));
  clock_.advance(seconds(4));
  door->expire();
  EXPECT_EQ(early.kind(), Kind::kUnavailable);
  EXPECT_EQ(late.answers(), 0u);
  EXPECT_THAT(ids(*door->take(milliseconds(0), {})->events), ElementsAre("/test 2"));
}

TEST_F(DoorTest, WhatWasReadAndNotSavedInTimeIsNotAcceptedLater) {
  const auto door = make();
  const Client client = submit(*door, one_event(1));
  const auto taken = door->take(milliseconds(0), {});
  clock_.advance(seconds(10));
  door->expire();
  EXPECT_EQ(client.kind(), Kind::kUnavailable);
  EXPECT_THAT(client.answer()->detail, HasSubstr("in time"));
  door->acknowledge(taken->seq);
  EXPECT_EQ(client.answers(), 1u);
}

TEST_F(DoorTest, AThreadOfItsOwnAnswersThoughNobodyElseComesBy) {
  const auto door = make();
  std::jthread timeouts([&door](std::stop_token stop) { door->expire_until(stop); });
  for (int round = 0; round < 3; ++round) {
    const Client client = submit(*door, one_event(round));
    clock_.advance(seconds(10));
    client.wait();
    EXPECT_EQ(client.kind(), Kind::kUnavailable);
  }
}

TEST_F(DoorTest, AWaitEndsWithTheFirstSubmission) {
  const auto door = make();
  std::jthread late([&] { const Client client = submit(*door, one_event(1)); });
  EXPECT_TRUE(door->take(seconds(60), {}).has_value());
}

TEST_F(DoorTest, AWaitEndsWithTheStop) {
  const auto door = make();
  std::stop_source stop;
  std::jthread stopper([&stop] { stop.request_stop(); });
  EXPECT_FALSE(door->take(seconds(60), stop.get_token()).has_value());
}

// Whatever the order of submissions, reads, saves, time and the end: one answer each, and "accepted" exactly for those
// that were read and saved before their time was up.
RC_GTEST_PROP(Door, EverySubmissionIsAnsweredOnceAndAcceptedOnlyIfItWasSaved, ()) {
  struct Sent {
    Client client;
    int64_t at_s = 0;
    bool saved_in_time = false;
    bool taken_in = false;  // was queued at all
  };
  testing::ManualClock clock;
  auto door = std::make_shared<Door>("/events",
                                     Door::Limits{.queue_bytes_max = *rc::gen::inRange<size_t>(500, 5000),
                                                  .queue_requests_max = *rc::gen::inRange<size_t>(1, 8),
                                                  .reply_timeout = seconds(10),
                                                  .parse = {}},
                                     clock);
  door->open();
  std::vector<Sent> sent;
  std::vector<size_t> by_seq = {0};  // seq -> index in sent
  uint64_t taken = 0;
  int64_t now_s = 0;
  bool closed = false;
  for (int step = *rc::gen::inRange(0, 60); step > 0; --step) {
    switch (*rc::gen::weightedElement<int>({{10, 0}, {6, 1}, {6, 2}, {3, 3}, {1, 4}, {1, 5}})) {
      case 0: {
        Sent& one = sent.emplace_back();
        one.at_s = now_s;
        door->submit(many_events(static_cast<int>(sent.size()) * 100, *rc::gen::inRange(1, 5)),
                     one.client.reply());
        one.taken_in = one.client.answers() == 0;
        if (one.taken_in) by_seq.push_back(sent.size() - 1);
        break;
      }
      case 1:
        if (const auto batch = door->take(milliseconds(0), {})) {
          RC_ASSERT(batch->seq > taken && batch->seq < by_seq.size());
          taken = batch->seq;
        }
        break;
      case 2: {
        const auto upto = *rc::gen::inRange<uint64_t>(0, taken + 1);
        for (uint64_t seq = 1; seq <= upto; ++seq) {
          Sent& one = sent[by_seq[seq]];
          if (one.client.answers() == 0) one.saved_in_time = true;
        }
        door->acknowledge(upto);
        break;
      }
      case 3: {
        const auto by = *rc::gen::inRange(0, 6);
        now_s += by;
        clock.advance(seconds(by));
        door->expire();
        for (const Sent& one : sent) RC_ASSERT(now_s - one.at_s < 10 || one.client.answers() == 1u);
        break;
      }
      case 4:
        door->refuse();
        break;
      case 5:
        if (*rc::gen::inRange(0, 4) == 0) {
          door->close();
          closed = true;
        }
        break;
    }
    size_t unanswered = 0;
    for (const Sent& one : sent) unanswered += one.client.answers() == 0;
    RC_ASSERT(door->pending() == unanswered);
    RC_ASSERT(!closed || unanswered == 0);
  }
  door.reset();
  for (const Sent& one : sent) {
    RC_ASSERT(one.client.answers() == 1u);
    RC_ASSERT((one.client.kind() == Kind::kAccepted) == one.saved_in_time);
  }
}

// Run under the thread sanitizer too. Each submitter sends again what was not accepted, as clients do; the end comes in
// the middle of it.
TEST_F(DoorTest, ManyThreadsSubmitWhileOthersReadSaveAndClose) {
  static constexpr int kThreads = 4, kWindow = 40;
  static constexpr uint64_t kEnough = 2000;
  const auto door = make({.queue_bytes_max = 8 << 20, .queue_requests_max = 100});
  std::jthread timeouts([&door](std::stop_token stop) { door->expire_until(stop); });
  std::atomic<uint64_t> read{0}, stored{0}, accepted{0};
  std::jthread saver([&](std::stop_token stop) {
    while (!stop.stop_requested()) {
      door->acknowledge(read);
      std::this_thread::yield();
    }
  });
  std::jthread reader([&](std::stop_token stop) {
    while (!stop.stop_requested()) {
      if (const auto taken = door->take(milliseconds(50), stop)) {
        stored += taken->events->events().size();
        read = taken->seq;
      }
    }
  });
  std::atomic<bool> closed{false};
  std::vector<std::jthread> submitters;
  for (int t = 0; t < kThreads; ++t) {
    submitters.emplace_back([&, t] {
      while (!closed) {
        std::vector<Client> window(kWindow);
        for (int i = 0; i < kWindow; ++i)
          door->submit(many_events(1000 * t + i, 2), window[static_cast<size_t>(i)].reply());
        for (const Client& client : window) {
          client.wait();
          EXPECT_EQ(client.answers(), 1u);
          accepted += client.kind() == Kind::kAccepted;
        }
      }
    });
  }
  while (accepted < kEnough) std::this_thread::yield();
  door->close();
  closed = true;
  submitters.clear();
  EXPECT_EQ(door->pending(), 0u);
  reader.request_stop();
  reader.join();
  EXPECT_GE(stored, 2 * accepted);
}

}  // namespace
}  // namespace tidemark::http_source
