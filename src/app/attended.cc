#include "app/attended.h"

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include <unistd.h>

#include "base/log.h"

namespace tidemark::app {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPoll{20};
constexpr milliseconds kRedraw{100};
constexpr std::chrono::seconds kLineEvery{5};
constexpr size_t kWidthMax = 100;

bool is_terminal() {
  const char* term = std::getenv("TERM");
  return ::isatty(STDERR_FILENO) == 1 && term != nullptr && std::string_view(term) != "dumb";
}

}  // namespace

StatusLine::StatusLine(Clock& clock) : clock_(clock), terminal_(is_terminal()), drawn_at_(clock.now()) {}

void StatusLine::set(std::string text) {
  MutexLock lock(mutex_);
  text_ = std::move(text);
}

void StatusLine::draw() {
  const Mono now = clock_.now();
  if (now - drawn_at_ < (terminal_ ? Mono::duration(kRedraw) : Mono::duration(kLineEvery))) return;
  std::string text;
  {
    MutexLock lock(mutex_);
    text = text_.substr(0, kWidthMax);
  }
  if (text.empty()) return;
  drawn_at_ = now;
  if (!terminal_) {
    std::fprintf(stderr, "%s\n", text.c_str());
  } else if (text != drawn_) {
    std::fprintf(stderr, "\r\x1b[K%s", text.c_str());
    drawn_ = text;
  }
  std::fflush(stderr);
}

void StatusLine::clear() {
  if (!drawn_.empty()) std::fputs("\r\x1b[K", stderr);
  drawn_.clear();
}

bool attend(App& app, StatusLine& line, const std::function<void(std::stop_token)>& work) {
  std::stop_source stop;
  std::atomic<bool> done = false;
  std::jthread worker([&] {
    work(stop.get_token());
    done = true;
  });
  while (!done) {
    const auto signal = app.signals.wait_for(kPoll);
    if (signal == SIGHUP) {
      if (Status reopened = reopen_log(); !reopened) log::error("process: {}", reopened.error().describe());
    } else if (signal) {
      if (stop.stop_requested()) exit_by_signal(*signal);
      line.clear();
      std::fprintf(stderr, "tidemark: stopping; a second signal ends at once\n");
      stop.request_stop();
    }
    line.draw();
  }
  worker.join();
  line.clear();
  return !stop.stop_requested();
}

}  // namespace tidemark::app
