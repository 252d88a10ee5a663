// A RabbitMQ of the demo's own, in a folder of the demo's (broker/launch.h).
//
// Any thread may call it. The kernel ends a child with the thread that spawned it: a thread that calls start() must live
// until the end of the demo.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/mutex.h"
#include "broker/launch.h"
#include "env/clock.h"
#include "env/file_system.h"
#include "env/posix/child_process.h"

namespace tidemark::demo {

class Broker {
 public:
  // kConfig, saying how to get it, when no RabbitMQ is installed.
  static Status installed();
  // Writes what the broker reads into `folder`, which is created. REQUIRES installed(). `files` and `clock` outlive it.
  static Result<std::unique_ptr<Broker>> create(FileSystem& files, Clock& clock, const std::string& folder);
  ~Broker() { kill(); }

  // Returns once the process runs; it answers some seconds later. Started again, it has its data.
  Status start() EXCLUDES(mutex_);
  bool answers() const;
  // A clean end (connections are closed with a word of the reason), at most `patience`, then kill -9.
  void stop(std::chrono::milliseconds patience) EXCLUDES(mutex_);
  // kill -9: connections are reset.
  void kill() EXCLUDES(mutex_);

  // How it ended, if it did so by itself: something the demo must report.
  std::optional<ExitState> died() EXCLUDES(mutex_);
  int starts() const EXCLUDES(mutex_);
  pid_t pid() const EXCLUDES(mutex_);
  // "amqp://guest:guest@127.0.0.1:PORT/%2f"
  std::string uri() const;
  std::string log_folder() const { return folder_ + "/log"; }

 private:
  Broker(Clock& clock, std::string folder, int port, broker::Launch launch);

  Clock& clock_;
  const std::string folder_;
  const int port_;
  const broker::Launch launch_;

  mutable Mutex mutex_;
  ChildProcess process_ GUARDED_BY(mutex_);
  bool wanted_ GUARDED_BY(mutex_) = false;
  int starts_ GUARDED_BY(mutex_) = 0;
};

}  // namespace tidemark::demo
