#include "env/posix/signals.h"

#include <csignal>
#include <cstring>

#include <unistd.h>

namespace tidemark {

SignalWaiter::SignalWaiter(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (int signal : signals) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  static_assert(sizeof(set) <= sizeof(set_));
  std::memcpy(set_, &set, sizeof(set));
}

std::optional<int> SignalWaiter::wait_for(std::chrono::milliseconds timeout) {
  sigset_t set;
  std::memcpy(&set, set_, sizeof(set));
  const timespec wait{.tv_sec = timeout.count() / 1000, .tv_nsec = timeout.count() % 1000 * 1'000'000};
  const int signal = sigtimedwait(&set, nullptr, &wait);
  if (signal < 0) return std::nullopt;
  return signal;
}

void exit_by_signal(int signal) { _exit(128 + signal); }

}  // namespace tidemark
