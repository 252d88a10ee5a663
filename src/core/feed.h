// The live feed of a pipeline: the newest events, rendered once, in a ring that any number of readers follow at their
// own pace. Best effort by contract: a reader that is slower than the ring is told how many it missed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace tidemark {

struct FeedItem {
  uint64_t seq = 0;  // 1, 2, 3 ... as long as the process lives
  std::shared_ptr<const std::string> json;
};

struct FeedSlice {
  uint64_t missed = 0;  // events after the reader's place that have left the ring
  std::vector<FeedItem> items;
};

// Thread-safe; shared between the sink that fills it and the sessions that read it.
class Feed {
 public:
  virtual ~Feed() = default;
  // The pipeline's name.
  virtual const std::string& name() const = 0;
  // What follows `seq`, oldest first, bounded by both limits (at least one item when there is any).
  virtual FeedSlice after(uint64_t seq, size_t items_max, size_t bytes_max) const = 0;
  virtual uint64_t newest() const = 0;  // 0 = none yet
  virtual uint64_t oldest()
      const = 0;  // the first that after(0) would give; newest() + 1 when the ring is empty
  // `listener` is called on the sink's thread after events were added; it must not block. One listener; empty removes it,
  // and after that call returns the old one runs no more.
  virtual void on_growth(std::function<void()> listener) = 0;
};

}  // namespace tidemark
