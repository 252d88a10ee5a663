// Events posted by several clients while the broker restarts, the primary steps down and the processor is killed: every
// 202 is stored exactly once, everything rejected is in the dead letters with a reason, and the counts agree.
#include "e2e/planes.h"

#include <csignal>

#include <fmt/format.h>

#include "e2e/posting.h"

namespace tidemark::e2e {
namespace {

using std::chrono::seconds;
using testing::Process;

// Less where a sanitizer would make it a matter of many minutes.
const int64_t kEvents = testing::sanitized() ? 10'000 : 30'000;
constexpr int kClients = 4;
constexpr int64_t kPoisonEvery = 100;  // of the events, one is rejected by the processor
constexpr int64_t kMalformed = 50;     // messages that are no events, past the door
constexpr int kAttemptsMax = 3;
constexpr Process::Milliseconds kPatience = seconds(90);

enum class Fault { kKillProcessor, kStepDown, kRestartBroker };
// In this order, each while clients post the next part of the events and the processor stores them.
constexpr Fault kFaults[] = {Fault::kKillProcessor, Fault::kStepDown,      Fault::kRestartBroker,
                             Fault::kKillProcessor, Fault::kKillProcessor, Fault::kStepDown,
                             Fault::kRestartBroker, Fault::kKillProcessor, Fault::kStepDown,
                             Fault::kKillProcessor};
constexpr int64_t kParts = std::size(kFaults) + 1;

bool poisoned(int64_t n) { return n % kPoisonEvery == kPoisonEvery / 2; }
std::string event_id(int64_t n) { return "event-" + std::to_string(n); }
std::string malformed_body(int64_t n) { return "no event " + std::to_string(n); }

class PlanesUnderFaults : public Planes {
 protected:
  void start_ingest() {
    ingest_ = start("ingest", server_toml() + ingest_toml());
    await_ready(*ingest_);
  }
  void start_processor() { processor_ = start("process", process_toml()); }

  // While clients may post up to event `next`.
  void inflict(Fault fault, int64_t next) {
    if (fault != Fault::kRestartBroker) posting_->allow_up_to(next);
    switch (fault) {
      case Fault::kKillProcessor:
        ASSERT_TRUE(processor_->running()) << "it ended by itself: " << processor_->error_output();
        processor_->kill_now();
        start_processor();
        return;
      case Fault::kStepDown:
        // A server may close the connection in place of an answer, and while there is no primary there is none to ask.
        ASSERT_TRUE(testing::eventually([&] {
          const auto reply =
              client_->run("admin", R"({"replSetStepDown": 10, "secondaryCatchUpPeriodSecs": 5})");
          return reply || reply.error().code == 0;
        }));
        return;
      case Fault::kRestartBroker: {
        const int64_t refused = posting_->refused() + posting_->lost();
        broker_->stop();
        posting_->allow_up_to(next);
        EXPECT_TRUE(testing::eventually([&] { return posting_->refused() + posting_->lost() > refused; }))
            << "the clients don't learn that the broker is away; " << ingest_->error_output();
        broker_->start();
        return;
      }
    }
  }

  void await_posted(int64_t count) {
    ASSERT_TRUE(testing::eventually(
        [&] { return posting_->accepted() >= count || !posting_->failure().empty(); }, kPatience))
        << posting_->accepted() << " of " << count << " accepted; " << ingest_->error_output();
    ASSERT_EQ(posting_->failure(), "");
  }

  // The processor makes progress: a kill then hits it at work. `count` is of all that are stored by then.
  void await_progress(int64_t count) {
    ASSERT_TRUE(
        testing::eventually([&] { return !processor_->running() || stored_count() >= count; }, kPatience))
        << "it stands still at " << stored_count() << ": " << processor_->error_output();
    ASSERT_TRUE(processor_->running()) << "it ended by itself: " << processor_->error_output();
  }

  void publish_malformed(int64_t first, int64_t count) {
    std::vector<std::string> bodies;
    for (int64_t n = first; n < first + count; ++n) bodies.push_back(malformed_body(n));
    broker_->publish("", queue_, bodies);
  }

