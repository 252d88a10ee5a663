// One relay under test: `tidemark run` as a child process, killed, stopped, paused and started again as the faults want it,
// and watched for what it must never do by itself: end. Owned by the trial; one thread, the one that started the processes.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "chaos/ends.h"
#include "support/process.h"

namespace tidemark::chaos {

using Time = std::chrono::nanoseconds;  // of testing::internal::now()
using testing::Process;

struct RelaySetup {
  const RelayKind* kind = nullptr;
  int index = 0;
  uint64_t seed = 0;  // decides sizes of batches and the like
  Places places;
};

class Relay {
 public:
  explicit Relay(const RelaySetup& setup);
  ~Relay();

  const RelayKind& kind() const { return *setup_.kind; }
  int index() const { return setup_.index; }
  std::string name() const { return std::to_string(setup_.index) + " (" + setup_.kind->name + ")"; }
  End& end() { return *end_; }

  // `position init --from now`; all relays of a trial do so at the same time.
  void begin_init();
  Status finish_init();
  void start(Time now);

  // kill -9, and a start when `down` has passed.
  void kill(Time now, Process::Milliseconds down);
  // SIGTERM, the same.
  void stop(Time now, Process::Milliseconds down);
  // The next life is tidemark-crash, which dies at a step of its loop.
  void crash(Time now, const std::string& point, int reaches);
  // The next life dies before its n-th call that changes a disk or says something to a server.
  void crash_at_call(Time now, int n);
  // SIGSTOP, until resume().
  void pause();
  void resume();
  // No file of the process may grow beyond so many bytes; RLIM_INFINITY takes it back.
  void limit_files(uint64_t bytes);
  // A second instance of the same pipeline, until end_twin().
  void start_twin();
  void end_twin();
  bool running() const { return state_ == State::kRunning; }
  bool stopping() const { return state_ == State::kStopping; }
  // Starts at once what waits to be started again, as itself.
  void hurry(Time now);

  // Looks after the process: what went wrong, in words. One that ended by itself is not started again.
  std::optional<std::string> look_after(Time now);
  // Where it stands, empty when nobody can say now.
  std::string position();
  // The last words of the process.
  std::string last_words() const;
  int starts() const { return starts_; }
  bool failed() const { return failed_; }

 private:
  enum class State { kRunning, kStopping, kDown };
  void went_down(Time now, Process::Milliseconds down, bool orderly);
  std::optional<std::string> ended(Time now);
  bool expire_lease();
  void check_rows_beyond_position();

  const RelaySetup setup_;
  std::unique_ptr<End> end_;
  std::string config_;
  std::unique_ptr<Process> process_;
  std::unique_ptr<Process> twin_;
  State state_ = State::kDown;
  bool crashing_ = false;
  bool had_twin_ = false;
  bool failed_ = false;
  bool lease_left_ = false;  // the last owner had no chance to give its lease back
  std::string next_point_;
  int next_reaches_ = 0;
  int next_call_ = 0;
  Time restart_at_{0};
  Time stop_deadline_{0};
  Process::Milliseconds down_{0};
  std::optional<std::string> finding_;
  int starts_ = 0;
};

}  // namespace tidemark::chaos
