// A pipeline and its deployment, simulated second by second, as a guard sees them from outside: for the tests of the alerts.
// Healthy by itself, with everything that is normal in a pipeline's life; a test breaks it by its fields. One thread.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "bson/document.h"
#include "core/pipeline_core.h"
#include "env/random.h"
#include "guard/alerts.h"

namespace tidemark::guard::testing {

inline Position position_at(bson::Timestamp time) {
  bson::Builder token;
  token.append("_data", std::to_string(time.seconds) + "." + std::to_string(time.increment));
  return Position(token.view(), time);
}

// A result that is well.
inline AuditSignal audit_of(std::string kind, double every_s, std::optional<double> age_s) {
  AuditSignal signal;
  signal.view.pipeline = "orders";
  signal.view.kind = std::move(kind);
  signal.view.state = "waiting";
  signal.view.every_s = every_s;
  signal.view.age_s = age_s;
  signal.view.finished_at_ms = age_s ? 1 : 0;
  signal.view.source_documents = signal.view.destination_documents = age_s ? 1000 : 0;
  return signal;
}

class SimPipeline {
 public:
  enum class Kind {
    kOutside,    // the guard runs apart: a stored position and the deployment's word
    kInProcess,  // and the runtime's word
    kFeed,       // a live feed: its position is in memory, and the stats count what it should bring
    kQueue,      // from a broker's queue
  };
  explicit SimPipeline(Kind kind, uint64_t seed = 1) : kind(kind), random(seed) {
    latest = {second, 1};
    stored.position = position_at(latest);
    stored.deployment = "rs0/1";
    stored.fingerprint = "f";
    stored.epoch = 7;
    view.state = to_string(PipelineState::kStreaming);
  }

  // ---- what happens to it
  bool busy = true;     // something is written every second
  bool bursts = false;  // kQueue: thousands come at once, now and then
  void elect(int seconds) {
    election_left = seconds;
    if (opening_left == 0) backoff_left = seconds + 1 + static_cast<int>(random.below(3));
  }
  // Down for a while, then a server that scans its oplog for `scan` seconds.
  // With `in_read`, it scans before it answers the first read, and not the open.
  void restart(int down, int scan, bool in_read = false) {
    scans_in_read = in_read;
    restart_left = down;
    scan_after_restart = scan;
  }

  // ---- what can be wrong with it
  bool wedged = false;       // the pipeline reads and saves nothing more, and says that it streams
  bool no_majority = false;  // the deployment commits nothing, and answers
  bool unreachable = false;
  bool reads_refused = false;
  bool sink_refuses = false;
  bool sink_hangs = false;
  bool saves_refused = false;
  bool all_filtered = false;
  bool cursor_dead = false;  // kFeed: it says that it lives, its marks move, and it brings nothing
  bool consumer_gone = false;
  std::optional<uint64_t> delivery_limit;  // kQueue
  int letters_per_second = 0;
  std::string ended = {};
  std::optional<Error> peek_error = {};
  std::optional<bson::Timestamp> oldest_forced = {};
  bool position_gone = false;
  std::vector<AuditSignal> audits = {};

  const Kind kind;
  SeededRandom random;
  uint32_t second = 1'700'000'000;
  bson::Timestamp latest;
  StoredPosition stored;
  PipelineView view;
  uint32_t window_s = 36'000;
  uint32_t paused_s = 0;  // in which this process stood still

  bool resumes() const { return restart_left > 0 || backoff_left > 0 || opening_left > 0; }

  void second_passes() {
    ++second;
    deployment_lives();
    letters += static_cast<uint64_t>(letters_per_second);
    if (busy && election_left == 0 && !no_majority) ++written;
    if (kind == Kind::kQueue) return queue_lives();
    pipeline_lives();
  }

  Signals look() {
    Signals signals;
    signals.pipeline = "orders";
    signals.fingerprint = "f";
    if (kind == Kind::kOutside || kind == Kind::kInProcess) signals.position = peek();
    signals.health = health();
    signals.dead_letters = letters;
    if (kind != Kind::kOutside) signals.view = present();
    if (kind == Kind::kFeed) signals.stats = stats();
    signals.audits = audits;
    return signals;
  }

 private:
  void deployment_lives() {
    if (election_left > 0) {
      if (--election_left == 0) latest = {second, 1};
    } else if (!no_majority && (busy || second % 10 == 0)) {
      latest = {second, 1 + static_cast<uint32_t>(random.below(5))};
    }
  }

  void save(bson::Timestamp time) {
    if (saves_refused) {
      if (second % 5 == 0) ++view.save_failures;
      view.state = to_string(PipelineState::kWaitingForSink);
      return;
    }
    stored.position = position_at(time);
    saved_at = second;
    ++view.saves;
  }

  void pipeline_lives() {
    if (wedged || sink_hangs || !ended.empty()) {
      view.in_flight_events = sink_hangs ? 10 : 0;
      return;
    }
    if (restart_left > 0) {
      if (--restart_left > 0) return;
      ++stored.epoch;
      opening_left = std::max(1, scan_after_restart);
      view = {};
    }
    if (reads_refused) {
      if (second % 7 == 0) ++view.source_retries;
      view.state = to_string(second % 30 == 0 ? PipelineState::kOpening : PipelineState::kWaitingForSource);
      view.error = "getMore: refused";
      return;
    }
    if (backoff_left > 0) {
      view.state = to_string(PipelineState::kWaitingForSource);
      view.error = "not primary";
      if (--backoff_left == 0) opening_left = 1;
      return;
    }
    if (opening_left > 0) {
      if (view.source_opens == 0 || view.state != to_string(PipelineState::kStreaming)) ++view.source_opens;
      view.state = to_string(scans_in_read ? PipelineState::kStreaming : PipelineState::kOpening);
      if (--opening_left > 0) return;
      view.state = to_string(PipelineState::kStreaming);
      view.error.clear();
      return save(stored.position.cluster_time());  // what comes after it is yet to be delivered
    }
    if (sink_refuses) {
      view.state = to_string(PipelineState::kWaitingForSink);
      view.error = "disk full";
      view.in_flight_events = 10;
      if (second % 7 == 0) ++view.sink_retries;
      return;
    }
    view.state = to_string(PipelineState::kStreaming);
    view.error.clear();
    view.in_flight_events = 0;
    deliver();
  }

