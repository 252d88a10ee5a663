// Watches running pipelines from beside them: rates once a second, the source's deployment and the dead letters every few
// seconds, each pipeline's on a thread of its own, so that a deployment that doesn't answer hides nothing of the others.
//
// Made and destroyed by the owner of the runners, which outlive it. views() may be called by any thread.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "env/clock.h"
#include "runtime/runner.h"
#include "runtime/status.h"

namespace tidemark {

class Monitor {
 public:
  struct Subject {
    PipelineRunner* runner = nullptr;
    std::string source_type;
    std::string sink_type;
    // How many dead letters there are; null without any. Called on the subject's thread.
    std::function<Result<uint64_t>(std::stop_token)> count_letters;
  };
  struct Pace {
    std::chrono::milliseconds sample{1'000};
    std::chrono::milliseconds look{5'000};
  };

  Monitor(std::vector<Subject> subjects, Clock& clock, Pace pace);
  Monitor(std::vector<Subject> subjects, Clock& clock) : Monitor(std::move(subjects), clock, Pace()) {}
  ~Monitor();

  void start();
  void stop();

  std::vector<PipelineView> views() const;

 private:
  // What was last learnt about one pipeline.
  struct Watched {
    Subject subject;
    mutable Mutex mutex;
    std::deque<std::pair<Mono, uint64_t>> samples GUARDED_BY(mutex);  // events delivered, newest last
    std::vector<double> rate_by_s GUARDED_BY(mutex);
    std::optional<SourceHealth> health GUARDED_BY(mutex);
    std::string health_error GUARDED_BY(mutex);
    std::optional<double> lag_s GUARDED_BY(mutex);
    bool moving GUARDED_BY(mutex) =
        true;  // the position moved between the last two looks, or had nothing to pass
    bson::Timestamp looked_at GUARDED_BY(mutex);
    std::optional<uint64_t> letters GUARDED_BY(mutex);
    std::optional<uint64_t> wal_bytes GUARDED_BY(mutex);
    std::jthread thread;
  };

  void sample(Watched& watched, Mono now);
  // False when the deployment didn't answer.
  bool look(Watched& watched, std::stop_token stop);
  PipelineView view(const Watched& watched) const;

  Clock& clock_;
  const Pace pace_;
  std::vector<std::unique_ptr<Watched>> watched_;
  std::jthread sampler_;
};

}  // namespace tidemark
