#include "http/follower.h"

#include <algorithm>

#include "http/views.h"

namespace tidemark::http {

void Follower::start() {
  if (started_) return;
  started_ = true;
  const uint64_t newest = feed_->newest();
  const uint64_t oldest = feed_->oldest();
  const uint64_t before_oldest = oldest > 0 ? oldest - 1 : 0;
  seen_ = std::max(before_oldest, newest > kReplayMax ? newest - kReplayMax : 0);
}

void Follower::resume(uint64_t after) {
  started_ = true;
  resumed_ = true;
  // A place ahead of the feed can't be one of this process's; waiting for the feed to get there would be silence.
  seen_ = std::min(after, feed_->newest());
}

void Follower::resume_elsewhere() {
  resumed_ = true;
  start();
}

std::optional<Follower::Frame> Follower::next() {
  if (!started_ || feed_->newest() <= seen_) return std::nullopt;
  const FeedSlice slice = feed_->after(seen_, kFrameItemsMax, kFrameBytesMax);
  if (slice.missed > 0) {
    // The notice alone: by the time the client has taken it, what follows is asked for anew, and so is what has left the
    // ring meanwhile.
    Frame frame{render_gap_frame(name(), seen_, slice.missed), slice.missed};
    seen_ += slice.missed;
    return frame;
  }
  if (slice.items.empty()) return std::nullopt;
  seen_ = slice.items.back().seq;
  return Frame{render_events_frame(name(), slice.items)};
}

}  // namespace tidemark::http
