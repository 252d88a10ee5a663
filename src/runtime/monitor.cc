#include "runtime/monitor.h"

#include <algorithm>

namespace tidemark {
namespace {

constexpr size_t kRatesMax = 60;
// The rate that is shown is the average over so many samples.
constexpr size_t kSamplesMax = 4;
// A position this close behind the deployment counts as moving, whatever it did since the last look.
constexpr double kLagReady_s = 30;

Plane plane_of(const std::string& source, const std::string& sink) {
  if (source == "http") return Plane::kIngest;
  if (source == "rabbitmq") return Plane::kProcess;
  if (sink == "live") return Plane::kObserve;
  return Plane::kRelay;
}

std::optional<double> seconds_between(bson::Timestamp from, bson::Timestamp to) {
  if (from.seconds == 0 || to.seconds == 0) return std::nullopt;
  return static_cast<double>(to.seconds) - static_cast<double>(from.seconds);
}

double seconds(Mono::duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

std::string_view to_string(Plane plane) {
  switch (plane) {
    case Plane::kRelay:
      return "relay";
    case Plane::kIngest:
      return "ingest";
    case Plane::kProcess:
      return "process";
    case Plane::kObserve:
      return "observe";
  }
  return "relay";
}

Monitor::Monitor(std::vector<Subject> subjects, Clock& clock, Pace pace) : clock_(clock), pace_(pace) {
  for (Subject& subject : subjects) {
    auto watched = std::make_unique<Watched>();
    watched->subject = std::move(subject);
    watched_.push_back(std::move(watched));
  }
}

Monitor::~Monitor() { stop(); }

void Monitor::start() {
  for (auto& watched : watched_) {
    watched->thread = std::jthread([this, it = watched.get()](std::stop_token stop) {
      // A look that failed is repeated soon: what it says is wrong as soon as the fault has passed.
      Mono::duration pause;
      do pause = look(*it, stop) ? pace_.look : pace_.sample;
      while (clock_.sleep_until(clock_.now() + pause, stop));
    });
  }
  sampler_ = std::jthread([this](std::stop_token stop) {
    do {
      for (auto& watched : watched_) sample(*watched, clock_.now());
    } while (clock_.sleep_until(clock_.now() + pace_.sample, stop));
  });
}

void Monitor::stop() {
  sampler_ = {};
  for (auto& watched : watched_) watched->thread.request_stop();
  for (auto& watched : watched_) watched->thread = {};
}

void Monitor::sample(Watched& watched, Mono now) {
  const uint64_t delivered = watched.subject.runner->status().events_delivered;
  MutexLock lock(watched.mutex);
  if (!watched.samples.empty()) {
    const auto& [then, before] = watched.samples.back();
    const double passed = std::max(seconds(now - then), 1e-3);
    watched.rate_by_s.push_back(static_cast<double>(delivered - before) / passed);
    if (watched.rate_by_s.size() > kRatesMax) watched.rate_by_s.erase(watched.rate_by_s.begin());
  }
  watched.samples.emplace_back(now, delivered);
  if (watched.samples.size() > kSamplesMax) watched.samples.pop_front();
}

bool Monitor::look(Watched& watched, std::stop_token stop) {
  PipelineRunner& runner = *watched.subject.runner;
  if (runner.finished()) return true;
  auto health = runner.source_health(stop);
  const PipelineStatus status = runner.status();
  std::optional<uint64_t> letters;
  if (watched.subject.count_letters) {
    if (auto counted = watched.subject.count_letters(stop)) letters = *counted;
  }
  const std::optional<uint64_t> wal_bytes = runner.wal_bytes();
  MutexLock lock(watched.mutex);
  // A count that fails isn't the count of before.
  watched.letters = letters;
  watched.wal_bytes = wal_bytes;
  if (!health) {
    watched.health_error = health.error().describe();
    watched.lag_s.reset();
    return false;
  }
  watched.health_error.clear();
  watched.lag_s = seconds_between(status.delivered_time, health->latest);
  if (watched.lag_s) watched.lag_s = std::max(0.0, *watched.lag_s);
  watched.moving =
      !watched.lag_s || *watched.lag_s <= kLagReady_s || status.delivered_time != watched.looked_at;
  watched.looked_at = status.delivered_time;
  watched.health = std::move(*health);
  return true;
}

std::vector<PipelineView> Monitor::views() const {
  std::vector<PipelineView> all;
  for (const auto& watched : watched_) all.push_back(view(*watched));
  return all;
}

PipelineView Monitor::view(const Watched& watched) const {
  const PipelineRunner& runner = *watched.subject.runner;
  const PipelineStatus status = runner.status();
  const Journal::Times times = runner.journal().times();
  const Mono now = clock_.now();
  PipelineView view;
  view.name = runner.name();
  view.source_type = watched.subject.source_type;
  view.sink_type = watched.subject.sink_type;
  view.plane = plane_of(view.source_type, view.sink_type);
  view.source = runner.source_summary();
  view.state = to_string(status.state);
  view.ended = runner.finished();
  view.error = status.last_error;
  view.events_read = status.events_read;
  view.events_delivered = status.events_delivered;
  view.events_rejected = status.events_rejected;
  view.events_retried = status.events_retried;
  view.events_filtered = runner.events_filtered();
  view.events_left_out = runner.events_left_out();
  view.bytes_delivered = status.bytes_delivered;
  view.batches = status.batches_written;
  view.source_retries = status.source_retries;
  view.source_opens = status.source_opens;
  view.sink_retries = status.sink_retries;
  view.saves = status.saves;
  view.save_failures = status.save_failures;
  view.in_flight_events = status.in_flight_events;
  view.in_flight_bytes = status.in_flight_bytes;
  view.write_latency = runner.write_latency();
  if (status.retry_at) {
    view.retry_in_s = std::max(0.0, seconds(*status.retry_at - now));
    view.retry_attempt = status.retry_attempt;
  }
  if (times.last_saved) view.position_age_s = seconds(now - *times.last_saved);
  if (times.last_sign) view.proof_of_life_s = seconds(now - *times.last_sign);
  MutexLock lock(watched.mutex);
  view.rate_by_s = watched.rate_by_s;
  if (watched.samples.size() > 1) {
    const auto& [first, from] = watched.samples.front();
    const auto& [last, to] = watched.samples.back();
    view.events_per_s = static_cast<double>(to - from) / std::max(seconds(last - first), 1e-3);
  }
  view.dead_letters = watched.letters;
  view.sqlite_wal_bytes = watched.wal_bytes;
  view.lag_s = watched.lag_s;
  if (watched.health) {
    view.server = watched.health->server;
    view.backlog = watched.health->backlog;
    view.oplog_window_left_s = seconds_between(watched.health->oldest, token_time(status.committed.token()));
  }
  if (view.ended)
    view.not_ready = "ended";
  else if (status.state != PipelineState::kStreaming)
    view.not_ready = view.state;
  else if (!watched.health_error.empty())
    view.not_ready = "the source's deployment doesn't answer: " + watched.health_error;
  else if (!watched.moving)
    view.not_ready = "the position stands still while the deployment moves on";
  view.ready = view.not_ready.empty();
  return view;
}

}  // namespace tidemark
