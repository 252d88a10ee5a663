// The whole delivery protocol of one pipeline as a state machine: what happened goes in, what to do next
// comes out.
//
// No I/O, no locks, no clock, no threads: runtime/ feeds it from real threads, the simulator from a seed.
// Owned by one thread. docs/delivery.md states the rules; docs/adr/ records why they are so.
//
// The life of a pipeline:
//   identify the deployment -> open the sink's lanes -> acquire the position -> open the source there ->
//   save the high-water mark -> read, write, acknowledge ... -> drain -> finish
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "core/backoff.h"
#include "core/dead_letters.h"
#include "core/denials.h"
#include "core/event.h"
#include "core/position.h"
#include "core/sink.h"
#include "core/source.h"
#include "core/watermark.h"
#include "env/clock.h"
#include "env/random.h"

namespace tidemark {

enum class OnReject { kStop, kDeadLetter };

struct PipelineLimits {
  int lanes = 1;
  // The sink commits rows and position together (TransactionalSink): writes carry the position, nothing else
  // is saved.
  bool transactional = false;
  // The source is opened only while every lane is open and none was refused its last write (Source::wants_sink_first). What it
  // handed out before is kept and written again, also when the source has failed meanwhile.
  bool sink_first = false;
  OnReject on_reject = OnReject::kStop;
  size_t batch_events_max = 1000;  // of one write
  size_t batch_bytes_max = 4 << 20;
  size_t in_flight_bytes_max = 8 << 20;  // admitted and not yet durable; one batch may exceed it
  size_t in_flight_batches_max = 1024;
  uint64_t unsaved_events_max = 100'000;  // durable at the sink, position not yet saved
  std::chrono::milliseconds idle_save{10'000};
  std::chrono::milliseconds read_wait{1'000};
  std::chrono::milliseconds drain_timeout{10'000};
  // How long refused credentials and grants are waited out where they have worked before.
  std::chrono::milliseconds auth_patience{600'000};
  Backoff::Limits retry;
};

// One write of one lane. Moved to the lane and back, so that its memory is reused.
struct WriteJob {
  struct Part {
    Watermark::Seq seq;
    uint32_t count;
  };
  std::vector<Event> events;  // in stream order, views into `owners`
  std::vector<Part> parts;    // which batch the events belong to, in order
  std::vector<std::shared_ptr<EventBatch>> owners;
  Position resume_after;          // transactional sinks commit it with the events
  bool ends_batch = false;        // `resume_after` is the end of the last part's batch
  Watermark::Seq last_batch = 0;  // which that was, whatever became of its parts
};

// --- what goes in
struct Started {};
struct Identified {
  Result<SourceHealth> result;
};
struct SinkOpened {
  int lane;
  Status result;
};
struct PositionAcquired {
  Result<std::optional<StoredPosition>> result;
};
struct SourceOpened {
  Result<Position> result;
};
struct ReadDone {
  Result<SourceBatch> result;
};
struct WriteDone {
  int lane;
  WriteJob job;
  WriteResult result;
};
struct SaveDone {
  Status result;
};
struct DeadLetterDone {
  Result<LetterFate> result;
};
struct SourceReady {};  // a new primary: an open that waits may try at once
struct Tick {};         // time passed
struct StopRequested {};
using Input = std::variant<Started, Identified, SinkOpened, PositionAcquired, SourceOpened, ReadDone,
                           WriteDone, SaveDone, DeadLetterDone, SourceReady, Tick, StopRequested>;

// --- what comes out: each is answered by exactly one input of the same name
struct IdentifySource {};
struct OpenSink {
  int lane;
};
// The context's deployment is the one just identified. A transactional sink opens and loads in one step.
struct AcquirePosition {
  std::string deployment;
};
struct OpenSource {
  Position from;
};
struct ReadSource {
  std::chrono::milliseconds wait;
};
struct Write {
  int lane;
  WriteJob job;
};
struct Save {
  DurablePosition position;
};
struct PutDeadLetter {
  Event event;  // views into `owner`
  std::shared_ptr<EventBatch> owner;
  std::string reason;
};
struct Finish {
  std::optional<Error> error;  // empty: the operator stopped it
};
using Action = std::variant<IdentifySource, OpenSink, AcquirePosition, OpenSource, ReadSource, Write, Save,
                            PutDeadLetter, Finish>;

enum class PipelineState {
  kStarting,
  kOpening,
  kStreaming,
  kWaitingForSource,
  kWaitingForSink,
  kDraining,
  kFinished
};
std::string_view to_string(PipelineState state);

// What anybody outside may know of a pipeline; copied by runtime after every step.
struct PipelineStatus {
  PipelineState state = PipelineState::kStarting;
  uint64_t events_read = 0;
  uint64_t events_delivered = 0;
  uint64_t events_rejected = 0;  // durable in the dead letters
  uint64_t events_retried = 0;   // put back before the source for another try
  uint64_t bytes_delivered = 0;
  uint64_t batches_written = 0;
  uint64_t source_retries = 0;  // back-offs of the source since the start
  uint64_t source_opens = 0;
  uint64_t sink_retries = 0;
  uint64_t saves = 0;
  uint64_t save_failures = 0;
  uint64_t in_flight_events = 0;
  uint64_t in_flight_bytes = 0;
  Position committed;               // the last position known to be durable
  bson::Timestamp last_event_time;  // of the newest event delivered
  bson::Timestamp
      delivered_time;            // everything up to it is durable at the sink, its position saved or not yet
  std::string last_error;        // of the fault being waited out; empty when all is well
  std::optional<Mono> retry_at;  // when the fault is tried again
  int retry_attempt = 0;         // waits in a row, this one included
};

class PipelineCore {
 public:
  // `identity` is the source's; `random` outlives the core.
  PipelineCore(PipelineLimits limits, SourceIdentity identity, Random& random);

  // Takes one input and appends the actions that follow from it. REQUIRES that Finish hasn't been returned.
  void step(Input input, Mono now, std::vector<Action>& actions);

  // When to send a Tick at the latest; empty = no need.
  std::optional<Mono> next_tick() const;

  const PipelineStatus& status() const { return status_; }

 private:
  // A run of events of one batch that share a fate: go to the lanes, or are one event that needs the pipeline
  // for itself.
  enum class SegmentKind : uint8_t { kRun, kBarrier, kReject };
  struct Segment {
    SegmentKind kind;
    Watermark::Seq seq;
    std::shared_ptr<EventBatch> batch;
    uint32_t begin;
    uint32_t end;
    Position end_position;  // transactional only: the batch's, when this segment is its last; else empty
    Position within;        // transactional only: SourceBatch::resume_within
  };
  struct LaneItem {
    Watermark::Seq seq;
    std::shared_ptr<EventBatch> batch;
    std::vector<uint32_t> events;  // indexes into the batch
    size_t next = 0;               // events[next...] are still to be written
    Position end_position;         // transactional only: what to commit once the last of them is
    Position within;  // transactional only: what to commit before; empty: behind the event itself
  };
  struct Lane {
    bool open = false;
    bool busy = false;  // an OpenSink, AcquirePosition or Write of this lane is out
    std::deque<LaneItem> queue;
    std::optional<WriteJob> retry;  // a job that failed and waits to be written again
    bool refused =
        false;  // its last write failed: to open says little, only a write that succeeds says that the sink takes
    bool awaits_letter = false;  // ... until the event taken out of it is durable in the dead letters
    std::optional<Mono> retry_at;
    WriteJob spare;  // memory for the next job
    Backoff backoff;
    Denials open_denials;
    Denials write_denials;
    explicit Lane(const PipelineLimits& limits)
        : backoff(limits.retry), open_denials(limits.auth_patience), write_denials(limits.auth_patience) {}
    bool idle() const { return !busy && !retry && queue.empty(); }
  };
  // kClosed = nothing is out and nothing is open: identify or open next, unless source_retry_at_ says to
  // wait.
  enum class SourcePhase { kClosed, kIdentifying, kOpening, kOpen, kReading };
  enum class PositionPhase { kUnknown, kAcquiring, kAcquired };
  // A rejected event on its way to the dead letters.
  struct PendingLetter {
    Watermark::Seq seq;
    Event event;
    std::shared_ptr<EventBatch> batch;
    std::string reason;
    std::optional<int> lane;  // whose job waits for it; empty: a rejected segment
  };

  void on(Started, Mono now);
  void on(Identified input, Mono now);
  void on(SinkOpened input, Mono now);
  void on(PositionAcquired input, Mono now);
  void on(SourceOpened input, Mono now);
  void on(ReadDone input, Mono now);
  void on(WriteDone input, Mono now);
  void on(SaveDone input, Mono now);
  void on(DeadLetterDone input, Mono now);
  void on(SourceReady, Mono now);
  void on(Tick, Mono now);
  void on(StopRequested, Mono now);

  // Looks at the whole state and starts whatever may start. Called at the end of every step, so that no
  // handler has to know what its change makes possible.
  void pump(Mono now);
  void pump_setup(Mono now);
  void pump_source(Mono now);
  void pump_segments(Mono now);
  void pump_lanes(Mono now);
  void pump_letters(Mono now);
  void pump_save(Mono now);
  void pump_drain(Mono now);
  template <class T>
  void act(T action) {
    actions_->emplace_back(std::move(action));
  }

  void admit(SourceBatch batch);
  void cut_into_segments(Watermark::Seq seq, const std::shared_ptr<EventBatch>& batch,
                         const Position& within);
  void distribute(const Segment& segment);
  void fill_job(Lane& lane, WriteJob& job);
  void start_write(int index, Lane& lane, WriteJob job);
  void deliver_prefix(WriteJob& job, size_t count);
  void source_failed(const Error& error, Denials& denials, Mono now);
  void lane_failed(Lane& lane, const Error& error, Denials& denials, Mono now);
  void lane_worked(Denials Lane::*denials, Lane& lane);
  void reject_from_job(int index, Lane& lane, WriteJob job, const WriteFailure& failure, Mono now);
  void end_wait_for_letter(Lane& lane);
  void acknowledge(Mono now, const WriteJob* committed);
  // True when `error` ends the pipeline; begins the drain then. Else the fault stands in the status, and is to be waited out.
  bool ends_pipeline(const Error& error, Denials& denials, Mono now);
  // When to try again after a fault.
  Mono next_try(Backoff& backoff, const Denials& denials, Mono now);
  void begin_drain(std::optional<Error> error, Mono now);
  bool lanes_idle() const;
  bool may_read() const;
  void refresh_retry();
  void refresh_status();

  const PipelineLimits limits_;
  const SourceIdentity identity_;
  Random& random_;
  std::vector<Action>* actions_ = nullptr;  // where the current step appends

  SourcePhase source_ = SourcePhase::kClosed;
  std::optional<Mono> source_retry_at_;
  Backoff source_backoff_;
  Denials identify_denials_;
  Denials open_denials_;
  Denials read_denials_;
  // A new primary was announced since the last attempt to open: the next failure needs no wait. Without this
  // memory an announcement that overtakes the failure it heals would be lost.
  bool source_ready_ = false;
  bool identified_ = false;
  bool opened_before_ = false;
  std::string deployment_;
  bson::Timestamp source_clock_;  // when it was identified

  PositionPhase position_ = PositionPhase::kUnknown;  // of a store; a transactional sink's is its lane's
  std::optional<Mono> position_retry_at_;
  Backoff position_backoff_;
  Denials position_denials_;
  Position read_position_;  // where the source resumes: the end of what was admitted
  bool gate_open_ = false;  // the first high-water mark is saved: events may be delivered

  Watermark watermark_;
  std::deque<Segment> segments_;
  bool barrier_out_ = false;  // a barrier is with a lane: nothing may pass it
  std::vector<Lane> lanes_;

  std::optional<DurablePosition> to_save_;
  bool to_save_urgent_ = false;  // it covers events, not only idle time
  bool saving_ = false;
  uint64_t saving_events_ = 0;
  uint64_t unsaved_events_ = 0;
  Mono last_save_{};
  std::optional<Mono> save_retry_at_;
  Backoff save_backoff_;
  Denials save_denials_;
  std::optional<DurablePosition> saving_position_;

  std::deque<PendingLetter> letters_;
  bool letter_out_ = false;
  std::optional<Mono> letter_retry_at_;
  Backoff letter_backoff_;
  Denials letter_denials_;

  bool draining_ = false;
  bool finished_ = false;
  bool write_nothing_more_ = false;  // fenced: the position belongs to another instance
  std::optional<Error> outcome_;
  Mono drain_deadline_{};

  PipelineStatus status_;
};

}  // namespace tidemark
