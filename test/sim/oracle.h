// The rules of docs/delivery.md as a naive model of one life of a pipeline: it is told what goes into the core, and judges
// what comes out, after every step. It knows nothing of how the core keeps its books; where it needs the truth it looks at
// the log and at the ends. Owned by a Pipeline, made anew for every life; one thread.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "core/pipeline_core.h"
#include "sim/ends.h"
#include "sim/marks.h"
#include "sim/patience.h"
#include "sim/server.h"
#include "sim/verdict.h"

namespace tidemark::sim {

class Oracle {
 public:
  // What the life runs with; all of it outlives the oracle.
  struct Context {
    const PipelineLimits& limits;
    const Server& server;
    Ends& ends;
    Verdict& verdict;
    Marks& marks;
  };
  explicit Oracle(Context context);

  // The three parts of one step, in this order.
  void told(const Input& input, Mono now);
  void answered(const std::vector<Action>& actions, const PipelineStatus& status, Mono now);
  void settled(const PipelineStatus& status, std::optional<Mono> next_tick, Mono now);

  // --- what the simulator asks, to know where the life is
  bool draining() const { return draining_; }
  bool finished() const { return finished_; }
  bool stop_requested() const { return stop_requested_; }
  bool source_waits() const { return source_patience_.waits(); }
  bool any_lane_waits() const;
  bool opened_before() const { return opened_before_; }
  bool gate_open() const { return gate_open_; }
  bool save_out() const { return saving_.has_value(); }
  bool write_out() const;
  // Events are known to be durable that the known position doesn't cover.
  bool save_owed() const { return prefix_ > saved_; }
  // The last place that it knows to be stored.
  Index saved() const { return saved_; }
  std::optional<React> terminal() const { return terminal_; }

 private:
  struct Batch {
    Index end;  // it holds the entries after the end of the one before
    uint32_t owed;
    uint64_t bytes;
  };
  enum class State : uint8_t { kNothing, kOwed, kRejected, kSafe };
  struct LaneView {
    bool open = false;
    bool busy = false;
    std::vector<Index> out;
    Index resume_after = 0;
    Patience patience;
    Refusals opening;
    Refusals writing;
  };

  void on(const Started&, Mono now) { last_save_ = now; }
  void on(const Identified& input, Mono now);
  void on(const SinkOpened& input, Mono now);
  void on(const PositionAcquired& input, Mono now);
  void on(const SourceOpened& input, Mono now);
  void on(const ReadDone& input, Mono now);
  void on(const WriteDone& input, Mono now);
  void on(const SaveDone& input, Mono now);
  void on(const DeadLetterDone& input, Mono now);
  void on(const SourceReady&, Mono now);
  void on(const Tick&, Mono) {}
  void on(const StopRequested&, Mono now);

  void check(const IdentifySource&, Mono now);
  void check(const OpenSink& action, Mono now);
  void check(const AcquirePosition& action, Mono now);
  void check(const OpenSource& action, Mono now);
  void check(const ReadSource& action, Mono now);
  void check(const Write& action, Mono now);
  void check(const Save& action, Mono now);
  void check(const PutDeadLetter& action, Mono now);
  void check(const Finish& action, Mono now);
  void check_order(const Write& action, const LaneView& lane);
  void check_covered(Index place, const std::vector<Index>& beside, std::string_view by);
  void check_tries(Mono now);
  void check_saves(std::optional<Mono> next_tick, Mono now);
  void check_progress();
  void check_view(const PipelineStatus& status);

  void acquired(const StoredPosition& stored);
  void source_failed(const Error& error, Refusals& refusals, Mono now);
  void ends_with(const Error& error, Mono now);
  void begin_drain(Mono now);
  // Whether waiting is all that the error asks for; else the life ends.
  bool may_pass(const Error& error, Refusals& refusals, Mono now);
  // A wait after a failure of such a call.
  void wait(Patience& patience, const Refusals& refusals, Mono now);
  void worked(Refusals& refusals);
  void safe(Index index);
  // True when the contiguous prefix has grown.
  bool advance();
  State state_of(Index index) const {
    return index > base_ && index - base_ - 1 < states_.size() ? states_[index - base_ - 1] : State::kNothing;
  }
  bool has_room() const;
  bool save_is_due(Mono now) const;
  LaneView& lane(int index) { return lanes_[static_cast<size_t>(index)]; }

  const PipelineLimits& limits_;
  const Server& server_;
  Ends& ends_;
  Verdict& verdict_;
  Marks& marks_;

  // --- the source
  enum class Phase { kClosed, kCalled, kOpen, kReading };
  Phase phase_ = Phase::kClosed;
  Patience source_patience_;
  Refusals identifying_;
  Refusals opening_;
  Refusals reading_;
  bool ready_ = false;
  bool identified_ = false;
  bool opened_before_ = false;
  std::string deployment_;

  // --- the position
  bool acquired_ = false;
  bool acquiring_ = false;
  Patience position_patience_;
  Refusals acquiring_refusals_;
  Index base_ = 0;   // where the life began
  Index read_ = 0;   // the end of what was read
  Index saved_ = 0;  // the last place known to be stored
  bool saved_empty_ = false;
  bool gate_open_ = false;
  std::optional<Index> saving_;
  uint64_t saving_events_ = 0;
  Patience save_patience_;
  Refusals saving_refusals_;
  Mono last_save_{};
  bool urgent_ = false;

  // --- what was read
  std::vector<State> states_;  // of the entries after base_
  std::deque<Batch> batches_;
  Index prefix_ = 0;
  uint64_t owed_ = 0;
  uint64_t held_ = 0;
  uint64_t unsaved_ = 0;

  // --- the sink and the dead letters
  std::vector<LaneView> lanes_;
  std::optional<Index> letter_out_;
  Patience letter_patience_;
  Refusals letter_refusals_;

  // --- the end
  bool draining_ = false;
  bool stop_requested_ = false;
  bool finished_ = false;
  bool fenced_ = false;
  std::optional<React> terminal_;       // the first error that ended the life
  std::vector<React> other_terminals_;  // and those after it
  Mono deadline_{};
};

}  // namespace tidemark::sim
