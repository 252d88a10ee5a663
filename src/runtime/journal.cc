#include "runtime/journal.h"

#include "base/log.h"

namespace tidemark {
namespace {

// Dead letters come in bursts: one entry a second says how many.
constexpr std::chrono::seconds kLettersEvery{1};

std::string seconds_text(Mono::duration duration) {
  return fmt::format("{:.1f} s", std::chrono::duration<double>(duration).count());
}

}  // namespace

void Journal::before(const Input& input) {
  if (std::holds_alternative<SourceReady>(input)) {
    new_primary_ = true;
  } else if (const auto* read = std::get_if<ReadDone>(&input); read != nullptr && read->result) {
    if (reopened_at_ms_) count_replayed(*read->result->events);
    const Mono now = clock_.now();
    MutexLock lock(mutex_);
    times_.last_sign = now;
  }
}

void Journal::after(const PipelineStatus& status) {
  if (status.saves != saves_) {
    saves_ = status.saves;
    const Mono now = clock_.now();
    MutexLock lock(mutex_);
    times_.last_saved = now;
  }
  if (new_primary_) {
    new_primary_ = false;
    if (status.source_opens > 0) note("election", "the deployment has a new primary");
  }
  note_resume(status);
  note_state(status);
  note_letters(status);
}

void Journal::note_state(const PipelineStatus& status) {
  const bool new_error = !status.last_error.empty() && status.last_error != last_error_;
  if (status.state != state_ || new_error) {
    if (new_error)
      log::warn("{}: {}: {}", pipeline_, to_string(status.state), status.last_error);
    else
      log::info("{}: {}", pipeline_, to_string(status.state));
  }
  const bool waits = status.retry_at.has_value();
  if (waits && status.state == PipelineState::kWaitingForSource && !died_at_) {
    died_at_ = clock_.now();
    reopened_at_ms_.reset();
    note("cursor_dead", status.last_error);
  } else if (status.state == PipelineState::kWaitingForSink && state_ != PipelineState::kWaitingForSink) {
    note("sink_fault", status.last_error);
  } else if (state_ == PipelineState::kWaitingForSink && status.state == PipelineState::kStreaming) {
    note("sink_back", "the sink takes events again");
  } else if (status.state == PipelineState::kStreaming && opens_ == 0 && status.source_opens > 0) {
    note("started", "streaming");
  } else if (status.state == PipelineState::kFinished && state_ != PipelineState::kFinished) {
    note("ended", status.last_error.empty() ? "ended" : "ended: " + status.last_error);
  }
  if (waits && status.retry_attempt > 1 && status.retry_attempt != attempt_)
    note("backoff", fmt::format("try {} in {}: {}", status.retry_attempt,
                                seconds_text(*status.retry_at - clock_.now()), status.last_error));
  attempt_ = status.retry_attempt;
  opens_ = status.source_opens;
  state_ = status.state;
  last_error_ = status.last_error;
}

void Journal::count_replayed(const EventBatch& batch) {
  for (const Event& event : batch.events()) {
    caught_up_ = event.wall_time_ms > *reopened_at_ms_;
    if (caught_up_) return;
    ++replayed_;
  }
  caught_up_ = batch.events().empty();
}

// A resume is over, and its events can be counted, once the stream has passed the moment of the reopening.
void Journal::note_resume(const PipelineStatus& status) {
  if (!died_at_) return;
  if (!reopened_at_ms_ && status.source_opens > opens_) {
    reopened_at_ms_ = clock_.wall_ms();
    replayed_ = 0;
    caught_up_ = false;
  }
  if (!reopened_at_ms_ || !caught_up_) return;
  note("resumed",
       fmt::format("resumed where it stood; {} {} had happened in the {} since, and came now", replayed_,
                   replayed_ == 1 ? "event" : "events", seconds_text(clock_.now() - *died_at_)),
       replayed_);
  died_at_.reset();
  reopened_at_ms_.reset();
}

void Journal::note_letters(const PipelineStatus& status) {
  if (status.events_rejected == letters_) return;
  const Mono now = clock_.now();
  if (letters_noted_ && now - *letters_noted_ < kLettersEvery) return;
  const uint64_t more = status.events_rejected - letters_;
  note("dead_letter",
       fmt::format("{} {} to the dead letters", more, more == 1 ? "event went" : "events went"));
  letters_ = status.events_rejected;
  letters_noted_ = now;
}

Journal::Times Journal::times() const {
  MutexLock lock(mutex_);
  return times_;
}

void Journal::note(std::string kind, std::string text, uint64_t replayed) {
  if (timeline_ == nullptr) return;
  timeline_->add(
      {.pipeline = pipeline_, .kind = std::move(kind), .text = std::move(text), .replayed = replayed});
}

}  // namespace tidemark