  // Takes what the dead-letter queue holds by now, and looks at each letter. A kill between a letter and the
  // acknowledgement of its message writes the letter again, so that distinct ones are counted.
  void collect_letters() {
    for (const auto& letter : broker_->drain(dead_queue_)) {
      const auto header = [&](const char* name) {
        const auto found = letter.headers.find(name);
        return found == letter.headers.end() ? std::string() : found->second;
      };
      EXPECT_NE(header("x-reason"), "") << letter.body;
      EXPECT_NE(header("x-origin"), "") << letter.body;
      EXPECT_NE(header("x-rejected-at"), "") << letter.body;
      const auto event = nlohmann::json::parse(letter.body, nullptr, false);
      const bool is_event = event.is_object() && event.contains("id");
      if (is_event) {
        EXPECT_EQ(header("x-retry-count"), std::to_string(kAttemptsMax)) << "strikes of " << letter.body;
      }
      letters_.insert(is_event ? event["id"].get<std::string>() : letter.body);
    }
  }

  std::unique_ptr<Process> ingest_, processor_;
  std::unique_ptr<Posting> posting_;
  std::set<std::string> letters_;  // the event's id, or the body of what is no event
};

TEST_F(PlanesUnderFaults, EveryAcceptedEventIsStoredOnceAndEveryRejectIsADeadLetter) {
  ASSERT_NO_FATAL_FAILURE(start_ingest());
  start_processor();
  publish_malformed(0, kMalformed / 2);

  posting_ = std::make_unique<Posting>(
      PostingOptions{.port = port(), .clients = kClients, .events = kEvents, .event = [](int64_t n) {
                       return event_json(event_id(n), poisoned(n));
                     }});
  const int64_t part = kEvents / kParts / 100 * 100;
  int64_t done = 0;
  for (const Fault fault : kFaults) {
    // Counted before more is allowed: all that may be posted could be stored by the time one looks.
    const int64_t before = stored_count();
    posting_->allow_up_to(done + part / 2);
    ASSERT_NO_FATAL_FAILURE(await_posted(done + part / 4));
    ASSERT_NO_FATAL_FAILURE(await_progress(before + part / 8));
    ASSERT_NO_FATAL_FAILURE(inflict(fault, done + part));
    done += part;
  }
  posting_->allow_up_to(kEvents);
  ASSERT_NO_FATAL_FAILURE(await_posted(kEvents));
  posting_->stop();
  publish_malformed(kMalformed / 2, kMalformed - kMalformed / 2);

  // Everything is where it belongs.
  const int64_t rejects = kEvents / kPoisonEvery;
  await_stored(kEvents - rejects, *processor_, kPatience);
  EXPECT_TRUE(testing::eventually(
      [&] {
        collect_letters();
        return static_cast<int64_t>(letters_.size()) >= rejects + kMalformed;
      },
      kPatience))
      << letters_.size() << " dead letters, " << broker_->depth(queue_) << " messages waiting; "
      << processor_->error_output();
  for (const auto& process : {processor_.get(), ingest_.get()}) {
    process->signal(SIGTERM);
    const auto ended = process->wait();
    ASSERT_TRUE(ended.has_value()) << process->error_output();
    EXPECT_EQ(ended->code, 0) << process->error_output();
  }
  EXPECT_EQ(broker_->depth(queue_), 0u)
      << "a message came back when its consumer left: it was not acknowledged";

  // Every 202 exactly once, and nothing else.
  const std::multiset<std::string> stored = stored_ids();
  std::vector<std::string> missing, doubled;
  for (int64_t n = 0; n < kEvents; ++n) {
    ASSERT_TRUE(posting_->accepted(n));
    const size_t count = stored.count(event_id(n));
    if (poisoned(n)) {
      EXPECT_EQ(count, 0u) << event_id(n) << " was to be rejected";
    } else {
      if (count == 0) missing.push_back(event_id(n));
      if (count > 1) doubled.push_back(event_id(n));
    }
  }
  EXPECT_THAT(missing, ::testing::IsEmpty()) << "events that were answered with 202 and are not stored";
  EXPECT_THAT(doubled, ::testing::IsEmpty()) << "events that are stored twice";
  EXPECT_EQ(static_cast<int64_t>(stored.size()), kEvents - rejects);

  // Every reject in the dead letters.
  collect_letters();
  for (int64_t n = 0; n < kEvents; ++n) {
    if (!poisoned(n)) continue;
    EXPECT_TRUE(letters_.erase(event_id(n)) == 1) << event_id(n) << " is no dead letter";
  }
  for (int64_t n = 0; n < kMalformed; ++n)
    EXPECT_TRUE(letters_.erase(malformed_body(n)) == 1) << malformed_body(n) << " is no dead letter";
  EXPECT_THAT(letters_, ::testing::IsEmpty()) << "dead letters that nobody sent";
}

}  // namespace
}  // namespace tidemark::e2e
