// One client's place in one feed: which frame comes next. Holds no events, so that a client that doesn't read costs
// nothing but its place. One thread at a time (the session's strand).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/feed.h"

namespace tidemark::http {

class Follower {
 public:
  static constexpr uint64_t kReplayMax = 200;  // what a client that doesn't resume is shown of the past
  static constexpr size_t kFrameItemsMax = 500;
  static constexpr size_t kFrameBytesMax = 256 << 10;

  explicit Follower(std::shared_ptr<Feed> feed) : feed_(std::move(feed)) {}

  const std::string& name() const { return feed_->name(); }
  bool started() const { return started_; }
  bool resumed() const { return resumed_; }

  // From the newest kReplayMax events on.
  void start();
  // From what follows `after` on, also where start() came first: the client knows what it has seen.
  void resume(uint64_t after);
  // The client has resumed another process's feed: its place means nothing here.
  void resume_elsewhere();

  struct Frame {
    std::string text;
    uint64_t missed = 0;  // more than none: this is the gap notice
  };
  // Empty when there is nothing new, or before a start.
  std::optional<Frame> next();

 private:
  std::shared_ptr<Feed> feed_;
  uint64_t seen_ = 0;
  bool started_ = false;
  bool resumed_ = false;
};

}  // namespace tidemark::http
