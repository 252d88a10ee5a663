// The clock, the pipeline's own word, the counts and the audits; figures_position.cc has the deployment and the position.
#include "guard/figures.h"

#include <algorithm>
#include <cmath>

#include "core/pipeline_core.h"

namespace tidemark::guard {
namespace {

// "Lately", in looks.
constexpr double kWindowLooks = 30;
constexpr double kJumpShownLooks = 6;
// A gap between looks longer than this is a pause of the machine: one interval of it counts as observed.
constexpr double kGapLooks = 3;
constexpr size_t kSeenMax = 256;
// A difference below this is the reading of two clocks one after the other.
constexpr double kJumpMin_s = 0.05;

double seconds(Mono::duration duration) { return std::chrono::duration<double>(duration).count(); }

Measure& at(Measures& out, RuleId id) { return out[static_cast<size_t>(id)]; }

void say(Measures& out, RuleId id, double figure, std::string detail = {}, bool breach = false) {
  at(out, id) = {figure, std::move(detail), breach};
}

Mono::duration age_of(const StatsView& stats) {
  return std::chrono::duration_cast<Mono::duration>(std::chrono::duration<double>(stats.age_s));
}

bool is_state(const PipelineView& view, PipelineState state) { return view.state == to_string(state); }

}  // namespace

Figures::Figures(std::chrono::milliseconds interval, std::chrono::milliseconds resume_max)
    : interval_s_(std::chrono::duration<double>(interval).count()),
      resume_max_s_(std::chrono::duration<double>(resume_max).count()),
      owners_(kWindowLooks * interval_s_),
      letters_growth_(kWindowLooks * interval_s_) {}

void Figures::Growth::add(double now_s, double amount) {
  if (amount > 0) steps_.emplace_back(now_s, amount);
}

double Figures::Growth::sum(double now_s) {
  while (!steps_.empty() && steps_.front().first <= now_s - window_s_) steps_.pop_front();
  double total = 0;
  for (const auto& [at_s, amount] : steps_) total += amount;
  return total;
}

Measures Figures::take(const Signals& signals, Mono now, WallMs wall_ms) {
  observe(now, wall_ms);
  Measures out;
  if (signals.pipeline.empty()) {
    take_clock(out);
    return out;
  }
  if (signals.stopping) return out;
  take_audits(signals, out);
  take_source(signals, out);
  take_position(signals, out);
  take_view(signals, out);
  take_letters(signals, out);
  take_feed(signals, now, out);
  take_blindness(signals, out);
  if (signals.view) view_ = signals.view;
  return out;
}

void Figures::observe(Mono now, WallMs wall_ms) {
  step_s_ = 0;
  if (last_look_) {
    const double passed = seconds(now - *last_look_);
    step_s_ = passed > kGapLooks * interval_s_ ? interval_s_ : passed;
    const double jump = static_cast<double>(wall_ms - last_wall_ms_) / 1000 - passed;
    if (jumped_at_s_ && observed_s_ + step_s_ - *jumped_at_s_ >= kJumpShownLooks * interval_s_) {
      jumped_at_s_.reset();
      jump_s_ = 0;
    }
    if (std::abs(jump) > kJumpMin_s && std::abs(jump) >= std::abs(jump_s_)) {
      jump_s_ = jump;
      jumped_at_s_ = observed_s_ + step_s_;
    }
  }
  observed_s_ += step_s_;
  last_look_ = now;
  last_wall_ms_ = wall_ms;
}

void Figures::take_clock(Measures& out) const {
  say(out, RuleId::kClockJumped, std::abs(jump_s_), jump_s_ < 0 ? "backward" : "forward");
}

void Figures::take_view(const Signals& signals, Measures& out) {
  if (!signals.view) return;
  const PipelineView& view = *signals.view;
  const bool failed = view.ended && !view.error.empty();
  say(out, RuleId::kPipelineEnded, failed ? 1 : 0, view.error);
  if (signals.fenced && !at(out, RuleId::kSecondInstance).breach)
    say(out, RuleId::kSecondInstance, at(out, RuleId::kSecondInstance).figure.value_or(0) + 1, view.error,
        true);

  const uint64_t filtered = view.events_filtered;
  const bool arrives = view.events_delivered > 0 || view.events_rejected > 0;
  Measure& nothing = at(out, RuleId::kNothingDelivered);
  nothing.figure = std::max(nothing.figure.value_or(0), arrives ? 0 : static_cast<double>(filtered));

  const bool answers = !signals.health || signals.health->has_value();
  if (view.ended || is_state(view, PipelineState::kStreaming) || !answers)
    source_failing_ = {};
  else if (is_state(view, PipelineState::kWaitingForSource) ||
           (view_ && view.source_retries > view_->source_retries))
    source_failing_.set(observed_s_);
  if (answers) say(out, RuleId::kSourceFailing, source_failing_.lasted_s(observed_s_), view.error);
  take_sink(view, out);
}

void Figures::take_sink(const PipelineView& view, Measures& out) {
  const bool same_life = view_ && view_->saves <= view.saves && view_->batches <= view.batches;
  const bool save_failed = same_life && view.save_failures > view_->save_failures;
  const bool retried = same_life && view.sink_retries > view_->sink_retries;
  if (!same_life || view.ended || view.saves > view_->saves)
    saves_failing_ = {};
  else if (save_failed) {
    // What was taken for the sink's, before one could tell: both show as the same state.
    if (!saves_failing_.since_s && !retried) sink_failing_ = {};
    saves_failing_.set(observed_s_);
  }

  const bool waits = is_state(view, PipelineState::kWaitingForSink);
  const bool moved = !same_life || view.events_delivered > view_->events_delivered;
  const bool idle = is_state(view, PipelineState::kStreaming) && view.in_flight_events == 0;
  if (view.ended || moved || idle) sink_failing_ = {};
  if (!view.ended && (retried || (waits && !saves_failing_.since_s))) sink_failing_.set(observed_s_);

  say(out, RuleId::kSinkFailing, sink_failing_.lasted_s(observed_s_), view.error);
  say(out, RuleId::kSavesFailing, saves_failing_.lasted_s(observed_s_), view.error);
}

void Figures::take_letters(const Signals& signals, Measures& out) {
  std::optional<uint64_t> letters;
  if (signals.dead_letters && *signals.dead_letters)
    letters = **signals.dead_letters;
  else if (!signals.dead_letters && signals.view)
    letters = signals.view->events_rejected;
  if (!letters) return;
  if (letters_ && *letters > *letters_)
    letters_growth_.add(observed_s_, static_cast<double>(*letters - *letters_));
  letters_ = letters;
  say(out, RuleId::kDeadLettersGrowing, letters_growth_.sum(observed_s_));
}

// Upper bound of what the feed may have seen beyond the stats: what it saw since the last look before they were asked.
double Figures::seen_beyond(const StatsView& stats, Mono now) {
  const Mono asked = now - age_of(stats);
  while (seen_.size() > 1 && seen_[1].first <= asked) seen_.pop_front();
  const uint64_t by_then = seen_.front().first <= asked ? seen_.front().second : 0;
  return static_cast<double>(seen_.back().second - by_then);
}

// The stats are a few seconds old when they are compared with what the feed has seen by now; the comparison errs on the
// side of the feed. Updates and repetitions bring more than is stored: that is no credit for what it owes later.
void Figures::take_feed(const Signals& signals, Mono now, Measures& out) {
  if (!signals.stats || !signals.view || !signals.stats->configured) return;
  const StatsView& stats = *signals.stats;
  const PipelineView& view = *signals.view;
  const uint64_t seen = view.events_delivered + view.events_filtered + view.events_rejected;
  if (!seen_.empty() && seen < seen_.back().second) {  // another life of the pipeline
    seen_.clear();
    total_.reset();
  }
  // What was stored before the feed began is none of its business.
  if (seen_.empty() && !is_state(view, PipelineState::kStreaming)) return;
  if (!seen_.empty()) behind_ -= static_cast<double>(seen - seen_.back().second);
  seen_.emplace_back(now, seen);
  if (seen_.size() > kSeenMax) seen_.pop_front();
  if (!stats.total || !stats.error.empty()) return;

  const double beyond = seen_beyond(stats, now);
  if (!total_ || *stats.total < *total_) {  // the first look, or documents were removed: a new beginning
    if (seen_.front().first > now - age_of(stats)) return;
    behind_ = -beyond;
  } else {
    behind_ = std::max(behind_ + static_cast<double>(*stats.total - *total_), -beyond);
    say(out, RuleId::kFeedBehind, std::max(0.0, behind_));
  }
  total_ = stats.total;
}

bool Figures::progresses(const AuditView& audit) {
  auto& [progress, moved_s] = progress_[audit.kind];
  if (audit.state != "running") {
    progress = -1;
    return false;
  }
  if (audit.progress != progress) {
    progress = audit.progress;
    moved_s = observed_s_;
  }
  return observed_s_ - moved_s < kWindowLooks * interval_s_;
}

namespace {

// The larger figure is the one that is told.
void worst(Measures& out, RuleId id, double figure, std::string detail, bool breach = false) {
  Measure& measure = at(out, id);
  if (measure.figure && (measure.breach > breach || (measure.breach == breach && *measure.figure >= figure)))
    return;
  measure = {figure, std::move(detail), breach};
}

std::string first_ids(const AuditView& audit, std::string_view kind) {
  constexpr size_t kShownMax = 3;
  std::string text = audit.kind + " audit";
  size_t shown = 0;
  for (const std::string& id : audit.first_ids) {
    if (!id.starts_with(kind) || shown == kShownMax) continue;
    text += (shown++ == 0 ? ", first " : ", ") + id.substr(std::min(kind.size() + 1, id.size()));
  }
  return text;
}

void take_content(const AuditView& audit, Measures& out) {
  if (audit.finished_at_ms == 0) return;
  worst(out, RuleId::kAuditMissing, static_cast<double>(audit.missing), first_ids(audit, "missing"));
  worst(out, RuleId::kAuditExtra, static_cast<double>(audit.extra), first_ids(audit, "extra"));
  worst(out, RuleId::kAuditDifferent, static_cast<double>(audit.different), first_ids(audit, "different"));
  worst(out, RuleId::kAuditUnreadable, static_cast<double>(audit.unreadable + audit.unaudited_collections),
        first_ids(audit, "unreadable"));
  worst(out, RuleId::kStaleBehindRejects, static_cast<double>(audit.stale), first_ids(audit, "stale"));
  worst(out, RuleId::kAuditDoubled, static_cast<double>(audit.doubled), first_ids(audit, "doubled"));
  worst(out, RuleId::kAuditRejected, static_cast<double>(audit.rejected_documents),
        audit.kind + " audit" +
            (audit.first_rejected.empty() ? "" : ", first " + audit.first_rejected.front()));
  const bool all_filtered =
      audit.filtered_documents > 0 && audit.destination_documents == 0 &&
      (audit.source_documents == 0 || audit.source_documents == audit.filtered_documents);
  worst(out, RuleId::kNothingDelivered, all_filtered ? static_cast<double>(audit.filtered_documents) : 0,
        audit.kind + " audit");
}

}  // namespace

void Figures::take_audits(const Signals& signals, Measures& out) {
  for (const AuditSignal& signal : signals.audits) {
    const AuditView& audit = signal.view;
    take_content(audit, out);
    const bool failed = signal.failures_in_a_row > 0;
    worst(out, RuleId::kAuditFailing, static_cast<double>(signal.failures_in_a_row),
          failed ? audit.kind + " audit: " + audit.error : "", failed && signal.permanent);
    // What takes long and gets on isn't overdue.
    if (audit.every_s <= 0 || progresses(audit)) continue;
    const double age_s = audit.age_s.value_or(observed_s_);
    worst(out, RuleId::kAuditOverdue, age_s / (audit.every_s + audit.duration_s), audit.kind + " audit");
  }
}

void Figures::take_blindness(const Signals& signals, Measures& out) {
  struct Part {
    const char* name;
    const Error* error;
  };
  Error stats_error;
  if (signals.stats) stats_error.what = signals.stats->error;
  const bool peek_failed =
      signals.position && !*signals.position && signals.position->error().react != React::kCorrupt;
  const Part parts[] = {
      {"the stored position", peek_failed ? &signals.position->error() : nullptr},
      {"the dead letters",
       signals.dead_letters && !*signals.dead_letters ? &signals.dead_letters->error() : nullptr},
      {"the stats", stats_error.what.empty() ? nullptr : &stats_error}};
  const bool looked =
      signals.position || signals.dead_letters || signals.stats || signals.view || signals.health;
  if (!looked && !signals.hung) return;  // an audit's result alone
  std::string detail;
  double longest_s = 0;
  const auto consider = [&](size_t part, bool failed, std::string what) {
    if (!failed) {
      blind_[part] = {};
      return;
    }
    blind_[part].set(observed_s_ - step_s_);
    if (blind_[part].lasted_s(observed_s_) < longest_s) return;
    longest_s = blind_[part].lasted_s(observed_s_);
    detail = std::move(what);
  };
  for (size_t i = 0; looked && i < std::size(parts); ++i) {
    const bool failed = parts[i].error != nullptr;
    if (failed && parts[i].error->react == React::kCancelled) return;
    consider(i, failed, failed ? std::string(parts[i].name) + ": " + parts[i].error->describe() : "");
  }
  consider(std::size(parts), signals.hung, "a look doesn't come back");
  say(out, RuleId::kGuardBlind, longest_s, std::move(detail));
}

}  // namespace tidemark::guard
