// The model's first half: what the core is told, and what follows from it.
#include "sim/oracle.h"

#include <algorithm>

namespace tidemark::sim {
namespace {

// How many failures in a row a new primary may still cut the wait after.
constexpr int kReadyCutsMax = 3;

}  // namespace

Oracle::Oracle(Context context)
    : limits_(context.limits),
      server_(context.server),
      ends_(context.ends),
      verdict_(context.verdict),
      marks_(context.marks),
      lanes_(static_cast<size_t>(context.limits.lanes)) {}

void Oracle::told(const Input& input, Mono now) {
  std::visit([this, now](const auto& what) { on(what, now); }, input);
}

void Oracle::begin_drain(Mono now) {
  if (draining_) return;
  draining_ = true;
  deadline_ = now + limits_.drain_timeout;
}

void Oracle::ends_with(const Error& error, Mono now) {
  if (error.react == React::kFenced) fenced_ = true;
  if (error.react != React::kCancelled) {
    if (draining_) marks_.hit(Mark::kFatalWhileDraining);
    if (!terminal_)
      terminal_ = error.react;
    else
      other_terminals_.push_back(error.react);
  }
  begin_drain(now);
}

bool Oracle::may_pass(const Error& error, Refusals& refusals, Mono now) {
  if (error.react == React::kRetry || (error.react == React::kCancelled && !draining_)) return true;
  if (error.react != React::kDenied) return false;
  if (refusals.refused(now, limits_.auth_patience)) return true;
  if (!draining_) marks_.hit(refusals.worked() ? Mark::kDeniedBeyondPatience : Mark::kDeniedBeforeItWorked);
  return false;
}

void Oracle::wait(Patience& patience, const Refusals& refusals, Mono now) {
  patience.failed(now);
  if (const auto end = refusals.end(limits_.auth_patience); end && *end > now) patience.by(*end);
}

void Oracle::worked(Refusals& refusals) {
  if (refusals.worked() && refusals.any()) marks_.hit(Mark::kDeniedForAWhile);
  refusals.succeeded();
}

void Oracle::on(const StopRequested&, Mono now) {
  if (!draining_) {
    if (source_patience_.waits()) marks_.hit(Mark::kStopDuringBackOff);
    if (any_lane_waits()) marks_.hit(Mark::kStopWithRetryOfALanePending);
    if (!opened_before_) marks_.hit(Mark::kStopBeforeTheFirstOpen);
    stop_requested_ = true;
  }
  begin_drain(now);
}

// --- the source

void Oracle::source_failed(const Error& error, Refusals& refusals, Mono now) {
  phase_ = Phase::kClosed;
  if (draining_) return;
  if (!may_pass(error, refusals, now)) {
    if (error.react == React::kPositionLost && saving_) marks_.hit(Mark::kPositionLostDuringSave);
    if (error.react == React::kPositionLost && write_out()) marks_.hit(Mark::kPositionLostDuringWrite);
    return ends_with(error, now);
  }
  wait(source_patience_, refusals, now);
  if (source_patience_.failures() == 7) marks_.hit(Mark::kLongestWait);
  if (ready_) {
    source_patience_.cut(now);
    marks_.hit(Mark::kReadyOvertakesTheFailure);
  }
  ready_ = false;
}

void Oracle::on(const Identified& input, Mono now) {
  phase_ = Phase::kClosed;
  if (!input.result) return source_failed(input.result.error(), identifying_, now);
  worked(identifying_);
  identified_ = true;
  deployment_ = input.result->deployment;
}

void Oracle::on(const SourceOpened& input, Mono now) {
  if (!input.result) return source_failed(input.result.error(), opening_, now);
  worked(opening_);
  phase_ = Phase::kOpen;
  if (opened_before_) return;
  opened_before_ = true;
  const Index mark = index_of(*input.result);
  gate_open_ = mark == read_ && !saved_empty_;
  if (gate_open_) return;
  states_.resize(mark - base_);
  read_ = prefix_ = mark;
  urgent_ = true;
}

void Oracle::on(const ReadDone& input, Mono now) {
  phase_ = Phase::kOpen;
  if (draining_) {
    if (input.result && input.result->closed) marks_.hit(Mark::kInvalidateWhileDraining);
    return;
  }
  if (!input.result) {
    if (input.result.error().react == React::kCancelled) marks_.hit(Mark::kReadCancelledBeforeTheStop);
    return source_failed(input.result.error(), reading_, now);
  }
  worked(reading_);
  const SourceBatch& read = *input.result;
  const std::vector<Event>& events = read.events->events();
  const Index end = index_of(read.resume_after);
  const bool moved = end != read_;
  if (moved && events.empty()) source_patience_.succeeded();
  if (moved) {
    states_.resize(end - base_, State::kNothing);
    for (const Event& event : events) {
      const Index index = index_of(event.id);
      states_[index - base_ - 1] =
          server_.at(index).kind == Entry::Kind::kUnreadable ? State::kRejected : State::kOwed;
    }
    owed_ += events.size();
    const uint64_t bytes = events.empty() ? 0 : read.events->size_bytes();
    held_ += bytes;
    batches_.push_back({end, static_cast<uint32_t>(events.size()), bytes});
    read_ = end;
    if (!gate_open_ && !events.empty()) marks_.hit(Mark::kEventsBehindAnUnsavedFirstMark);
    advance();
  }
  if (!read.closed) return;
  if (moved) {
    phase_ = Phase::kClosed;
    marks_.hit(Mark::kInvalidate);
  } else {
    marks_.hit(Mark::kClosedWithoutMoving);
    source_failed(Error{React::kRetry, "closed without moving"}, reading_, now);
  }
}

void Oracle::on(const SourceReady&, Mono now) {
  if (source_patience_.failures() > kReadyCutsMax) {
    if (source_patience_.waits()) marks_.hit(Mark::kReadyIgnoredAfterThree);
    return;
  }
  ready_ = true;
  if (phase_ == Phase::kClosed && source_patience_.waits()) {
    source_patience_.cut(now);
    marks_.hit(Mark::kReadyCutsAWait);
  }
}

// --- the position

void Oracle::acquired(const StoredPosition& stored) {
  const bool again = acquired_;
  acquired_ = true;
  if (again) return;
  base_ = read_ = saved_ = prefix_ = index_of(stored.position);
  saved_empty_ = stored.position.empty();
}

void Oracle::on(const PositionAcquired& input, Mono now) {
  acquiring_ = false;
  LaneView& first = lane(0);
  if (limits_.transactional) first.busy = false;
  if (!input.result) {
    Refusals& refusals = limits_.transactional ? first.opening : acquiring_refusals_;
    if (!may_pass(input.result.error(), refusals, now)) return ends_with(input.result.error(), now);
    if (!draining_ || !limits_.transactional)
      wait(limits_.transactional ? first.patience : position_patience_, refusals, now);
    return;
  }
  worked(limits_.transactional ? first.opening : acquiring_refusals_);
  const std::optional<StoredPosition>& stored = *input.result;
  if (!stored) {
    marks_.hit(Mark::kAbsentRefused);
    return ends_with({React::kConfig, "absent"}, now);
  }
  if (stored->deployment != deployment_) {
    marks_.hit(Mark::kOtherDeploymentRefused);
    return ends_with({React::kConfig, "another deployment"}, now);
  }
  if (limits_.transactional) first.open = true;
  acquired(*stored);
}

void Oracle::on(const SaveDone& input, Mono now) {
  const Index place = *saving_;
  saving_.reset();
  if (input.result) {
    if (draining_) marks_.hit(Mark::kSaveOfADrain);
    unsaved_ -= saving_events_;
    saved_ = place;
    saved_empty_ = false;
    gate_open_ = true;
    last_save_ = now;
    save_patience_.succeeded();
    worked(saving_refusals_);
    return;
  }
  urgent_ = true;
  const Error& error = input.result.error();
  if (!may_pass(error, saving_refusals_, now)) {
    if (error.react == React::kFenced) marks_.hit(Mark::kFencedDuringSave);
    return ends_with(error, now);
  }
  marks_.hit(draining_ ? Mark::kSaveFailedWhileDraining : Mark::kSaveFailed);
  if (prefix_ > place) marks_.hit(Mark::kFailedSaveOvertakenByANewer);
  wait(save_patience_, saving_refusals_, now);
}

// --- the sink and the dead letters

void Oracle::on(const SinkOpened& input, Mono now) {
  LaneView& view = lane(input.lane);
  view.busy = false;
  view.open = input.result.has_value();
  if (view.open) {
    worked(view.opening);
    for (LaneView& each : lanes_) each.opening.can_succeed();
    return;
  }
  if (!may_pass(input.result.error(), view.opening, now)) return ends_with(input.result.error(), now);
  if (!draining_) wait(view.patience, view.opening, now);
}

void Oracle::on(const WriteDone& input, Mono now) {
  LaneView& view = lane(input.lane);
  view.busy = false;
  const std::vector<Index> out = std::exchange(view.out, {});
  const size_t durable = input.result ? out.size() : input.result.error().durable_prefix;
  for (size_t i = 0; i < durable; ++i) safe(out[i]);
  if (input.result) {
    view.patience.succeeded();
    worked(view.writing);
    for (LaneView& each : lanes_) each.writing.can_succeed();
    if (!out.empty()) source_patience_.succeeded();
  }
  if (input.result && limits_.transactional) {
    saved_ = view.resume_after;
    gate_open_ = true;
    last_save_ = now;
    urgent_ = false;
    unsaved_ = 0;
    if (out.empty()) marks_.hit(Mark::kCommitOfAMarkAlone);
    advance();
    if (saved_ > prefix_) marks_.hit(Mark::kCommitInsideABatch);
    return;
  }
  if (advance()) urgent_ = true;
  if (input.result) return;
  const WriteFailure& failure = input.result.error();
  if (durable > 0 && durable < out.size() && limits_.lanes > 1)
    marks_.hit(Mark::kPartialPrefixOnOneOfSeveralLanes);
  if (failure.error.react == React::kReject) {
    if (limits_.on_reject == OnReject::kStop) {
      marks_.hit(Mark::kStopAtARejectedEvent);
      return ends_with(failure.error, now);
    }
    states_[out[failure.culprit] - base_ - 1] = State::kRejected;
    return;
  }
  view.open = false;
  if (!may_pass(failure.error, view.writing, now)) {
    if (failure.error.react == React::kFenced) marks_.hit(Mark::kFencedDuringWrite);
    if (draining_) marks_.hit(Mark::kSinkBrokenWhileDraining);
    return ends_with(failure.error, now);
  }
  if (!draining_) wait(view.patience, view.writing, now);
}

void Oracle::on(const DeadLetterDone& input, Mono now) {
  const Index index = *letter_out_;
  letter_out_.reset();
  if (draining_) marks_.hit(Mark::kLetterOutWhileDraining);
  if (!input.result) {
    if (!may_pass(input.result.error(), letter_refusals_, now)) return ends_with(input.result.error(), now);
    marks_.hit(Mark::kLetterFailed);
    return wait(letter_patience_, letter_refusals_, now);
  }
  worked(letter_refusals_);
  if (*input.result == LetterFate::kRetried) marks_.hit(Mark::kLetterPutBack);
  letter_patience_.succeeded();
  safe(index);
  if (advance()) urgent_ = true;
}

void Oracle::safe(Index index) {
  State& state = states_[index - base_ - 1];
  if (state == State::kSafe) return;
  state = State::kSafe;
  --owed_;
  ++unsaved_;
  const auto batch =
      std::find_if(batches_.begin(), batches_.end(), [index](const Batch& b) { return index <= b.end; });
  if (batch != batches_.end()) --batch->owed;
  if (batch != batches_.begin()) marks_.hit(Mark::kLanesFinishOutOfOrder);
}

bool Oracle::advance() {
  const Index before = prefix_;
  while (!batches_.empty() && batches_.front().owed == 0) {
    prefix_ = batches_.front().end;
    held_ -= batches_.front().bytes;
    batches_.pop_front();
  }
  return prefix_ != before;
}

bool Oracle::any_lane_waits() const {
  return std::any_of(lanes_.begin(), lanes_.end(),
                     [](const LaneView& view) { return view.patience.waits(); });
}

bool Oracle::write_out() const {
  return std::any_of(lanes_.begin(), lanes_.end(), [](const LaneView& view) { return !view.out.empty(); });
}

}  // namespace tidemark::sim
