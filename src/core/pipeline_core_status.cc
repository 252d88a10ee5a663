// PipelineCore's third part: what anybody outside may know of it.
#include <algorithm>

#include "core/pipeline_core.h"

namespace tidemark {

std::string_view to_string(PipelineState state) {
  switch (state) {
    case PipelineState::kStarting:
      return "starting";
    case PipelineState::kOpening:
      return "opening";
    case PipelineState::kStreaming:
      return "streaming";
    case PipelineState::kWaitingForSource:
      return "waiting for the source";
    case PipelineState::kWaitingForSink:
      return "waiting for the sink";
    case PipelineState::kDraining:
      return "draining";
    case PipelineState::kFinished:
      return "finished";
  }
  return "unknown";
}

// The earliest of the tries that are waited for.
void PipelineCore::refresh_retry() {
  status_.retry_at.reset();
  status_.retry_attempt = 0;
  const auto consider = [this](const std::optional<Mono>& at, const Backoff& backoff) {
    if (!at || (status_.retry_at && *status_.retry_at <= *at)) return;
    status_.retry_at = at;
    status_.retry_attempt = backoff.attempts();
  };
  consider(source_retry_at_, source_backoff_);
  consider(position_retry_at_, position_backoff_);
  consider(save_retry_at_, save_backoff_);
  consider(letter_retry_at_, letter_backoff_);
  for (const Lane& lane : lanes_) consider(lane.retry_at, lane.backoff);
}

void PipelineCore::refresh_status() {
  status_.in_flight_events = watermark_.owed_events();
  status_.in_flight_bytes = watermark_.held_bytes();
  if (finished_) return;
  refresh_retry();
  // Also while a further try to open a lane is under way: it may take as long as the destination is silent.
  const bool sink_waits = std::any_of(lanes_.begin(), lanes_.end(), [](const Lane& lane) {
    return lane.retry_at.has_value() || (!lane.open && lane.backoff.attempts() > 0);
  });
  const bool sink_open =
      std::all_of(lanes_.begin(), lanes_.end(), [](const Lane& lane) { return lane.open; });
  if (draining_) {
    status_.state = PipelineState::kDraining;
  } else if (!identified_ && !source_retry_at_) {
    status_.state = PipelineState::kStarting;
  } else if (source_retry_at_) {
    status_.state = PipelineState::kWaitingForSource;
  } else if (sink_waits || position_retry_at_ || save_retry_at_ || letter_retry_at_) {
    status_.state = PipelineState::kWaitingForSink;
  } else if (sink_open && (source_ == SourcePhase::kOpen || source_ == SourcePhase::kReading)) {
    status_.state = PipelineState::kStreaming;
    status_.last_error.clear();
  } else {
    status_.state = PipelineState::kOpening;
  }
}

}  // namespace tidemark
