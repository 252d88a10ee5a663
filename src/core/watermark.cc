#include "core/watermark.h"

#include "base/check.h"

namespace tidemark {

Watermark::Seq Watermark::admit(Position resume_after, uint32_t owed, uint64_t bytes) {
  TIDEMARK_CHECK(!full(), "a batch was admitted into a full watermark");
  entries_.push_back({std::move(resume_after), owed, bytes});
  owed_events_ += owed;
  held_bytes_ += bytes;
  return first_ + entries_.size() - 1;
}

void Watermark::delivered(Seq seq, uint32_t count) {
  TIDEMARK_CHECK(seq >= first_ && seq - first_ < entries_.size(), "an unknown batch was reported delivered");
  Entry& entry = entries_[seq - first_];
  TIDEMARK_CHECK(entry.owed >= count, "more events were reported delivered than the batch owed");
  entry.owed -= count;
  owed_events_ -= count;
}

std::optional<DurablePosition> Watermark::advance() {
  std::optional<DurablePosition> durable;
  while (!entries_.empty() && entries_.front().owed == 0) {
    durable = DurablePosition(std::move(entries_.front().resume_after));
    held_bytes_ -= entries_.front().bytes;
    entries_.pop_front();
    ++first_;
  }
  return durable;
}

}  // namespace tidemark
