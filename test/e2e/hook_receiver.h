// Somebody's webhook: takes HTTP requests on a port of the loopback interface and keeps them. Answers each with the status
// that the test has chosen. One thread of its own; the calls come from the test's.
#pragma once

#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"

namespace tidemark::e2e {

struct HookCall {
  std::string head;  // the request line and the header fields, as they came
  std::string body;

  // The value of a header field, whatever its case; empty when it isn't there.
  std::string header(const std::string& name) const;
};

class HookReceiver {
 public:
  HookReceiver();
  ~HookReceiver();
  HookReceiver(const HookReceiver&) = delete;
  HookReceiver& operator=(const HookReceiver&) = delete;

  // "http://127.0.0.1:PORT/hook"
  std::string url() const;
  // 200 by default.
  void answer_with(int status) EXCLUDES(mutex_);
  std::vector<HookCall> calls() const EXCLUDES(mutex_);

 private:
  void run(const std::stop_token& stop);
  void serve(int connection);

  int listener_ = -1;
  int port_ = 0;
  mutable Mutex mutex_;
  int status_ GUARDED_BY(mutex_) = 200;
  std::vector<HookCall> calls_ GUARDED_BY(mutex_);
  std::jthread thread_;
};

}  // namespace tidemark::e2e
