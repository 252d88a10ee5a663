// Runs one pipeline: PipelineCore on a thread of its own, and around it one worker for the source, one for
// each lane of the sink, one for the position store and the dead letters.
//
//   reader ──ReadDone──►┐                  ┌──Write──► lane 0..N-1 ──WriteDone──┐
//                       ├──► inbox ─► core ┤                                    ├──► inbox
//   topology ─Ready────►┘                  └──Save───► saver ───────SaveDone────┘
//
// start() and join() are the owner's; status() and request_stop() may be called by any thread.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/bounded_queue.h"
#include "base/mutex.h"
#include "core/concealment.h"
#include "core/dead_letters.h"
#include "core/pipeline_core.h"
#include "core/transform.h"
#include "env/clock.h"
#include "runtime/journal.h"
#include "runtime/status.h"
#include "runtime/worker.h"

namespace tidemark {

// Everything a pipeline is made of, built from its configuration (runtime/build.h) or by a test.
struct PipelineParts {
  std::string name;
  PipelineLimits limits;
  std::unique_ptr<Source> source;
  std::vector<std::unique_ptr<Transform>> transforms;
  Concealment concealment;                           // of these transforms
  std::unique_ptr<TransactionalSink> transactional;  // this, or lanes
  std::vector<std::unique_ptr<Sink>> lanes;
  std::unique_ptr<PositionStore> positions;       // with lanes, unless the source has positions of its own
  std::unique_ptr<DeadLetterStore> dead_letters;  // there when limits.on_reject is kDeadLetter
  // The position needs no operator's decision: the source's own acknowledgements, or memory that begins at now.
  bool starts_by_itself = false;

  // Where the position lives, whichever form source and sink have.
  PositionStore& position_store() const {
    if (PositionStore* own = source->own_positions()) return *own;
    return transactional ? transactional->position_store() : *positions;
  }
};

// The points of the loop that an observer is told of, each just before or after the named call.
enum class LoopPoint { kOpened, kRead, kBeforeWrite, kAfterWrite, kBeforeSave, kAfterSave };
std::string_view to_string(LoopPoint point);

class PipelineRunner {
 public:
  // `observer`, if any, is called on the thread that reaches the point; it must not block. `timeline`, if any, outlives
  // the runner.
  PipelineRunner(PipelineParts parts, Clock& clock, Random& random,
                 std::function<void(LoopPoint)> observer = nullptr, Timeline* timeline = nullptr);
  ~PipelineRunner();

  void start();
  // Begins the orderly end; the pipeline drains up to its drain_timeout.
  void request_stop();
  // Waits for the end, whoever asked for it, and shuts everything down. The error that ended the pipeline, or
  // none.
  std::optional<Error> join();
  // The same in parts, for a process that shuts several pipelines down in an order across them: wait() returns once
  // nothing is in flight and every worker has ended; then source and sink are closed, each once, by whoever comes first,
  // one of these or join().
  void wait();
  void close_source();
  void close_sink();
  bool finished() const { return finished_.load(); }
  // Once finished(): the error that ended the pipeline, or none.
  const std::optional<Error>& outcome() const { return outcome_; }

  PipelineStatus status() const EXCLUDES(status_mutex_);
  const std::string& name() const { return parts_.name; }
  // Before start(): the components, to look at.
  const PipelineParts& parts() const { return parts_; }
  const std::string& source_summary() const { return source_summary_; }
  const Journal& journal() const { return journal_; }
  LatencyHistogram write_latency() const;
  // Dropped by the transforms since the start.
  uint64_t events_filtered() const { return events_filtered_.load(std::memory_order_relaxed); }
  // Left out by the source since the start: of excluded and temporary collections.
  uint64_t events_left_out() const { return events_left_out_.load(std::memory_order_relaxed); }
  // Of the destination's write-ahead log; empty where it has none.
  std::optional<uint64_t> wal_bytes() const;
  // Asks the source's deployment, on the calling thread; kCancelled once the source is closed.
  Result<SourceHealth> source_health(std::stop_token stop) EXCLUDES(source_mutex_);

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
  void apply_transforms(EventBatch& batch);
  void observe(LoopPoint point) const {
    if (observer_) observer_(point);
  }
  PositionContext position_context(std::string deployment) const;
  DeadLetter letter_of(const PutDeadLetter& action) const;
  WriteResult timed_write(size_t lane, WriteJob& job, std::stop_token stop);

  PipelineParts parts_;
  Clock& clock_;
  const std::function<void(LoopPoint)> observer_;
  const std::string source_summary_;
  Journal journal_;
  std::array<std::atomic<uint64_t>, kWriteLatencyBounds_s.size() + 1> write_counts_{};
  std::atomic<uint64_t> write_ns_ = 0;
  std::atomic<uint64_t> events_filtered_ = 0;
  std::atomic<uint64_t> events_left_out_ = 0;
  PipelineCore core_;  // touched by core_thread_ alone once started

  BoundedQueue<Input> inbox_;
  std::atomic<bool> ready_pending_ = false;
  std::atomic<bool> stop_pending_ = false;
  std::atomic<bool> finished_ = false;
  std::optional<Error> outcome_;  // written by the core thread before it ends, read after joining it

  std::unique_ptr<Worker> reader_;
  std::vector<std::unique_ptr<Worker>> lane_workers_;
  std::unique_ptr<Worker> saver_;
  // What the workers are at. It waits here and not in their jobs, which are then small enough to be posted without an
  // allocation: a lane has one write out at a time, and the saver one save.
  std::vector<WriteJob> writing_;  // by lane
  std::optional<DurablePosition> saving_;
  bool letters_open_ = false;  // the saver's

  // Keeps the source open under a look at its health.
  Mutex source_mutex_;
  bool source_closed_ GUARDED_BY(source_mutex_) = false;
  bool waited_ = false;  // the owner's
  bool sink_closed_ = false;

  mutable Mutex status_mutex_;
  PipelineStatus status_ GUARDED_BY(status_mutex_);
  std::jthread core_thread_;
};

}  // namespace tidemark
