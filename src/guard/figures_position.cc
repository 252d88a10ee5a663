// Figures' second half: the deployment, the stored position, and the distance between the two.
#include <algorithm>

#include "core/deployment.h"
#include "core/pipeline_core.h"
#include "guard/figures.h"

namespace tidemark::guard {
namespace {

// An idle deployment writes a no-op every 10 s. One whose newest change hasn't moved for so long does not move.
constexpr double kNoOpPatience_s = 25;
// A member may be behind another that was asked before; a deployment that is behind itself by more was restored.
constexpr double kMembersApartMax_s = 120;
// One epoch may jump by the clock's milliseconds (a store that lost its count).
constexpr double kOwnersAtOnceMax = 5;

void say(Measures& out, RuleId id, double figure, std::string detail = {}, bool breach = false) {
  out[static_cast<size_t>(id)] = {figure, std::move(detail), breach};
}

bool is_state(const PipelineView& view, PipelineState state) { return view.state == to_string(state); }

}  // namespace

bool Figures::deployment_moves() const { return observed_s_ - latest_moved_s_ <= kNoOpPatience_s; }

bool Figures::resuming() const {
  return resuming_.since_s && resuming_.lasted_s(observed_s_) <= resume_max_s_;
}

void Figures::take_source(const Signals& signals, Measures& out) {
  if (!signals.health) return;
  if (!*signals.health) {
    const Error& error = signals.health->error();
    if (error.react == React::kCancelled) return;
    // It was silent from some moment since the look before.
    silent_.set(observed_s_ - step_s_);
    say(out, RuleId::kSourceUnreachable, silent_.lasted_s(observed_s_), error.describe());
    return;
  }
  const SourceHealth& health = **signals.health;
  // What answers again has yet to elect a primary: it has stood still from now on.
  if (silent_.since_s) latest_moved_s_ = observed_s_;
  silent_ = {};
  say(out, RuleId::kSourceUnreachable, 0);
  take_health(health);
  if (health.latest != bson::Timestamp{})
    say(out, RuleId::kSourceStalled, observed_s_ - latest_moved_s_, health.server);
  if (health.backlog) {
    say(out, RuleId::kBacklogGrowing, static_cast<double>(*health.backlog));
    say(out, RuleId::kDeliveryLimit, static_cast<double>(health.delivery_limit.value_or(0)));
  }
}

void Figures::take_health(const SourceHealth& health) {
  const double step_s = seconds_between(latest_, health.latest);
  if (step_s > 0 || step_s < -kMembersApartMax_s) {
    latest_ = health.latest;
    latest_moved_s_ = observed_s_;
  }
  if (health.oldest != oldest_) {
    oldest_ = health.oldest;
    oldest_moved_s_ = observed_s_;
  }
}

void Figures::take_position(const Signals& signals, Measures& out) {
  if (!signals.position) return take_unstored(signals, out);
  if (!*signals.position) {
    const Error& error = signals.position->error();
    if (error.react == React::kCorrupt) say(out, RuleId::kPositionUnreadable, 1, error.describe());
    return;
  }
  say(out, RuleId::kPositionUnreadable, 0);
  const std::optional<StoredPosition>& stored = **signals.position;
  const bool missing = !stored || stored->position.empty();
  say(out, RuleId::kPositionMissing, missing ? 1 : 0);
  if (!missing) return take_stored(signals, *stored, out);
  stored_.reset();
  highest_ = {};
  stuck_s_ = 0;
}

void Figures::take_owner(const Signals& signals, const StoredPosition& stored, Measures& out) {
  if (stored_ && stored.epoch != stored_->epoch) {
    const double rise =
        stored.epoch > stored_->epoch ? static_cast<double>(stored.epoch - stored_->epoch) : 1;
    owners_.add(observed_s_, std::min(rise, kOwnersAtOnceMax));
  }
  const double owners = owners_.sum(observed_s_);
  say(out, RuleId::kSecondInstance, signals.fenced ? std::max(owners, 1.0) : owners,
      signals.fenced && signals.view ? signals.view->error : "", signals.fenced);
}

void Figures::take_stored(const Signals& signals, const StoredPosition& stored, Measures& out) {
  take_owner(signals, stored, out);
  const bool new_owner = stored_ && stored_->epoch != stored.epoch;
  const bool advanced = !stored_ || !(stored_->position == stored.position);
  const bool other_stream = stored_ && (stored_->fingerprint != stored.fingerprint ||
                                        !same_deployment(stored_->deployment, stored.deployment));
  take_resuming(signals, advanced && stored_, new_owner);

  const bson::Timestamp time = time_of(stored);
  if (other_stream) highest_ = {};
  if (time != bson::Timestamp{}) {
    say(out, RuleId::kPositionMovedBack, std::max(0.0, seconds_between(time, highest_)));
    if (seconds_between(highest_, time) > 0) highest_ = time;
  }
  stored_ = stored;

  const bool known = signals.health && *signals.health;
  const SourceHealth* health = known ? &**signals.health : nullptr;
  std::string foreign;
  if (health != nullptr && !health->deployment.empty() && !stored.deployment.empty() &&
      !same_deployment(health->deployment, stored.deployment)) {
    foreign = "of " + difference_of(stored.deployment, health->deployment);
  } else if (!signals.fingerprint.empty() && !stored.fingerprint.empty() &&
             signals.fingerprint != stored.fingerprint) {
    foreign = "of another configuration of the source";
  }
  if (health != nullptr || !foreign.empty())
    say(out, RuleId::kPositionForeign, foreign.empty() ? 0 : 1, foreign);
  if (advanced) stuck_s_ = 0;
  if (health == nullptr || !foreign.empty()) return;

  const bool something_to_pass = time == bson::Timestamp{} || health->latest == bson::Timestamp{} ||
                                 seconds_between(time, health->latest) > 0;
  if (!something_to_pass)
    stuck_s_ = 0;
  else if (!advanced && deployment_moves() && !resuming())
    stuck_s_ += step_s_;
  say(out, RuleId::kPositionStuck, stuck_s_);
  if (time != bson::Timestamp{}) take_distances(stored, *health, out);
}

void Figures::take_distances(const StoredPosition& stored, const SourceHealth& health, Measures& out) {
  const bson::Timestamp time = time_of(stored);
  if (health.latest != bson::Timestamp{}) {
    const double lag_s = seconds_between(time, health.latest);
    say(out, RuleId::kPositionAhead, std::max(0.0, -lag_s));
    // While the server scans its oplog for where the stream goes on, the position can't move, and nobody is slow.
    if (!resuming()) say(out, RuleId::kLag, std::max(0.0, lag_s));
  }
  if (health.oldest == bson::Timestamp{}) return;
  const double spare_s = seconds_between(health.oldest, time);
  say(out, RuleId::kPositionLost, std::max(0.0, -spare_s));
  const double window_s = seconds_between(health.oldest, health.latest);
  // Nor does an old position get any nearer to its loss then, unless the oplog rolls on meanwhile.
  if (resuming() && oldest_moved_s_ <= *resuming_.since_s) return;
  const double ratio = window_s > 0 ? std::clamp(spare_s / window_s, 0.0, 1.0) : 1.0;
  say(out, RuleId::kOplogWindow, ratio);
  say(out, RuleId::kOplogWindowCritical, ratio);
}

void Figures::take_resuming(const Signals& signals, bool advanced, bool new_owner) {
  if (!signals.view) {
    // From outside a start shows by the new owner; its first sign of life is the position of the stream it opened. A
    // further owner before that is the same start, tried again: it gets no more time. When both are seen at once, the
    // old owner may have been the one who moved.
    if (advanced) resuming_ = {};
    if (new_owner) resuming_.set(observed_s_);
    return;
  }
  // The server may scan before it answers the open, or before it answers the first read. What has brought an event, or a
  // mark that moved, scans no more.
  const PipelineView& view = *signals.view;
  const bool opens = is_state(view, PipelineState::kOpening) || is_state(view, PipelineState::kStarting) ||
                     new_owner || !view_ || view_->source_opens != view.source_opens;
  const bool came = view.in_flight_events > 0 || (view_ && view.events_read > view_->events_read);
  if (advanced || came || view.ended) resuming_ = {};
  if (opens && !came && !view.ended) resuming_.set(observed_s_);
}

// A pipeline whose position can't be read from outside: what the runtime says of it has to do.
void Figures::take_unstored(const Signals& signals, Measures& out) {
  if (signals.fenced) say(out, RuleId::kSecondInstance, 1, signals.view ? signals.view->error : "", true);
  if (!signals.view || !signals.health || !*signals.health) return;
  const PipelineView& view = *signals.view;
  const bool is_stream = (*signals.health)->latest != bson::Timestamp{};
  const bool same_life =
      view_ && view_->saves <= view.saves && view_->events_delivered <= view.events_delivered;
  take_resuming(signals, same_life && view.saves > view_->saves, false);
  if (is_stream) {
    const bool advanced = !same_life || view.saves > view_->saves;
    const bool held_up = view.ended || deployment_moves();
    if (advanced)
      stuck_s_ = 0;
    else if (held_up && !resuming())
      stuck_s_ += step_s_;
    if (view.lag_s && !resuming()) say(out, RuleId::kLag, *view.lag_s);
  } else {
    // A queue or a door: nothing moves while nothing comes.
    const bool advanced = !same_life || view.events_delivered > view_->events_delivered ||
                          view.events_rejected > view_->events_rejected ||
                          view.events_retried > view_->events_retried;
    if (advanced || view.in_flight_events == 0)
      stuck_s_ = 0;
    else
      stuck_s_ += step_s_;
  }
  say(out, RuleId::kPositionStuck, stuck_s_);
}

}  // namespace tidemark::guard
