#include "http/hub.h"

#include "http/views.h"

namespace tidemark::http {
namespace {

constexpr std::chrono::milliseconds kStatusInterval{1000};
// Ticks come a little early or late; one that is early by less than this counts as on time.
constexpr std::chrono::milliseconds kSlack{100};

bool is_new_look(const StatsView& a, const StatsView& b) {
  return a.at_ms != b.at_ms || a.error != b.error || a.configured != b.configured || a.total != b.total ||
         a.queue_depth != b.queue_depth;
}

}  // namespace

void Hub::look() {
  MutexLock looking(looking_);
  uint64_t timeline_seen = 0;
  bool status_due = false;
  {
    MutexLock lock(mutex_);
    timeline_seen = timeline_seq_;
    status_due = status_.version == 0 || clock_.now() - status_at_ >= kStatusInterval - kSlack;
  }
  Text status;
  if (status_due)
    status = std::make_shared<const std::string>(
        render_status_frame(clock_.wall_ms(), backend_.pipelines(), backend_.guard()));
  const StatsView stats = backend_.stats();
  const auto entries = backend_.timeline(timeline_seen);

  MutexLock lock(mutex_);
  if (status) {
    status_ = {status_.version + 1, std::move(status)};
    status_at_ = clock_.now();
  }
  if (stats_.version == 0 || is_new_look(stats, last_stats_)) {
    stats_ = {stats_.version + 1, std::make_shared<const std::string>(render_stats_frame(stats))};
    last_stats_ = stats;
  }
  take_timeline(entries);
}

void Hub::take_timeline(const std::vector<TimelineEntry>& entries) {
  for (const TimelineEntry& entry : entries) {
    if (entry.seq <= timeline_seq_) continue;
    timeline_seq_ = entry.seq;
    timeline_.push_back({entry.seq, std::make_shared<const std::string>(render_timeline_entry(entry))});
    if (timeline_.size() > kTimelineMax) timeline_.pop_front();
  }
}

Bulletin Hub::status() const {
  MutexLock lock(mutex_);
  return status_;
}

Bulletin Hub::stats() const {
  MutexLock lock(mutex_);
  return stats_;
}

double Hub::stats_interval_s() const {
  MutexLock lock(mutex_);
  return last_stats_.interval_s;
}

uint64_t Hub::timeline_start() const {
  MutexLock lock(mutex_);
  if (timeline_.size() <= kTimelineAtConnect) return 0;
  return timeline_[timeline_.size() - kTimelineAtConnect].seq - 1;
}

std::vector<Text> Hub::timeline_after(uint64_t& seen) const {
  std::vector<Text> texts;
  MutexLock lock(mutex_);
  if (seen >= timeline_seq_) return texts;
  for (const Entry& entry : timeline_) {
    if (entry.seq > seen) texts.push_back(entry.text);
  }
  seen = timeline_seq_;
  return texts;
}

}  // namespace tidemark::http
