// The end of the program: in its steps and in their order, with every promise kept; at once on a second signal; and its
// log, which another program may move away.
#include <csignal>
#include <filesystem>

#include <fmt/format.h>

#include "e2e/planes.h"
#include "e2e/posting.h"

namespace tidemark::e2e {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;
using testing::Process;

constexpr int kLives = 4;
const int64_t kEvents = testing::sanitized() ? 4'000 : 20'000;
constexpr const char* kSteps[] = {
    "stop accepting HTTP and finish the requests in flight",
    "cancel the consumers of queues",
    "wait until what is in flight is written and acknowledged",
    "raise the flag, drop the retry timers, close the change streams",
    "close the clients of databases and files",
    "close the channels and connections of queues",
    "flush the log",
};

class PlanesShutdown : public Planes {
 protected:
  std::unique_ptr<Process> start_all(const std::string& further = "") {
    auto process = start("planes", further + server_toml() + ingest_toml() + process_toml() + observe_toml());
    await_ready(*process);
    return process;
  }

  static void expect_steps_in_order(const std::string& log) {
    size_t at = 0;
    for (size_t i = 0; i < std::size(kSteps); ++i) {
      const std::string step = fmt::format("shutdown {}/{}: {}", i + 1, std::size(kSteps), kSteps[i]);
      const size_t found = log.find(step, at);
      EXPECT_NE(found, std::string::npos) << "\"" << step << "\" is missing or out of order in\n" << log;
      if (found == std::string::npos) return;
      at = found;
    }
  }
};

TEST_F(PlanesShutdown, UnderLoadKeepsEveryPromise) {
  Posting posting({.port = port(), .clients = 4, .events = kEvents, .batch = 20, .event = [](int64_t n) {
                     return event_json("event-" + std::to_string(n));
                   }});
  for (int life = 1; life <= kLives; ++life) {
    const auto process = start_all();
    ASSERT_FALSE(HasFatalFailure());
    const int64_t until = kEvents * life / kLives;
    posting.allow_up_to(life == kLives ? kEvents : until + kEvents);  // the signal meets clients at work
    ASSERT_TRUE(testing::eventually([&] { return posting.accepted() >= until || !posting.failure().empty(); },
                                    seconds(60)))
        << posting.accepted() << " of " << until << " accepted; " << process->error_output();
    ASSERT_EQ(posting.failure(), "");
    if (life == kLives) {
      posting.stop();
      ASSERT_NO_FATAL_FAILURE(await_stored(kEvents, *process, seconds(60)));
    }
    process->signal(SIGTERM);
    const auto ended = process->wait();
    ASSERT_TRUE(ended.has_value()) << process->error_output();
    EXPECT_EQ(ended->code, 0) << process->error_output();
    expect_steps_in_order(process->error_output());
  }
  EXPECT_EQ(broker_->depth(queue_), 0u) << "stored, but not acknowledged";
  const auto stored = stored_ids();
  size_t wrong = 0;
  for (int64_t n = 0; n < kEvents; ++n)
    wrong += posting.accepted(n) && stored.count("event-" + std::to_string(n)) == 1 ? 0 : 1;
  EXPECT_EQ(wrong, 0u) << "events that are missing, or stored twice";
  EXPECT_EQ(stored.size(), static_cast<size_t>(kEvents));
}

// What was acknowledged is not delivered again: the messages in flight are written and acknowledged before the
// connection goes.
TEST_F(PlanesShutdown, LeavesNoMessageUnacknowledgedThatIsStored) {
  const auto ingest = start("ingest", server_toml() + ingest_toml());
  ASSERT_NO_FATAL_FAILURE(await_ready(*ingest));
  Posting posting({.port = port(), .clients = 4, .events = kEvents, .batch = 20, .event = [](int64_t n) {
                     return event_json("event-" + std::to_string(n));
                   }});
  posting.allow_up_to(kEvents);
  ASSERT_TRUE(testing::eventually([&] { return posting.accepted() == kEvents; }, seconds(60)))
      << posting.failure() << ingest->error_output();

  const auto processor = start("process", process_toml());
  ASSERT_NO_FATAL_FAILURE(await_stored(1, *processor));
  processor->signal(SIGTERM);
  const auto ended = processor->wait();
  ASSERT_TRUE(ended && ended->code == 0) << processor->error_output();
  const int64_t stored = stored_count();
  EXPECT_LT(stored, kEvents) << "it was stopped too late to show anything";
  // The broker puts what was delivered and not acknowledged back a moment after the connection has ended.
  EXPECT_TRUE(testing::eventually([&] {
    return broker_->depth(queue_) == static_cast<uint32_t>(kEvents - stored);
  })) << stored
      << " stored, " << broker_->depth(queue_) << " of " << kEvents << " still in the queue";
}

TEST_F(PlanesShutdown, ASecondSignalEndsAtOnce) {
  const auto process = start_all();
  ASSERT_FALSE(HasFatalFailure());
  // The broker answers nothing, so that a shutdown in order has something to wait for.
  broker_->pause();
  HttpClient waiting(port());
  const std::string event = event_json("nobody confirms this");
  EXPECT_TRUE(waiting.connect() &&
              waiting.send(fmt::format("POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Type: {}\r\n"
                                       "Content-Length: {}\r\n\r\n{}",
                                       kEventType, event.size(), event)));
  process->signal(SIGTERM);
  EXPECT_TRUE(
      testing::eventually([&] { return process->error_output().find("shutdown 1/7") != std::string::npos; }));
  EXPECT_TRUE(process->running()) << "nothing held the shutdown up: " << process->error_output();
  process->signal(SIGTERM);
  const auto ended = process->wait(seconds(2));
  broker_->resume();
  ASSERT_TRUE(ended.has_value()) << process->error_output();
  EXPECT_EQ(ended->code, 128 + SIGTERM);
  // No answer, or a refusal where the request came in after the door was shut.
  const auto answer = waiting.receive();
  EXPECT_TRUE(!answer || answer->status == 503) << "promised, and nobody had confirmed it: " << answer->head;
}

TEST_F(PlanesShutdown, ALogThatWasMovedAwayBeginsAnewOnSighup) {
  const std::string moved = "tidemark.log.1";
  const auto process = start_all(fmt::format("[log]\nfile = \"{}\"\n", folder_.file("tidemark.log")));
  ASSERT_FALSE(HasFatalFailure());
  ASSERT_TRUE(testing::eventually([&] { return !folder_.read("tidemark.log").empty(); }));
  std::filesystem::rename(folder_.file("tidemark.log"), folder_.file(moved));
  process->signal(SIGHUP);
  EXPECT_TRUE(testing::eventually([&] { return std::filesystem::exists(folder_.file("tidemark.log")); }));
  const auto answer = HttpClient(port()).post("/events", kEventType, event_json("after the move"));
  ASSERT_TRUE(answer) << answer.error().describe();
  EXPECT_EQ(answer->status, 202) << "a hang-up is no reason to stop";
  await_stored(1, *process);
  process->signal(SIGTERM);
  const auto ended = process->wait();
  ASSERT_TRUE(ended && ended->code == 0) << process->error_output();
  EXPECT_THAT(folder_.read(moved), HasSubstr("ingest"));
  EXPECT_THAT(folder_.read(moved), Not(HasSubstr("shutdown 1/7")));
  expect_steps_in_order(folder_.read("tidemark.log"));
}

}  // namespace
}  // namespace tidemark::e2e
