// What the broker sends on a session's channel, put together from frames: deliveries and returns with their content,
// confirms, the end of a consumer, blocked and unblocked. One thread; owned by a Session.
#pragma once

#include <deque>
#include <optional>
#include <string>

#include "amqp/types.h"
#include "base/result.h"

struct amqp_frame_t_;
struct amqp_basic_properties_t_;

namespace tidemark::amqp {

class Inbox {
 public:
  enum class News {
    kNothing,    // a frame that completes nothing
    kDelivery,   // delivery() is whole
    kVerdict,    // a verdict was queued
    kCancelled,  // the broker ended the consumer
    kClosed,     // the broker closes the channel or the connection
  };
  // Copies what it needs out of the frame.
  News take(const amqp_frame_t_& frame);
  // Begins a message that came as an answer (basic.get): its content follows in frames.
  void begin_get(uint64_t tag, bool redelivered, std::string_view exchange, std::string_view routing_key);

  Delivery& delivery() { return delivery_; }
  std::deque<Verdict>& verdicts() { return verdicts_; }
  const std::string& blocked() const { return blocked_; }

 private:
  enum class Awaited { kNothing, kHeader, kBody };
  News take_method(const amqp_frame_t_& frame);
  News take_header(const amqp_frame_t_& frame);
  News finish();
  void begin(bool is_return);

  Awaited awaited_ = Awaited::kNothing;
  bool is_return_ = false;
  uint64_t body_size_ = 0;
  uint64_t body_seen_ = 0;
  Delivery delivery_;
  Verdict return_;
  std::deque<Verdict> verdicts_;
  std::string blocked_;
};

}  // namespace tidemark::amqp
