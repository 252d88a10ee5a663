// The one place where progress is acknowledged: which batches were admitted, how much of each is still owed,
// and therefore how far the position may move.
//
// Owned by PipelineCore; one thread. Bounded: `capacity` batches at most.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "core/position.h"

namespace tidemark {

class Watermark {
 public:
  // Names an admitted batch. Rises by one with each.
  using Seq = uint64_t;

  explicit Watermark(size_t capacity) : capacity_(capacity) {}

  // Full = stop reading: this is the backpressure on the cursor.
  bool full() const { return entries_.size() >= capacity_; }

  // A batch was read. `owed` events must become durable before `resume_after` may be saved; 0 when none is
  // left after filtering. REQUIRES !full(). The caller must go on to report each owed event through
  // delivered(), once.
  Seq admit(Position resume_after, uint32_t owed, uint64_t bytes);

  // `count` more events of the batch are durable. REQUIRES that the batch still owes that many.
  void delivered(Seq seq, uint32_t count);

  // The end of the contiguous prefix of fully delivered batches, if it moved since the last call.
  std::optional<DurablePosition> advance();

  // Whether none of the batch's events is owed any more.
  bool is_delivered(Seq seq) const { return seq < first_ || entries_[seq - first_].owed == 0; }

  // Events admitted and not yet durable, and the bytes of their batches.
  uint64_t owed_events() const { return owed_events_; }
  uint64_t held_bytes() const { return held_bytes_; }
  size_t batches() const { return entries_.size(); }

 private:
  struct Entry {
    Position resume_after;
    uint32_t owed;
    uint64_t bytes;
  };

  const size_t capacity_;
  std::deque<Entry> entries_;  // entries_[i] is batch first_ + i
  Seq first_ = 0;
  uint64_t owed_events_ = 0;
  uint64_t held_bytes_ = 0;
};

}  // namespace tidemark
