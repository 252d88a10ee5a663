#include "runtime/stats_watch.h"

namespace tidemark {

StatsWatch::StatsWatch(std::vector<std::unique_ptr<StatsProbe>> probes, std::chrono::milliseconds interval,
                       Clock& clock)
    : probes_(std::move(probes)), interval_(interval), clock_(clock) {
  view_.configured = !probes_.empty();
  view_.interval_s = std::chrono::duration<double>(interval).count();
}

StatsWatch::~StatsWatch() { stop(); }

void StatsWatch::start() {
  if (probes_.empty()) return;
  thread_ = std::jthread([this](std::stop_token stop) {
    do look(stop);
    while (clock_.sleep_until(clock_.now() + interval_, stop));
  });
}

void StatsWatch::stop() { thread_ = {}; }

void StatsWatch::look(std::stop_token stop) {
  StatsView found = view();
  const std::optional<int64_t> total_before = found.total;
  const Mono asked = clock_.now();
  found.at_ms = clock_.wall_ms();
  found.error.clear();
  for (const auto& probe : probes_) {
    auto report = probe->look(stop);
    if (!report) {
      if (report.error().react == React::kCancelled) return;
      found.error += (found.error.empty() ? "" : "; ") + probe->describe() + ": " + report.error().describe();
      continue;
    }
    if (report->total) {
      found.total = report->total;
      found.by_severity = std::move(report->by_severity);
      found.by_category = std::move(report->by_category);
      found.cluster_seconds = report->at.seconds;
      found.cluster_increment = report->at.increment;
    }
    if (report->queue_depth) {
      found.queue_depth = report->queue_depth;
      found.queue = std::move(report->queue);
    }
  }
  MutexLock lock(mutex_);
  if (found.error.empty()) {
    if (succeeded_ && total_before && found.total) {
      const double passed = std::chrono::duration<double>(asked - *succeeded_).count();
      if (passed > 0) found.per_s = static_cast<double>(*found.total - *total_before) / passed;
    }
    succeeded_ = asked;
  }
  view_ = std::move(found);
}

StatsView StatsWatch::view() const {
  MutexLock lock(mutex_);
  StatsView view = view_;
  if (succeeded_) view.age_s = std::chrono::duration<double>(clock_.now() - *succeeded_).count();
  return view;
}

}  // namespace tidemark
