#include "core/pipeline_core.h"

#include <algorithm>

#include "base/check.h"
#include "core/deployment.h"
#include "core/event_name.h"

namespace tidemark {
namespace {

// How many failures in a row a new primary may still cut the wait after.
constexpr int kReadyCutsMax = 3;
// A member may not have heard of the deployment's newest moment yet; no more than that is forgiven.
constexpr uint32_t kAheadMax_s = 60;

bool due(const std::optional<Mono>& at, Mono now) { return !at || *at <= now; }

}  // namespace

PipelineCore::PipelineCore(PipelineLimits limits, SourceIdentity identity, Random& random)
    : limits_(limits),
      identity_(std::move(identity)),
      random_(random),
      source_backoff_(limits.retry),
      identify_denials_(limits.auth_patience),
      open_denials_(limits.auth_patience),
      read_denials_(limits.auth_patience),
      position_backoff_(limits.retry),
      position_denials_(limits.auth_patience),
      watermark_(limits.in_flight_batches_max),
      save_backoff_(limits.retry),
      save_denials_(limits.auth_patience),
      letter_backoff_(limits.retry),
      letter_denials_(limits.auth_patience) {
  TIDEMARK_CHECK(limits.lanes >= 1, "a pipeline needs a lane");
  TIDEMARK_CHECK(!limits.transactional || limits.lanes == 1, "a transactional sink has one lane");
  for (int i = 0; i < limits.lanes; ++i) lanes_.emplace_back(limits);
}

void PipelineCore::step(Input input, Mono now, std::vector<Action>& actions) {
  TIDEMARK_CHECK(!finished_, "a finished pipeline was given an input");
  actions_ = &actions;
  std::visit([this, now](auto&& value) { on(std::move(value), now); }, std::move(input));
  pump(now);
  refresh_status();
  actions_ = nullptr;
}

// --- inputs

void PipelineCore::on(Started, Mono now) { last_save_ = now; }
void PipelineCore::on(Tick, Mono) {}
void PipelineCore::on(StopRequested, Mono now) { begin_drain(std::nullopt, now); }

void PipelineCore::on(SourceReady, Mono now) {
  // A deployment that loses and finds its primary without end must not wear the patience down.
  if (source_backoff_.attempts() > kReadyCutsMax) return;
  source_ready_ = true;
  if (source_ == SourcePhase::kClosed && source_retry_at_) source_retry_at_ = now;
}

void PipelineCore::on(Identified input, Mono now) {
  source_ = SourcePhase::kClosed;
  if (!input.result) return source_failed(input.result.error(), identify_denials_, now);
  identify_denials_.worked();
  identified_ = true;
  deployment_ = std::move(input.result->deployment);
  source_clock_ = std::max(input.result->latest, input.result->clock);
}

void PipelineCore::on(SinkOpened input, Mono now) {
  Lane& lane = lanes_[static_cast<size_t>(input.lane)];
  lane.busy = false;
  if (!input.result) return lane_failed(lane, input.result.error(), lane.open_denials, now);
  lane_worked(&Lane::open_denials, lane);
  lane.open = true;
}

void PipelineCore::on(PositionAcquired input, Mono now) {
  const bool first = position_ == PositionPhase::kUnknown || position_ == PositionPhase::kAcquiring;
  if (limits_.transactional) lanes_[0].busy = false;
  if (!input.result) {
    if (limits_.transactional)
      return lane_failed(lanes_[0], input.result.error(), lanes_[0].open_denials, now);
    position_ = PositionPhase::kUnknown;
    if (ends_pipeline(input.result.error(), position_denials_, now)) return;
    position_retry_at_ = next_try(position_backoff_, position_denials_, now);
    return;
  }
  position_denials_.worked();
  save_denials_.can_work();  // a lease is written where positions are
  if (limits_.transactional) lane_worked(&Lane::open_denials, lanes_[0]);
  const std::optional<StoredPosition>& stored = *input.result;
  if (!stored) {
    return begin_drain(
        Error{React::kConfig, "no stored position: a pipeline never starts at a place of its own choosing",
              "decide where it starts: tidemark position init"},
        now);
  }
  if (stored->fingerprint != identity_.fingerprint) {
    return begin_drain(Error{React::kConfig,
                             "the stored position belongs to another source configuration than this one (" +
                                 identity_.summary +
                                 "): a resume token is good only with the filter and options it came from",
                             "restore the configuration, or accept a new start: tidemark position set"},
                       now);
  }
  if (!same_deployment(stored->deployment, deployment_)) {
    return begin_drain(
        Error{React::kConfig,
              "the stored position belongs to " + difference_of(stored->deployment, deployment_),
              "point the source at the right deployment; if it is the right one, or a new start is wanted: "
              "tidemark position set"},
        now);
  }
  if (const bson::Timestamp time = token_time(stored->position.token());
      source_clock_.seconds != 0 && time.seconds > source_clock_.seconds + kAheadMax_s) {
    return begin_drain(
        Error{
            React::kConfig,
            "the stored position is " + std::to_string(time.seconds - source_clock_.seconds) +
                " s ahead of the deployment's own clock: it would skip everything that is written until then",
            "the deployment was restored from a backup, or is another one; choose the time of the backup: "
            "tidemark position set --from time:..."},
        now);
  }
  if (limits_.transactional) lanes_[0].open = true;
  position_ = PositionPhase::kAcquired;
  if (!first) return;
  read_position_ = stored->position;
  status_.committed = stored->position;
  status_.delivered_time = token_time(stored->position.token());
}

void PipelineCore::on(SourceOpened input, Mono now) {
  if (!input.result) {
    source_ = SourcePhase::kClosed;
    return source_failed(input.result.error(), open_denials_, now);
  }
  open_denials_.worked();
  source_ = SourcePhase::kOpen;
  ++status_.source_opens;
  if (opened_before_) return;  // read_position_ stands; the first read brings a newer mark
  opened_before_ = true;
  // The first mark is saved before any event is delivered, so that a crash in the first second loses nothing.
  if (*input.result == read_position_) {
    gate_open_ = true;
    return;
  }
  read_position_ = *input.result;
  watermark_.admit(std::move(*input.result), 0, 0);
  to_save_ = watermark_.advance();
  to_save_urgent_ = true;
}

void PipelineCore::on(ReadDone input, Mono now) {
  source_ = SourcePhase::kOpen;
  if (draining_) return;  // what was read isn't owed: nothing of it was acknowledged
  if (!input.result) {
    source_ = SourcePhase::kClosed;
    return source_failed(input.result.error(), read_denials_, now);
  }
  read_denials_.worked();
  const bool moved = input.result->resume_after != read_position_;
  const bool empty = input.result->events->events().empty();
  const bool closed = input.result->closed;
  if (moved && empty) source_backoff_.reset();
  if (moved || !empty) admit(*std::move(input.result));
  if (!closed) return;
  source_ = SourcePhase::kClosed;
  // An invalidate moved the position: open again behind it, at once. A cursor that closes without moving
  // would spin.
  if (!moved)
    source_failed(
        Error{React::kRetry, "the server closed the cursor without an event or a new high-water mark"},
        read_denials_, now);
}

void PipelineCore::on(WriteDone input, Mono now) {
  Lane& lane = lanes_[static_cast<size_t>(input.lane)];
  lane.busy = false;
  lane.refused = !input.result && input.result.error().error.react != React::kReject;
  if (input.result) {
    lane.backoff.reset();
    lane_worked(&Lane::write_denials, lane);
    if (!input.job.events.empty()) {
      source_backoff_.reset();
      status_.last_event_time = input.job.events.back().cluster_time;
    }
    ++status_.batches_written;
    deliver_prefix(input.job, input.job.events.size());
    // Also when what stood behind its events was rejected and is durable in the dead letters already. A mark alone has no
    // owners.
    input.job.ends_batch = input.job.owners.empty() || watermark_.is_delivered(input.job.last_batch);
    acknowledge(now, &input.job);
    input.job.owners.clear();
    lane.spare = std::move(input.job);
    return;
  }
  const WriteFailure& failure = input.result.error();
  TIDEMARK_CHECK(!limits_.transactional || failure.durable_prefix == 0, "a transaction was durable in part");
  if (failure.error.react == React::kReject)
    return reject_from_job(input.lane, lane, std::move(input.job), failure, now);
  deliver_prefix(input.job, failure.durable_prefix);
  acknowledge(now, nullptr);
  if (!draining_) lane.retry = std::move(input.job);
  lane_failed(lane, failure.error, lane.write_denials, now);
}

void PipelineCore::on(SaveDone input, Mono now) {
  saving_ = false;
  if (input.result) {
    ++status_.saves;
    unsaved_events_ -= saving_events_;
    status_.committed = saving_position_->get();
    gate_open_ = true;
    last_save_ = now;
    save_backoff_.reset();
    save_denials_.worked();
    return;
  }
  ++status_.save_failures;
  if (!to_save_) to_save_ = std::move(saving_position_);  // else a newer one waits already
  to_save_urgent_ = true;
  if (ends_pipeline(input.result.error(), save_denials_, now)) return;
  save_retry_at_ = next_try(save_backoff_, save_denials_, now);
}

void PipelineCore::on(DeadLetterDone input, Mono now) {
  letter_out_ = false;
  if (!input.result) {
    if (ends_pipeline(input.result.error(), letter_denials_, now)) return;
    letter_retry_at_ = next_try(letter_backoff_, letter_denials_, now);
    return;
  }
  letter_backoff_.reset();
  letter_denials_.worked();
  ++(*input.result == LetterFate::kKept ? status_.events_rejected : status_.events_retried);
  const PendingLetter letter = std::move(letters_.front());
  letters_.pop_front();
  watermark_.delivered(letter.seq, 1);
  ++unsaved_events_;
  if (letter.lane) end_wait_for_letter(lanes_[static_cast<size_t>(*letter.lane)]);
  acknowledge(now, nullptr);
}

// --- what becomes possible

void PipelineCore::pump(Mono now) {
  if (!draining_) {
    pump_setup(now);
    pump_segments(now);
  }
  // An event that can't be delivered may just have begun the drain.
  if (!draining_) {
    pump_lanes(now);
    pump_letters(now);
    pump_source(now);
  }
  if (!draining_ || !write_nothing_more_) pump_save(now);
  if (draining_) pump_drain(now);
}

void PipelineCore::pump_setup(Mono now) {
  if (!identified_) {
    if (source_ == SourcePhase::kClosed && due(source_retry_at_, now)) {
      source_ = SourcePhase::kIdentifying;
      source_retry_at_.reset();
      source_ready_ = false;
      act(IdentifySource{});
    }
    return;
  }
  for (size_t i = 0; i < lanes_.size(); ++i) {
    Lane& lane = lanes_[i];
    if (lane.open || lane.busy || !due(lane.retry_at, now)) continue;
    lane.retry_at.reset();
    lane.busy = true;
    if (limits_.transactional) {
      if (position_ == PositionPhase::kUnknown) position_ = PositionPhase::kAcquiring;
      act(AcquirePosition{deployment_});
    } else {
      act(OpenSink{static_cast<int>(i)});
    }
  }
  if (!limits_.transactional && position_ == PositionPhase::kUnknown && due(position_retry_at_, now)) {
    position_ = PositionPhase::kAcquiring;
    position_retry_at_.reset();
    act(AcquirePosition{deployment_});
  }
}

void PipelineCore::pump_source(Mono now) {
  if (!identified_ || position_ != PositionPhase::kAcquired) return;
  const auto takes = [](const Lane& lane) { return lane.open && !lane.refused; };
  const bool sink_ready = !limits_.sink_first || std::all_of(lanes_.begin(), lanes_.end(), takes);
  if (source_ == SourcePhase::kClosed && sink_ready && due(source_retry_at_, now)) {
    source_ = SourcePhase::kOpening;
    source_retry_at_.reset();
    source_ready_ = false;
    act(OpenSource{read_position_});
  } else if (source_ == SourcePhase::kOpen && may_read()) {
    source_ = SourcePhase::kReading;
    act(ReadSource{limits_.read_wait});
  }
}

bool PipelineCore::may_read() const {
  return !watermark_.full() && watermark_.held_bytes() < limits_.in_flight_bytes_max &&
         unsaved_events_ < limits_.unsaved_events_max;
}

void PipelineCore::pump_segments(Mono now) {
  if (!gate_open_) return;
  while (!segments_.empty()) {
    if (barrier_out_) {
      if (!lanes_idle() || !letters_.empty()) return;
      barrier_out_ = false;
    }
    Segment& segment = segments_.front();
    if (segment.kind == SegmentKind::kReject) {
      const Event& event = segment.batch->events()[segment.begin];
      std::string reason(event.reject_reason);
      if (limits_.on_reject == OnReject::kStop) {
        return begin_drain(Error{React::kReject, undeliverable(event, reason),
                                 "on_reject = \"dead_letter\" sets such events aside and goes on"},
                           now);
      }
      letters_.push_back({segment.seq, event, segment.batch, reason_of_letter(event, reason), std::nullopt});
      // A transaction behind it would commit a position past an event that isn't durable anywhere yet.
      barrier_out_ = limits_.transactional;
    } else if (segment.kind == SegmentKind::kBarrier) {
      if (!lanes_idle()) return;
      distribute(segment);
      barrier_out_ = true;
    } else {
      distribute(segment);
    }
    segments_.pop_front();
  }
}

void PipelineCore::pump_lanes(Mono now) {
  for (size_t i = 0; i < lanes_.size(); ++i) {
    Lane& lane = lanes_[i];
    if (!lane.open || lane.busy || lane.awaits_letter) continue;
    if (lane.retry) {
      WriteJob job = std::move(*lane.retry);
      lane.retry.reset();
      start_write(static_cast<int>(i), lane, std::move(job));
    } else if (!lane.queue.empty()) {
      WriteJob job = std::move(lane.spare);
      fill_job(lane, job);
      start_write(static_cast<int>(i), lane, std::move(job));
    } else if (limits_.transactional && to_save_ &&
               (to_save_urgent_ || now - last_save_ >= limits_.idle_save)) {
      // Nothing to write but a mark that moved: a transaction with the position alone.
      WriteJob job = std::move(lane.spare);
      job.events.clear();
      job.parts.clear();
      job.resume_after = to_save_->get();
      job.ends_batch = true;
      to_save_.reset();
      start_write(static_cast<int>(i), lane, std::move(job));
    }
  }
}

void PipelineCore::pump_letters(Mono now) {
  if (letters_.empty() || letter_out_ || !due(letter_retry_at_, now)) return;
  letter_retry_at_.reset();
  letter_out_ = true;
  const PendingLetter& letter = letters_.front();
  act(PutDeadLetter{letter.event, letter.batch, letter.reason});
}

void PipelineCore::pump_save(Mono now) {
  if (limits_.transactional || !to_save_ || saving_ || !due(save_retry_at_, now)) return;
  if (!to_save_urgent_ && !draining_ && now - last_save_ < limits_.idle_save) return;
  save_retry_at_.reset();
  saving_ = true;
  saving_events_ = unsaved_events_;
  saving_position_ = std::move(to_save_);
  to_save_.reset();
  to_save_urgent_ = false;
  act(Save{*saving_position_});
}

void PipelineCore::pump_drain(Mono now) {
  const bool lanes_busy =
      std::any_of(lanes_.begin(), lanes_.end(), [](const Lane& lane) { return lane.busy; });
  const bool save_owed =
      !limits_.transactional && !write_nothing_more_ && to_save_ && save_backoff_.attempts() == 0;
  if ((lanes_busy || saving_ || letter_out_ || save_owed) && now < drain_deadline_) return;
  finished_ = true;
  status_.state = PipelineState::kFinished;
  act(Finish{std::move(outcome_)});
}

std::optional<Mono> PipelineCore::next_tick() const {
  std::optional<Mono> next;
  const auto consider = [&next](const std::optional<Mono>& at) {
    if (at && (!next || *at < *next)) next = at;
  };
  if (draining_) {
    consider(drain_deadline_);
    return next;
  }
  consider(source_retry_at_);
  consider(position_retry_at_);
  consider(save_retry_at_);
  consider(letter_retry_at_);
  for (const Lane& lane : lanes_) consider(lane.retry_at);
  if (to_save_ && !saving_ && !save_retry_at_) consider(last_save_ + limits_.idle_save);
  return next;
}

// --- faults and the end

bool PipelineCore::ends_pipeline(const Error& error, Denials& denials, Mono now) {
  const bool denied = error.react == React::kDenied;
  const bool passes = error.react == React::kRetry || (error.react == React::kCancelled && !draining_);
  if (passes || (denied && denials.wait(now))) {
    if (draining_) return false;
    status_.last_error = error.describe();
    // The same words at each try, so that one fault is one line of the log.
    if (denied && denials.has_worked())
      status_.last_error += "; it has worked before, and is waited for as long as auth_patience says";
    return false;
  }
  if (error.react == React::kFenced) write_nothing_more_ = true;
  std::optional<Error> outcome;
  if (error.react != React::kCancelled) outcome = error;
  if (denied && denials.has_worked()) outcome->what += "; it had worked before, and auth_patience is over";
  begin_drain(std::move(outcome), now);
  return true;
}

Mono PipelineCore::next_try(Backoff& backoff, const Denials& denials, Mono now) {
  const Mono at = now + backoff.next(random_);
  const auto last = denials.last_try();
  return last && *last > now ? std::min(at, *last) : at;
}

void PipelineCore::source_failed(const Error& error, Denials& denials, Mono now) {
  if (draining_ || ends_pipeline(error, denials, now)) return;
  ++status_.source_retries;
  const Mono at = next_try(source_backoff_, denials, now);
  source_retry_at_ = source_ready_ ? now : at;
  source_ready_ = false;
}

void PipelineCore::lane_failed(Lane& lane, const Error& error, Denials& denials, Mono now) {
  lane.open = false;
  if (ends_pipeline(error, denials, now) || draining_) return;
  ++status_.sink_retries;
  lane.retry_at = next_try(lane.backoff, denials, now);
}

// What one lane may do, all may: they have the same credentials.
void PipelineCore::lane_worked(Denials Lane::*denials, Lane& lane) {
  if (!(lane.*denials).has_worked())
    for (Lane& each : lanes_) (each.*denials).can_work();
  (lane.*denials).worked();
}

void PipelineCore::begin_drain(std::optional<Error> error, Mono now) {
  if (draining_) {
    if (error && !outcome_) outcome_ = std::move(error);
    status_.last_error = outcome_ ? outcome_->describe() : "";
    return;
  }
  draining_ = true;
  outcome_ = std::move(error);
  // The one that ends it, and no older one that was being waited out.
  status_.last_error = outcome_ ? outcome_->describe() : "";
  drain_deadline_ = now + limits_.drain_timeout;
  // What isn't with a lane yet was never acknowledged: it is read again after the next start.
  segments_.clear();
  for (Lane& lane : lanes_) {
    lane.queue.clear();
    lane.retry.reset();
    lane.retry_at.reset();
  }
  while (letters_.size() > (letter_out_ ? 1u : 0u)) letters_.pop_back();
}

}  // namespace tidemark
