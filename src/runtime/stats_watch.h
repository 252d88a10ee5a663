// Asks the stats probes every few seconds, on a thread of its own, and keeps the last answers. Nothing of it touches a
// pipeline: the page compares the two.
//
// Owned by whoever runs the pipelines; view() may be called by any thread.
#pragma once

#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "core/stats_probe.h"
#include "env/clock.h"
#include "runtime/status.h"

namespace tidemark {

class StatsWatch {
 public:
  StatsWatch(std::vector<std::unique_ptr<StatsProbe>> probes, std::chrono::milliseconds interval,
             Clock& clock);
  ~StatsWatch();

  void start();
  void stop();
  // One look at every probe. start() does this on its thread; tests call it themselves.
  void look(std::stop_token stop);

  StatsView view() const EXCLUDES(mutex_);

 private:
  const std::vector<std::unique_ptr<StatsProbe>> probes_;
  const std::chrono::milliseconds interval_;
  Clock& clock_;
  mutable Mutex mutex_;
  StatsView view_ GUARDED_BY(mutex_);
  std::optional<Mono> succeeded_ GUARDED_BY(mutex_);
  std::jthread thread_;
};

}  // namespace tidemark
