// Runs one pipeline: PipelineCore on a thread of its own, and around it one worker for the source, one for
// each lane of the sink, one for the position store and the dead letters.
//
//   reader ──ReadDone──►┐                  ┌──Write──► lane 0..N-1 ──WriteDone──┐
//                       ├──► inbox ─► core ┤                                    ├──► inbox
//   topology ─Ready────►┘                  └──Save───► saver ───────SaveDone────┘
//
// start() and join() are the owner's; status() and request_stop() may be called by any thread.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/bounded_queue.h"
#include "base/mutex.h"
#include "core/dead_letters.h"
#include "core/pipeline_core.h"
#include "core/transform.h"
#include "env/clock.h"
#include "runtime/worker.h"

namespace tidemark {

// Everything a pipeline is made of, built from its configuration (runtime/build.h) or by a test.
struct PipelineParts {
  std::string name;
  PipelineLimits limits;
  std::unique_ptr<Source> source;
  std::vector<std::unique_ptr<Transform>> transforms;
  std::unique_ptr<TransactionalSink> transactional;  // this, or lanes and positions
  std::vector<std::unique_ptr<Sink>> lanes;
  std::unique_ptr<PositionStore> positions;
  std::unique_ptr<DeadLetterStore> dead_letters;  // there when limits.on_reject is kDeadLetter

  // Where the position lives, whichever form the sink has.
  PositionStore& position_store() { return transactional ? transactional->position_store() : *positions; }
};

// The points of the loop that an observer is told of, each just before or after the named call.
enum class LoopPoint { kOpened, kRead, kBeforeWrite, kAfterWrite, kBeforeSave, kAfterSave };
std::string_view to_string(LoopPoint point);

class PipelineRunner {
 public:
  // `observer`, if any, is called on the thread that reaches the point; it must not block.
  PipelineRunner(PipelineParts parts, Clock& clock, Random& random,
                 std::function<void(LoopPoint)> observer = nullptr);
  ~PipelineRunner();

  void start();
  // Begins the orderly end; the pipeline drains up to its drain_timeout.
  void request_stop();
  // Waits for the end, whoever asked for it, and shuts everything down. The error that ended the pipeline, or
  // none.
  std::optional<Error> join();
  bool finished() const { return finished_.load(); }

  PipelineStatus status() const EXCLUDES(status_mutex_);
  const std::string& name() const { return parts_.name; }

 private:
  void run_core();
  void carry_out(Action action);
  void carry_out(IdentifySource action);
  void carry_out(OpenSink action);
  void carry_out(AcquirePosition action);
  void carry_out(OpenSource action);
  void carry_out(ReadSource action);
  void carry_out(Write action);
  void carry_out(Save action);
  void carry_out(PutDeadLetter action);
  void carry_out(Finish action);

  void send(Input input);
  void apply_transforms(EventBatch& batch) const;
  void observe(LoopPoint point) const {
    if (observer_) observer_(point);
  }
  PositionContext position_context(std::string deployment) const;
  void shut_down();

  PipelineParts parts_;
  Clock& clock_;
  const std::function<void(LoopPoint)> observer_;
  PipelineCore core_;  // touched by core_thread_ alone once started

  BoundedQueue<Input> inbox_;
  std::atomic<bool> ready_pending_ = false;
  std::atomic<bool> stop_pending_ = false;
  std::atomic<bool> finished_ = false;
  std::optional<Error> outcome_;  // written by the core thread before it ends, read after joining it

  std::unique_ptr<Worker> reader_;
  std::vector<std::unique_ptr<Worker>> lane_workers_;
  std::unique_ptr<Worker> saver_;
  bool letters_open_ = false;  // the saver's

  mutable Mutex status_mutex_;
  PipelineStatus status_ GUARDED_BY(status_mutex_);
  std::jthread core_thread_;
};

}  // namespace tidemark
