#include "guard/watch.h"

#include <algorithm>

#include "base/log.h"

namespace tidemark::guard {
namespace {

double seconds(Mono::duration duration) { return std::chrono::duration<double>(duration).count(); }

// What an audit's run may say of itself; the rest of a view is ours.
void take_figures(const AuditView& from, AuditView& to) {
  to.source_documents = from.source_documents;
  to.destination_documents = from.destination_documents;
  to.filtered_documents = from.filtered_documents;
  to.missing = from.missing;
  to.extra = from.extra;
  to.different = from.different;
  to.unreadable = from.unreadable;
  to.stale = from.stale;
  to.doubled = from.doubled;
  to.rejected_documents = from.rejected_documents;
  to.unaudited_collections = from.unaudited_collections;
  to.unexamined = from.unexamined;
  to.unsettled = from.unsettled;
  to.buckets = from.buckets;
  to.buckets_differing = from.buckets_differing;
  to.first_ids = from.first_ids;
  to.first_rejected = from.first_rejected;
}

}  // namespace

Watch::Watch(WatchOptions options, std::vector<WatchSubject> subjects, std::vector<WatchAudit> audits,
             std::vector<Notifier*> notifiers, Clock& clock)
    : options_(std::move(options)),
      notifiers_(std::move(notifiers)),
      clock_(clock),
      alerts_(options_.alerts) {
  const Mono now = clock_.now();
  MutexLock lock(mutex_);
  alerts_.add("", {});
  for (WatchSubject& subject : subjects) {
    alerts_.add(subject.pipeline, subject.facts);
    auto watched = std::make_unique<Watched>();
    watched->subject = std::move(subject);
    watched_.push_back(std::move(watched));
  }
  for (WatchAudit& audit : audits) {
    alerts_.add(audit.pipeline, {});  // does nothing for a subject
    auto audited = std::make_unique<Audited>();
    audited->view.state = "waiting";
    audited->view.pipeline = audit.pipeline;
    audited->view.kind = audit.kind;
    audited->view.every_s = std::chrono::duration<double>(audit.every).count();
    if (audit.last && audit.last->finished_at_ms > 0) {
      take_figures(*audit.last, audited->view);
      audited->view.finished_at_ms = audit.last->finished_at_ms;
      audited->view.duration_s = audit.last->duration_s;
      // The civil clock is all that outlives a process.
      const auto age_ms = std::max<int64_t>(0, clock_.wall_ms() - audit.last->finished_at_ms);
      audited->succeeded_at = now - std::chrono::milliseconds(age_ms);
    }
    audited->audit = std::move(audit);
    audited_.push_back(std::move(audited));
  }
}

Watch::~Watch() { stop(); }

void Watch::start() {
  {
    MutexLock lock(mutex_);
    const Mono now = clock_.now();
    for (auto& audited : audited_) {
      const Mono::duration every = audited->audit.every;
      audited->due_at = now + std::min<Mono::duration>(every, options_.first_audit_after);
      if (audited->succeeded_at) audited->due_at = std::max(audited->due_at, *audited->succeeded_at + every);
    }
  }
  for (auto& watched : watched_) {
    watched->thread = std::jthread([this, it = watched.get()](std::stop_token stop) {
      do look(*it, stop);
      while (clock_.sleep_until(clock_.now() + interval(), stop));
    });
  }
  ticker_ = std::jthread([this](std::stop_token stop) {
    do tick();
    while (clock_.sleep_until(clock_.now() + interval(), stop));
  });
  auditor_ = std::jthread([this](std::stop_token stop) { run_schedule(stop); });
}

void Watch::stop() {
  ticker_.request_stop();
  auditor_.request_stop();
  for (auto& watched : watched_) watched->thread.request_stop();
  for (auto& watched : watched_) watched->thread = {};
  auditor_ = {};
  ticker_ = {};
}

void Watch::look_once(std::stop_token stop) {
  for (auto& watched : watched_) look(*watched, stop);
  tick();
}

void Watch::look(Watched& watched, std::stop_token stop) {
  {
    MutexLock lock(mutex_);
    watched.looking_since = clock_.now();
  }
  Signals signals = watched.subject.look(stop);
  MutexLock lock(mutex_);
  watched.looking_since.reset();
  if (stop.stop_requested()) return;
  signals.pipeline = watched.subject.pipeline;
  watched.looked_at = clock_.now();
  judge(std::move(signals));
}

// The program's own clock, and the looks that hang: what hangs can't tell of itself.
void Watch::tick() {
  MutexLock lock(mutex_);
  const Mono now = clock_.now();
  judge(Signals{});
  for (const auto& watched : watched_) {
    if (!watched->looking_since || now - *watched->looking_since <= 2 * interval()) continue;
    Signals signals;
    signals.pipeline = watched->subject.pipeline;
    signals.hung = true;
    judge(std::move(signals));
  }
}

void Watch::judge(Signals signals) {
  const Mono now = clock_.now();
  signals.audits.clear();
  for (const auto& audited : audited_) {
    if (audited->audit.pipeline != signals.pipeline) continue;
    signals.audits.push_back({present(*audited, now), audited->failures_in_a_row, audited->permanent});
  }
  const std::vector<AlertView> notices = alerts_.update(signals, now, clock_.wall_ms());
  for (const AlertView& notice : notices)
    for (Notifier* notifier : notifiers_) notifier->notify(notice);
}

void Watch::run_schedule(std::stop_token stop) {
  Mono wake;
  do {
    run_due_audits(stop);
    MutexLock lock(mutex_);
    wake = clock_.now() + interval();
    for (const auto& audited : audited_)
      if (audited->audit.every.count() > 0) wake = std::min(wake, audited->due_at);
  } while (clock_.sleep_until(wake, stop));
}

void Watch::run_due_audits(std::stop_token stop) {
  for (auto& audited : audited_) {
    {
      MutexLock lock(mutex_);
      if (audited->audit.every.count() == 0 || audited->due_at > clock_.now()) continue;
    }
    if (stop.stop_requested()) return;
    run_audit(*audited, stop);
  }
}

void Watch::run_audits_once(std::stop_token stop) {
  for (auto& audited : audited_)
    if (audited->audit.every.count() > 0) run_audit(*audited, stop);
}

void Watch::run_audit(Audited& audited, std::stop_token stop) {
  const Mono begun = clock_.now();
  {
    MutexLock lock(mutex_);
    audited.view.state = "running";
    audited.view.progress = 0;
  }
  auto result = audited.audit.run(stop, [this, &audited](double progress) {
    MutexLock lock(mutex_);
    audited.view.progress = std::clamp(progress, 0.0, 1.0);
  });
  MutexLock lock(mutex_);
  take_audit(audited, std::move(result), begun);
  Signals signals;
  signals.pipeline = audited.audit.pipeline;
  if (!stop.stop_requested()) judge(std::move(signals));
}

void Watch::take_audit(Audited& audited, Result<AuditView> result, Mono begun) {
  const Mono now = clock_.now();
  const Mono::duration every = audited.audit.every;
  AuditView& view = audited.view;
  view.state = "waiting";
  view.progress = 0;
  audited.due_at = std::max(now, begun + every);
  if (result) {
    take_figures(*result, view);
    view.error.clear();
    view.finished_at_ms = clock_.wall_ms();
    view.duration_s = seconds(now - begun);
    audited.succeeded_at = now;
    audited.failures_in_a_row = 0;
    audited.permanent = false;
    return;
  }
  const Error& error = result.error();
  if (error.react == React::kCancelled) return;
  view.error = error.describe();
  audited.permanent = error.react != React::kRetry;
  if (audited.permanent) view.state = "stopped";
  ++audited.failures_in_a_row;
  if (!audited.permanent) audited.due_at = now + std::min<Mono::duration>(every, options_.audit_retry_after);
  log::warn("{}: the {} audit failed: {}", view.pipeline, view.kind, view.error);
}

AuditView Watch::present(const Audited& audited, Mono now) const {
  AuditView view = audited.view;
  if (audited.succeeded_at) view.age_s = seconds(now - *audited.succeeded_at);
  return view;
}

GuardView Watch::view() const {
  GuardView view;
  view.configured = true;
  view.interval_s = std::chrono::duration<double>(interval()).count();
  for (const Notifier* notifier : notifiers_) {
    const Notifier::Counts counts = notifier->counts();
    view.notices_sent += counts.sent;
    view.notices_failed += counts.failed;
  }
  MutexLock lock(mutex_);
  const Mono now = clock_.now();
  bool all_looked_at = true;
  for (const auto& watched : watched_) {
    all_looked_at = all_looked_at && watched->looked_at;
    if (all_looked_at) view.age_s = std::max(view.age_s.value_or(0), seconds(now - *watched->looked_at));
  }
  if (!all_looked_at) view.age_s.reset();
  view.alerts = alerts_.views();
  for (const auto& audited : audited_) view.audits.push_back(present(*audited, now));
  return view;
}

}  // namespace tidemark::guard
