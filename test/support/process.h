// A child process under a test's control: started with pipes, read line by line with a deadline, killed in
// any way.
//
// Every wait has a deadline; a test that hangs is a test that says nothing. The child dies with the test
// program, even when that is killed. One thread.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace tidemark::testing {

// How a process ended: by exit(code), or by a signal.
struct ExitStatus {
  int code = -1;   // -1 when a signal ended it
  int signal = 0;  // 0 when it exited
};

class Process {
 public:
  using Milliseconds = std::chrono::milliseconds;
  static constexpr Milliseconds kPatience{20'000};

  struct Options {
    std::map<std::string, std::string> env = {};  // added to the test's own environment
    std::string folder = {};                      // working directory; empty: the test's own
  };

  // Starts `args[0]`, found on PATH unless it holds a slash. A program that can't be started exits with code
  // 127.
  explicit Process(std::vector<std::string> args) : Process(std::move(args), Options{}) {}
  Process(std::vector<std::string> args, Options options);
  // Kills the process with SIGKILL when it still runs.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  bool running();

  // The next line of standard output without its end; empty when `patience` passes or the output has ended.
  std::optional<std::string> read_line(Milliseconds patience = kPatience);
  // Reads lines until one holds `text`, and returns it.
  std::optional<std::string> read_until(std::string_view text, Milliseconds patience = kPatience);

  void signal(int number);
  // kill -9, and waits for the end.
  void kill_now();
  // Empty when the process still runs after `patience`. Keeps reading its output, so that it can't block on a
  // full pipe.
  std::optional<ExitStatus> wait(Milliseconds patience = kPatience);

  // Everything written to standard output and to standard error so far, read lines included.
  const std::string& output() const { return output_; }
  std::string error_output() const;

 private:
  // Waits for output or the end of the process; false at the deadline.
  bool pump(std::chrono::nanoseconds until);

  pid_t pid_ = -1;
  int pid_fd_ = -1;
  int out_fd_ = -1;
  int error_fd_ = -1;  // an unlinked file
  std::string output_;
  size_t line_start_ = 0;
  std::optional<ExitStatus> status_;
};

// Runs to its end and returns everything; the status is empty when it had to be killed at the deadline.
struct Finished {
  std::optional<ExitStatus> status;
  std::string output;
  std::string error_output;
};
Finished run(std::vector<std::string> args, Process::Options options = {},
             Process::Milliseconds patience = Process::kPatience);

// `count` consecutive ports of the loopback interface that nothing listened on a moment ago; the first of
// them.
int free_ports(int count = 1);

// Asks `ready` again and again, until it holds (true) or `patience` has passed. For conditions that live in
// another process, where there is nothing to wait on.
template <class Ready>
bool eventually(Ready ready, Process::Milliseconds patience = Process::kPatience);

// The folder of the programs under test: TIDEMARK_BIN_DIR from the environment, else the build this test
// belongs to.
std::string bin_dir();
// The folder of the programs of the build this test belongs to, whatever is under test: bin/ above bin/tests/, or where the
// running program itself lies.
std::string own_bin_dir();
// Whether the programs in bin_dir() carry a sanitizer (TIDEMARK_SANITIZED, which tools/run-tests sets), and are several times
// slower and larger: how much work is asked of them depends on it.
bool sanitized();

namespace internal {
std::chrono::nanoseconds now();
void pause(std::chrono::milliseconds time);
}  // namespace internal

template <class Ready>
bool eventually(Ready ready, Process::Milliseconds patience) {
  const auto deadline = internal::now() + patience;
  while (!ready()) {
    if (internal::now() >= deadline) return false;
    internal::pause(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace tidemark::testing
