// The servers and processes of the demo and the folder they work in: the sandbox, the broker, and the worker that is
// started again after every death. Everything that was started is reaped by the destructor.
//
// Any thread may call it. The kernel kills a child when the thread that spawned it ends: a thread that starts
// something must live until the end of the demo.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/mutex.h"
#include "demo/broker.h"
#include "demo/config.h"
#include "env/clock.h"
#include "env/file_system.h"
#include "env/posix/child_process.h"

namespace tidemark::demo {

class World {
 public:
  // `keep` is a folder to create or use, and to leave in place; empty means a temporary one. `files` and `clock`
  // outlive it.
  static Result<std::unique_ptr<World>> create(FileSystem& files, Clock& clock, const std::string& keep);
  ~World();

  // Starts both, and returns once the sandbox accepts connections and the configurations are written; the broker answers
  // some seconds later. The page gets `page_port`, or a free one when that is taken.
  Status start_servers(uint64_t seed, int page_port);
  // `tidemark position init ... --from now --yes`, as an operator would.
  Status init_position();
  Status start_worker() EXCLUDES(mutex_);
  // kill -9; the process id that died, or 0 when none ran.
  pid_t kill_worker() EXCLUDES(mutex_);
  // SIGTERM and its orderly end, at most `patience`; empty when it had to be killed or did not run.
  std::optional<ExitState> stop_worker(std::chrono::milliseconds patience) EXCLUDES(mutex_);

  // What ended by itself, and must be reported: the worker or the broker.
  std::optional<Error> death() EXCLUDES(mutex_);
  int worker_starts() const EXCLUDES(mutex_);
  pid_t worker_pid() const EXCLUDES(mutex_);

  Broker& broker() { return *broker_; }
  const Addresses& addresses() const { return addresses_; }
  const std::string& folder() const { return folder_; }
  std::string front_config_path() const { return folder_ + "/demo.toml"; }
  std::string worker_config_path() const { return folder_ + "/worker.toml"; }
  std::string database_path() const { return folder_ + "/demo.db"; }
  std::string log_path() const { return folder_ + "/demo.log"; }
  // Kills every child and removes a temporary folder, while other threads may still hold on to this object:
  // the process is about to end. What a thread starts after it dies with the process.
  void abandon() EXCLUDES(mutex_);
  // Keeps the folder, for somebody to look into.
  void keep_folder() { temporary_ = false; }
  bool temporary() const { return temporary_; }

 private:
  World(FileSystem& files, Clock& clock, std::string folder, bool temporary);
  std::string worker_log_path() const { return folder_ + "/worker.log"; }

  FileSystem& files_;
  Clock& clock_;
  const std::string folder_;
  bool temporary_;
  Addresses addresses_;
  ChildProcess sandbox_;
  std::unique_ptr<Broker> broker_;

  mutable Mutex mutex_;
  ChildProcess worker_ GUARDED_BY(mutex_);
  bool worker_wanted_ GUARDED_BY(mutex_) = false;
  int worker_starts_ GUARDED_BY(mutex_) = 0;
};

}  // namespace tidemark::demo
