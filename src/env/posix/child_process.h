// A child process: started, watched, signalled and always reaped. Used by `tidemark demo` and by the
// black-box tests; no other code starts processes.
//
// One thread owns a ChildProcess. The child leads a process group of its own, so that a terminal's Ctrl-C
// reaches the parent alone, and the kernel kills it when the thread that spawned it ends, however that
// happens: a thread that spawns must outlive its children.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "base/result.h"

namespace tidemark {

// How a process ended.
struct ExitState {
  int code = 0;    // its exit code; 0 when a signal ended it
  int signal = 0;  // the signal that ended it, or 0

  bool clean() const { return code == 0 && signal == 0; }
  // "exit code 78", "killed by signal 9".
  std::string describe() const;
};

struct ChildOptions {
  std::vector<std::string> argv;                         // argv[0] is the program's path; no search in PATH
  std::vector<std::pair<std::string, std::string>> env;  // added to, or in place of, the parent's
  std::vector<std::string> env_without;                  // names taken out of the parent's environment
  std::string folder;  // where the child starts; empty = the parent's current folder
  // The files that its output is appended to. Empty: standard output goes to the pipe that read_line() reads,
  // standard error to the same place as standard output.
  std::string stdout_path;
  std::string stderr_path;
};

class ChildProcess {
 public:
  ChildProcess() = default;
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  // Kills with SIGKILL and reaps what still runs.
  ~ChildProcess();

  // kConfig when the program can't be started, with the system's words.
  static Result<ChildProcess> spawn(const ChildOptions& options);

  // False before spawn() and after the child was reaped.
  bool running() const { return pid_ > 0; }
  pid_t pid() const { return pid_; }

  // Nothing happens when the child is gone.
  void send_signal(int signal) const;
  // Reaps the child if it has ended by then; empty when it still runs.
  std::optional<ExitState> wait_for(std::chrono::milliseconds timeout);
  // SIGKILL to the child's whole group, and waits for the child's end.
  ExitState kill();

  // The next line of the pipe, without its newline; empty when none came in time or the child closed its end
  // with nothing left. A line longer than 64 KiB is handed out in pieces.
  std::optional<std::string> read_line(std::chrono::milliseconds timeout);
  // Everything up to the end of the output or `timeout`, at most `bytes_max`.
  std::string read_rest(std::chrono::milliseconds timeout, size_t bytes_max = 1 << 20);

 private:
  bool fill(std::chrono::milliseconds timeout);
  void forget();

  pid_t pid_ = -1;
  int pipe_ = -1;
  std::string buffer_;
  std::optional<ExitState> exit_;
};

// The folder that holds the running program.
std::string executable_folder();

}  // namespace tidemark
