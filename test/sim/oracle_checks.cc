// The model's second half: what may come out of the core, and what has to.
#include <algorithm>

#include "sim/oracle.h"

namespace tidemark::sim {
namespace {

std::string text(Index index) { return std::to_string(index); }

template <class... T>
bool is_any(const Action& action) {
  return (std::holds_alternative<T>(action) || ...);
}

}  // namespace

void Oracle::answered(const std::vector<Action>& actions, const PipelineStatus& status, Mono now) {
  const bool ending = status.state == PipelineState::kDraining || status.state == PipelineState::kFinished;
  if (ending && !draining_) {
    // Only an event that was rejected before any sink saw it ends a life without an input that says so.
    const bool unreadable = std::find(states_.begin(), states_.end(), State::kRejected) != states_.end();
    SIM_CHECK(verdict_, limits_.on_reject == OnReject::kStop && unreadable && gate_open_,
              rule::kShutdownIsOrdered, "the pipeline ends and nothing asked for it");
    marks_.hit(Mark::kStopAtARejectedEvent);
    ends_with({React::kReject, "rejected"}, now);
  }
  for (const Action& action : actions) {
    SIM_CHECK(verdict_, !ending || (is_any<Save, Finish>(action)), rule::kShutdownIsOrdered,
              "new work was scheduled after the end had begun: action " + std::to_string(action.index()));
    std::visit([this, now](const auto& what) { check(what, now); }, action);
  }
  const std::string_view broken = terminal_ == React::kPositionLost ? rule::kDeadPositionIsTerminal
                                  : terminal_ == React::kFenced     ? rule::kFenced
                                                                    : rule::kShutdownIsOrdered;
  SIM_CHECK(verdict_, ending == draining_, broken, "an end that was due has not begun");
}

void Oracle::check(const IdentifySource&, Mono now) {
  SIM_CHECK(verdict_, phase_ == Phase::kClosed, rule::kEverythingHasABound,
            "two calls of the source at once");
  SIM_CHECK(verdict_, source_patience_.may_try(now), rule::kRetryIsPatient,
            "the deployment was asked before its wait was over");
  phase_ = Phase::kCalled;
  source_patience_.tried();
  ready_ = false;
}

void Oracle::check(const OpenSink& action, Mono now) {
  LaneView& view = lane(action.lane);
  SIM_CHECK(verdict_, !view.busy && !view.open && !limits_.transactional, rule::kEverythingHasABound,
            "two calls of a lane at once");
  SIM_CHECK(verdict_, view.patience.may_try(now), rule::kRetryIsPatient,
            "a lane was opened before its wait was over");
  view.patience.tried();
  view.busy = true;
}

void Oracle::check(const AcquirePosition& action, Mono now) {
  SIM_CHECK(verdict_, action.deployment == deployment_ && identified_, rule::kNeverInvented,
            "the position of another deployment was asked for");
  SIM_CHECK(verdict_, !acquiring_, rule::kEverythingHasABound, "the position was acquired twice at once");
  Patience& patience = limits_.transactional ? lane(0).patience : position_patience_;
  SIM_CHECK(verdict_, patience.may_try(now), rule::kRetryIsPatient,
            "the position was asked for before its wait was over");
  patience.tried();
  acquiring_ = true;
  if (limits_.transactional) lane(0).busy = true;
}

void Oracle::check(const OpenSource& action, Mono now) {
  SIM_CHECK(verdict_, acquired_, rule::kNeverInvented, "the stream was opened without a stored position");
  SIM_CHECK(verdict_, index_of(action.from) == read_, rule::kNeverInvented,
            "the stream was opened at " + text(index_of(action.from)) + " and not at " + text(read_));
  SIM_CHECK(verdict_, phase_ == Phase::kClosed, rule::kEverythingHasABound,
            "two calls of the source at once");
  SIM_CHECK(verdict_, source_patience_.may_try(now), rule::kRetryIsPatient,
            "the stream was opened again before its wait was over, after " +
                std::to_string(source_patience_.failures()) + " failures");
  phase_ = Phase::kCalled;
  source_patience_.tried();
  ready_ = false;
}

bool Oracle::has_room() const {
  return batches_.size() < limits_.in_flight_batches_max && held_ < limits_.in_flight_bytes_max &&
         unsaved_ < limits_.unsaved_events_max;
}

void Oracle::check(const ReadSource&, Mono) {
  SIM_CHECK(verdict_, phase_ == Phase::kOpen, rule::kEverythingHasABound,
            "a read of a stream that isn't open");
  SIM_CHECK(verdict_, has_room(), rule::kEverythingHasABound,
            "the stream was read with " + std::to_string(batches_.size()) + " batches, " +
                std::to_string(held_) + " bytes and " + std::to_string(unsaved_) +
                " unsaved events in flight");
  phase_ = Phase::kReading;
}

// Everything up to `place` must be known to be durable, or be one of `beside`.
void Oracle::check_covered(Index place, const std::vector<Index>& beside, std::string_view by) {
  for (Index index = prefix_ + 1; index <= place; ++index) {
    const State state = state_of(index);
    SIM_CHECK(verdict_,
              state == State::kNothing || state == State::kSafe ||
                  std::find(beside.begin(), beside.end(), index) != beside.end(),
              rule::kReturnMeansDurable,
              std::string(by) + " " + text(place) + " covers entry " + text(index) +
                  ", which isn't known to be durable");
  }
  SIM_CHECK(verdict_, place <= read_, rule::kNeverInvented,
            std::string(by) + " " + text(place) + " is a place that nothing was read up to");
}

void Oracle::check(const Write& action, Mono) {
  LaneView& view = lane(action.lane);
  const std::vector<Event>& events = action.job.events;
  SIM_CHECK(verdict_, view.open && !view.busy, rule::kEverythingHasABound,
            "a write to a lane that isn't open or is busy");
  SIM_CHECK(verdict_, gate_open_ || events.empty(), rule::kSavedBeforeTheFirstEvent,
            "entry " + text(index_of(events.front().id)) + " was written before the first mark was saved");
  uint64_t bytes = 0;
  view.out.clear();
  for (const Event& event : events) {
    const Index index = index_of(event.id);
    bytes += event.size_bytes();
    SIM_CHECK(verdict_, state_of(index) == State::kOwed, rule::kReturnMeansDurable,
              "entry " + text(index) + ", which isn't owed, was written");
    SIM_CHECK(verdict_, view.out.empty() || index > view.out.back(), rule::kOrder,
              "entry " + text(index) + " stands behind a later one in its write");
    view.out.push_back(index);
  }
  SIM_CHECK(verdict_, events.size() <= limits_.batch_events_max, rule::kEverythingHasABound,
            "a write has " + std::to_string(events.size()) + " events");
  SIM_CHECK(verdict_, bytes <= limits_.batch_bytes_max || events.size() == 1, rule::kEverythingHasABound,
            "a write has " + std::to_string(bytes) + " bytes");
  view.busy = true;
  check_order(action, view);
  if (!limits_.transactional) return;
  view.resume_after = index_of(action.job.resume_after);
  check_covered(view.resume_after, view.out, "the position of a transaction,");
  SIM_CHECK(
      verdict_, view.resume_after >= saved_ && (view.out.empty() || view.resume_after >= view.out.back()),
      rule::kReturnMeansDurable, "the position of a transaction, " + text(view.resume_after) + ", goes back");
}

// Nothing that is still owed before an event may stand elsewhere: not of its document, nor a drop, nor, for a drop, anything.
void Oracle::check_order(const Write&, const LaneView& view) {
  if (limits_.lanes > 1 && !view.out.empty() && server_.at(view.out.front()).is_barrier())
    marks_.hit(Mark::kBarrierWaitsForLanes);
  for (const Index index : view.out) {
    const Entry& entry = server_.at(index);
    for (Index before = prefix_ + 1; before < index; ++before) {
      if (state_of(before) != State::kOwed) continue;
      const Entry& other = server_.at(before);
      const bool bound =
          limits_.lanes == 1 || other.key == entry.key || other.is_barrier() || entry.is_barrier();
      const bool beside = std::binary_search(view.out.begin(), view.out.end(), before);
      SIM_CHECK(verdict_, !bound || beside, rule::kOrder,
                "entry " + text(index) + " was written while " + text(before) + " before it is still owed");
      SIM_CHECK(verdict_, !bound || limits_.lanes == 1 || (!other.is_barrier() && !entry.is_barrier()),
                rule::kOrder, "a drop shares a write with entry " + text(before));
    }
  }
}

void Oracle::check(const Save& action, Mono now) {
  const Index place = index_of(action.position.get());
  SIM_CHECK(verdict_, !fenced_, rule::kFenced,
            "the position " + text(place) + " is saved after another owner took it");
  SIM_CHECK(verdict_, !limits_.transactional && acquired_, rule::kReturnMeansDurable,
            "a position is saved that belongs into a transaction");
  SIM_CHECK(verdict_, !saving_, rule::kEverythingHasABound, "two saves at once");
  check_covered(place, {}, "the saved position");
  SIM_CHECK(verdict_, place >= saved_, rule::kReturnMeansDurable,
            "the saved position goes back from " + text(saved_) + " to " + text(place));
  SIM_CHECK(verdict_, place <= prefix_, rule::kReturnMeansDurable, "the saved position lies inside a batch");
  SIM_CHECK(verdict_, save_patience_.may_try(now), rule::kRetryIsPatient,
            "a failed save was tried again too early");
  if (!urgent_ && !draining_) marks_.hit(Mark::kIdleMarkSaved);
  save_patience_.tried();
  saving_ = place;
  saving_events_ = unsaved_;
  urgent_ = false;
}

void Oracle::check(const PutDeadLetter& action, Mono now) {
  const Index index = index_of(action.event.id);
  SIM_CHECK(verdict_, state_of(index) == State::kRejected && limits_.on_reject == OnReject::kDeadLetter,
            rule::kRejectedEvents,
            "entry " + text(index) + ", which nothing rejected, goes to the dead letters");
  SIM_CHECK(verdict_, gate_open_, rule::kSavedBeforeTheFirstEvent,
            "a dead letter before the first mark was saved");
  SIM_CHECK(verdict_, !letter_out_, rule::kEverythingHasABound, "two dead letters at once");
  SIM_CHECK(verdict_, letter_patience_.may_try(now), rule::kRetryIsPatient,
            "a dead letter was tried again too early");
  SIM_CHECK(verdict_, !action.reason.empty(), rule::kRejectedEvents, "a dead letter has no reason");
  letter_patience_.tried();
  letter_out_ = index;
  if (server_.at(index).poison) marks_.hit(Mark::kLetterWhileALaneWaits);
}

void Oracle::check(const Finish& action, Mono now) {
  finished_ = true;
  const auto known = [&] {
    return action.error->react == terminal_ || std::find(other_terminals_.begin(), other_terminals_.end(),
                                                         action.error->react) != other_terminals_.end();
  };
  if (terminal_ == React::kPositionLost && !stop_requested_) {
    SIM_CHECK(verdict_, action.error && action.error->react == React::kPositionLost,
              rule::kDeadPositionIsTerminal, "a lost position ended the pipeline and isn't named");
  }
  SIM_CHECK(verdict_, stop_requested_ || action.error, rule::kShutdownIsOrdered,
            "the pipeline ended without a reason");
  SIM_CHECK(verdict_, !action.error || known(), rule::kShutdownIsOrdered,
            "the pipeline ended with an error that nobody gave it");
  SIM_CHECK(verdict_, !action.error || stop_requested_ || action.error->react == *terminal_,
            rule::kShutdownIsOrdered, "the pipeline ended with another error than its first");
  if (now >= deadline_) return marks_.hit(Mark::kDrainEndsAtItsDeadline);
  const bool busy = std::any_of(lanes_.begin(), lanes_.end(), [](const LaneView& view) { return view.busy; });
  SIM_CHECK(verdict_, !busy && !saving_ && !letter_out_, rule::kShutdownIsOrdered,
            "the pipeline ended before its deadline with work in flight");
  const bool could_save = acquired_ && !fenced_ && save_patience_.failures() == 0;
  SIM_CHECK(verdict_, !could_save || limits_.transactional || prefix_ <= saved_,
            stop_requested_ ? rule::kShutdownIsOrdered : rule::kDeadPositionIsTerminal,
            "the end came with " + text(prefix_) + " durable and only " + text(saved_) + " saved");
}

void Oracle::settled(const PipelineStatus& status, std::optional<Mono> next_tick, Mono now) {
  if (!verdict_.ok()) return;
  if (finished_) return;
  if (draining_) {
    SIM_CHECK(verdict_, now < deadline_, rule::kShutdownIsOrdered, "the drain goes on past its deadline");
    SIM_CHECK(verdict_, next_tick && *next_tick <= deadline_, rule::kShutdownIsOrdered,
              "nobody would wake the drain's end");
    return;
  }
  check_tries(now);
  check_saves(next_tick, now);
  check_progress();
  std::vector<const Patience*> waits{&source_patience_, &position_patience_, &letter_patience_};
  for (const LaneView& view : lanes_) waits.push_back(&view.patience);
  for (const Patience* patience : waits) {
    SIM_CHECK(verdict_, !patience->waits() || (next_tick && *next_tick <= *patience->latest()),
              rule::kRetryIsPatient, "nobody would wake a retry that waits");
  }
  check_view(status);
}

// What waits no longer must have been tried.
void Oracle::check_tries(Mono now) {
  if (phase_ == Phase::kClosed && (!identified_ || acquired_)) {
    SIM_CHECK(verdict_, !source_patience_.must_try(now), rule::kRetryIsPatient,
              "the source's wait is over and nothing tries it");
  }
  if (phase_ == Phase::kOpen) {
    SIM_CHECK(verdict_, !has_room(), rule::kEverythingHasABound, "there is room, and nothing reads");
    if (unsaved_ >= limits_.unsaved_events_max) marks_.hit(Mark::kReadingPausedByUnsavedEvents);
    if (batches_.size() >= limits_.in_flight_batches_max) marks_.hit(Mark::kReadingPausedByBatches);
    if (held_ >= limits_.in_flight_bytes_max) marks_.hit(Mark::kReadingPausedByBytes);
  }
  if (!identified_) return;
  for (const LaneView& view : lanes_) {
    SIM_CHECK(verdict_, view.open || view.busy || !view.patience.must_try(now), rule::kRetryIsPatient,
              "a lane's wait is over and nothing opens it");
  }
  SIM_CHECK(verdict_, limits_.transactional || acquired_ || acquiring_ || !position_patience_.must_try(now),
            rule::kRetryIsPatient, "the wait for the position is over and nothing asks for it");
}

// What is owed is on its way, or waits for a time; not for some later input that need not come.
void Oracle::check_progress() {
  if (!gate_open_ || owed_ == 0 || letter_out_ || letter_patience_.waits()) return;
  const bool idle = std::all_of(lanes_.begin(), lanes_.end(), [](const LaneView& view) {
    return view.open && !view.busy && !view.patience.waits();
  });
  SIM_CHECK(verdict_, !idle, rule::kEventuallyDelivered,
            std::to_string(owed_) + " events are owed, and no lane and no letter is under way");
}

bool Oracle::save_is_due(Mono now) const { return urgent_ || now - last_save_ >= limits_.idle_save; }

// What is durable and unsaved must be on its way, or wait for a time that somebody will be woken at.
void Oracle::check_saves(std::optional<Mono> next_tick, Mono now) {
  const bool unsaved = prefix_ > saved_ || (saved_empty_ && opened_before_);
  if (!opened_before_ || !unsaved || saving_) return;
  bool possible = save_patience_.must_try(now);
  if (limits_.transactional) {
    const LaneView& view = lanes_[0];
    // While events are on their way, the next transaction will carry a position.
    possible = view.open && !view.busy && owed_ == 0;
    if (view.busy || owed_ > 0 || !view.open) return;
  }
  SIM_CHECK(
      verdict_, !possible || !save_is_due(now),
      urgent_ ? rule::kReturnMeansDurable : rule::kQuietStreamAdvances,
      text(prefix_) + " is durable, " + text(saved_) + " is saved, a save is due and none is on its way");
  const Mono due = save_patience_.waits() ? *save_patience_.latest() : last_save_ + limits_.idle_save;
  SIM_CHECK(
      verdict_, next_tick && *next_tick <= due, rule::kQuietStreamAdvances,
      text(prefix_) + " is durable, " + text(saved_) + " is saved, and nobody would wake the next save");
}

void Oracle::check_view(const PipelineStatus& status) {
  SIM_CHECK(verdict_, status.in_flight_events == owed_ && status.in_flight_bytes == held_,
            rule::kOwnViewIsTrue,
            "it shows " + std::to_string(status.in_flight_events) + " events in flight, and owes " +
                std::to_string(owed_));
  SIM_CHECK(
      verdict_, index_of(status.committed) == saved_, rule::kOwnViewIsTrue,
      "it shows the position " + text(index_of(status.committed)) + ", and " + text(saved_) + " is saved");
  SIM_CHECK(verdict_, status.delivered_time.seconds <= ends_.safe_prefix(), rule::kOwnViewIsTrue,
            "it shows " + text(status.delivered_time.seconds) + " as durable");
}

}  // namespace tidemark::sim
