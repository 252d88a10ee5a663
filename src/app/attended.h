// Work that takes a while, under the eyes of whoever started the command: on a thread of its own, with a line that says where
// it stands and an end in order at the first signal. Used by one thread, the command's.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "app/app.h"
#include "base/mutex.h"

namespace tidemark::app {

// Where the work stands, on standard error: one line that is redrawn on a terminal, a line every few seconds elsewhere.
class StatusLine {
 public:
  explicit StatusLine(Clock& clock);
  ~StatusLine() { clear(); }
  StatusLine(const StatusLine&) = delete;
  StatusLine& operator=(const StatusLine&) = delete;

  // Any thread.
  void set(std::string text) EXCLUDES(mutex_);
  // The command's thread.
  void draw() EXCLUDES(mutex_);
  void clear();

 private:
  Clock& clock_;
  const bool terminal_;
  Mutex mutex_;
  std::string text_ GUARDED_BY(mutex_);
  std::string drawn_;  // the line that stands there; empty = none
  Mono drawn_at_;
};

// Runs `work` to its end. The first SIGINT or SIGTERM asks it to stop, the second ends the process; SIGHUP opens the log
// anew. False when it was asked to stop.
bool attend(App& app, StatusLine& line, const std::function<void(std::stop_token)>& work);

}  // namespace tidemark::app
