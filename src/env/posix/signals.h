// Signals as something to wait for, instead of code that runs at any moment.
#pragma once

#include <chrono>
#include <initializer_list>
#include <optional>

namespace tidemark {

// Blocks the given signals for the calling thread and every thread it starts from then on: make it in main,
// first.
class SignalWaiter {
 public:
  SignalWaiter(std::initializer_list<int> signals);
  // The next signal; empty once `timeout` has passed.
  std::optional<int> wait_for(std::chrono::milliseconds timeout);

 private:
  unsigned long set_[16] = {};  // sigset_t, kept out of this header
};

// Ends the process at once with the status a shell shows for a death by `signal`. Nothing is flushed or
// closed: correctness never depends on a clean exit.
[[noreturn]] void exit_by_signal(int signal);

}  // namespace tidemark
