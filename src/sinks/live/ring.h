// The ring behind a live feed: the newest events as JSON, bounded by number and by bytes. One thread adds, any number
// of threads read, each at its own place; neither waits for the other longer than it takes to copy pointers.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "core/feed.h"

namespace tidemark {

class FeedRing final : public Feed {
 public:
  struct Limits {
    size_t events_max = 0;  // at least 1
    size_t bytes_max = 0;   // of the JSON; the newest event stays even if it alone is larger
  };

  FeedRing(std::string name, Limits limits) : name_(std::move(name)), limits_(limits) {}

  // Appends in this order, lets go of the oldest beyond the limits, then calls the listener.
  void add(std::vector<std::shared_ptr<const std::string>> rendered) EXCLUDES(mutex_, listener_mutex_);

  const std::string& name() const override { return name_; }
  // A `seq` that the ring hasn't reached yet gives nothing and misses nothing.
  FeedSlice after(uint64_t seq, size_t items_max, size_t bytes_max) const override EXCLUDES(mutex_);
  uint64_t newest() const override EXCLUDES(mutex_);
  uint64_t oldest() const override EXCLUDES(mutex_);
  // Not from within the listener: it would wait for itself.
  void on_growth(std::function<void()> listener) override EXCLUDES(listener_mutex_);

 private:
  const std::string name_;
  const Limits limits_;

  mutable Mutex mutex_;
  std::deque<FeedItem> items_ GUARDED_BY(mutex_);  // seqs without a gap, up to newest_
  size_t bytes_ GUARDED_BY(mutex_) = 0;
  uint64_t newest_ GUARDED_BY(mutex_) = 0;

  // Held while the listener runs, so that taking it away waits for a call under way.
  Mutex listener_mutex_;
  std::function<void()> listener_ GUARDED_BY(listener_mutex_);
};

}  // namespace tidemark
