// The processes of the demo and the folder they work in: the sandbox, and the relay that is started again
// after every death. Everything that was started is reaped by the destructor.
//
// Any thread may call it. The kernel kills a child when the thread that spawned it ends: a thread that starts
// the relay must live until the end of the demo.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/mutex.h"
#include "env/file_system.h"
#include "env/posix/child_process.h"

namespace tidemark::cli {

class DemoWorld {
 public:
  static constexpr const char* kPipeline = "quakes";
  static constexpr const char* kDatabase = "demo";
  static constexpr const char* kCollection = "earthquakes";
  static constexpr const char* kTable = "earthquakes";

  // `keep` is a folder to create or use, and to leave in place; empty means a temporary one.
  static Result<std::unique_ptr<DemoWorld>> create(FileSystem& files, const std::string& keep);
  ~DemoWorld();

  // Returns once the sandbox accepts connections and the configuration is written.
  Status start_sandbox(uint64_t seed);
  // `tidemark position init ... --from now --yes`, as an operator would.
  Status init_position();
  Status start_relay() EXCLUDES(mutex_);
  // kill -9; the process id that died, or 0 when none ran.
  pid_t kill_relay() EXCLUDES(mutex_);
  // SIGTERM and its orderly end, at most `patience`; empty when it had to be killed or did not run.
  std::optional<ExitState> stop_relay(std::chrono::milliseconds patience) EXCLUDES(mutex_);

  // How the relay ended, if it ended by itself: something the demo must report.
  std::optional<ExitState> relay_died() EXCLUDES(mutex_);
  int relay_starts() const EXCLUDES(mutex_);
  pid_t relay_pid() const EXCLUDES(mutex_);
  // The last lines of the relay's log.
  std::string relay_log_tail(size_t lines_max) const;

  const std::string& uri() const { return uri_; }
  const std::string& folder() const { return folder_; }
  std::string config_path() const { return folder_ + "/demo.toml"; }
  std::string database_path() const { return folder_ + "/demo.db"; }
  // Kills every child and removes a temporary folder, while other threads may still hold on to this object:
  // the process is about to end. What a thread starts after it dies with the process.
  void abandon() EXCLUDES(mutex_);
  // Keeps the folder, for somebody to look into.
  void keep_folder() { temporary_ = false; }
  bool temporary() const { return temporary_; }

 private:
  DemoWorld(FileSystem& files, std::string folder, bool temporary);

  FileSystem& files_;
  const std::string folder_;
  bool temporary_;
  std::string uri_;
  ChildProcess sandbox_;

  mutable Mutex mutex_;
  ChildProcess relay_ GUARDED_BY(mutex_);
  bool relay_wanted_ GUARDED_BY(mutex_) = false;
  int relay_starts_ GUARDED_BY(mutex_) = 0;
};

}  // namespace tidemark::cli