  // What was missed comes at fifty seconds of it a second.
  bson::Timestamp caught_up_to() const {
    const bson::Timestamp at = stored.position.cluster_time();
    return latest.seconds > at.seconds + 50 ? bson::Timestamp{at.seconds + 50, 1} : latest;
  }

  void deliver() {
    const bson::Timestamp to = caught_up_to();
    const bool something = read != written || to != latest;
    if (something && !cursor_dead) {
      if (!all_filtered) view.events_read += written - read;
      (all_filtered ? view.events_filtered : view.events_delivered) += written - read;
      if (!all_filtered) ++view.batches;
      read = written;
    }
    if (something || second - saved_at >= 10) save(to);
  }

  // Bursts come and are worked off.
  void queue_lives() {
    view.state = to_string(PipelineState::kStreaming);
    if (busy) backlog += bursts && random.below(120) == 0 ? 4'000 : 20;
    view.in_flight_events = std::min<uint64_t>(backlog, 100);
    if (consumer_gone || sink_hangs) return;
    const uint64_t taken = std::min<uint64_t>(backlog, 300);
    backlog -= taken;
    view.events_delivered += taken;
    view.in_flight_events = 0;
  }

  Result<std::optional<StoredPosition>> peek() const {
    if (peek_error) return fail(*peek_error);
    if (position_gone) return std::optional<StoredPosition>();
    return std::optional<StoredPosition>(stored);
  }

  Result<SourceHealth> health() {
    if (unreachable) return fail(React::kRetry, "no suitable servers");
    SourceHealth health;
    if (kind == Kind::kQueue) {
      health.backlog = backlog;
      health.delivery_limit = delivery_limit;
      return health;
    }
    health.latest = latest;
    health.deployment = "rs0/1";
    // Another member answers, a moment behind.
    if (random.below(4) == 0 && !no_majority) health.latest.seconds -= 1;
    health.oldest = oldest_forced.value_or(bson::Timestamp{second - window_s, 1});
    return health;
  }

  PipelineView present() {
    PipelineView now = view;
    if (kind == Kind::kFeed)
      now.lag_s = std::max(0.0, seconds_between(stored.position.cluster_time(), latest));
    now.ended = !ended.empty();
    if (now.ended) {
      now.state = to_string(PipelineState::kFinished);
      now.error = ended;
    }
    return now;
  }

  // Asked every five seconds, told until the next time.
  StatsView stats() {
    const uint32_t now = second + paused_s;
    if (now - stats_asked >= 5) {
      stats_asked = now;
      stats_total = static_cast<int64_t>(written);
    }
    StatsView stats;
    stats.configured = true;
    stats.at_ms = int64_t{stats_asked} * 1000;
    stats.age_s = static_cast<double>(now - stats_asked);
    stats.total = stats_total;
    return stats;
  }

  int election_left = 0;
  int backoff_left = 0;
  int restart_left = 0;
  int scan_after_restart = 0;
  int opening_left = 0;
  bool scans_in_read = false;
  uint32_t saved_at = 0;
  uint64_t written = 0;
  uint64_t read = 0;
  uint64_t letters = 3;
  uint64_t backlog = 0;
  uint32_t stats_asked = 0;
  int64_t stats_total = 0;
};

// Looks at one simulated pipeline, and keeps what fires.
class Bench {
 public:
  Bench(SimPipeline::Kind kind, std::vector<RuleOverride> overrides, uint64_t seed = 1, int interval_s = 10)
      : sim(kind, seed),
        interval_s(interval_s),
        alerts({.interval = std::chrono::seconds(interval_s), .overrides = std::move(overrides)}) {
    alerts.add("", {});
    alerts.add("orders", {});
  }

  // One interval, and a look at its end.
  void look() { look_after(interval_s); }
  void look_after(int seconds) {
    pass(seconds, true);
    judge(sim.look());
    judge({});
  }
  void look(int times) {
    while (times-- > 0) look();
  }
  // Time in which nobody looks; without `world`, the pipeline stands too.
  void pass(int seconds, bool world) {
    now += std::chrono::seconds(seconds);
    wall_ms += int64_t{1000} * seconds;
    if (!world) sim.paused_s += static_cast<uint32_t>(seconds);
    while (world && seconds-- > 0) sim.second_passes();
  }
  void judge(const Signals& signals) {
    for (AlertView& notice : alerts.update(signals, now, wall_ms)) notices.push_back(std::move(notice));
  }
  std::vector<std::string> firing() const {
    std::vector<std::string> names;
    for (const AlertView& alert : alerts.views())
      if (alert.firing) names.push_back(alert.name);
    std::sort(names.begin(), names.end());
    return names;
  }
  bool fires(std::string_view name) const {
    const auto names = firing();
    return std::find(names.begin(), names.end(), name) != names.end();
  }

  SimPipeline sim;
  const int interval_s;
  Alerts alerts;
  Mono now{std::chrono::hours(1)};
  WallMs wall_ms = 1'700'000'000'000;
  std::vector<AlertView> notices;
};

}  // namespace tidemark::guard::testing
