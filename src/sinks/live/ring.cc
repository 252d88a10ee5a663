#include "sinks/live/ring.h"

#include <algorithm>
#include <utility>

namespace tidemark {

void FeedRing::add(std::vector<std::shared_ptr<const std::string>> rendered) {
  if (rendered.empty()) return;
  std::vector<FeedItem> evicted;  // freed after the lock is given back
  {
    MutexLock lock(mutex_);
    for (auto& json : rendered) {
      bytes_ += json->size();
      items_.push_back({++newest_, std::move(json)});
    }
    while (items_.size() > limits_.events_max || (bytes_ > limits_.bytes_max && items_.size() > 1)) {
      bytes_ -= items_.front().json->size();
      evicted.push_back(std::move(items_.front()));
      items_.pop_front();
    }
  }
  MutexLock lock(listener_mutex_);
  if (listener_) listener_();
}

FeedSlice FeedRing::after(uint64_t seq, size_t items_max, size_t bytes_max) const {
  FeedSlice slice;
  MutexLock lock(mutex_);
  if (seq >= newest_) return slice;
  const uint64_t first = std::max(seq + 1, items_.front().seq);
  slice.missed = first - (seq + 1);
  size_t bytes = 0;
  for (size_t i = first - items_.front().seq; i < items_.size(); ++i) {
    bytes += items_[i].json->size();
    const bool fits = slice.items.size() < items_max && bytes <= bytes_max;
    if (!fits && !slice.items.empty()) break;
    slice.items.push_back(items_[i]);
  }
  return slice;
}

uint64_t FeedRing::newest() const {
  MutexLock lock(mutex_);
  return newest_;
}

uint64_t FeedRing::oldest() const {
  MutexLock lock(mutex_);
  return items_.empty() ? newest_ + 1 : items_.front().seq;
}

void FeedRing::on_growth(std::function<void()> listener) {
  MutexLock lock(listener_mutex_);
  listener_ = std::move(listener);
}

}  // namespace tidemark
