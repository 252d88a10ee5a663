// Publishes a batch of messages on a session and waits until the broker has answered for each. Owned by whoever owns the
// session; one thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>
#include <vector>

#include "amqp/session.h"
#include "amqp/types.h"
#include "base/result.h"

namespace tidemark::amqp {

// The verdicts on the messages first .. first+count-1, whatever their order. Pure.
class ConfirmWindow {
 public:
  enum class Fate : uint8_t { kOpen, kConfirmed, kRefused, kReturned };

  void start(uint64_t first, size_t count);
  // Verdicts on messages outside of the window are none of its business.
  void ack(uint64_t number, bool multiple) { decide(number, multiple, Fate::kConfirmed); }
  void nack(uint64_t number, bool multiple) { decide(number, multiple, Fate::kRefused); }
  // The message at `index` found no queue; its ack, which follows, doesn't confirm it.
  void returned(size_t index) { settle(index, Fate::kReturned); }

  bool complete() const { return open_ == 0; }
  size_t size() const { return fates_.size(); }
  Fate fate(size_t index) const { return fates_[index]; }
  // Messages [0, prefix) are confirmed, and the one after isn't.
  size_t confirmed_prefix() const;

 private:
  void decide(uint64_t number, bool multiple, Fate fate);
  void settle(size_t index, Fate fate);

  uint64_t first_ = 1;
  std::vector<Fate> fates_;
  size_t open_ = 0;
  size_t low_ = 0;  // all before it are decided
};

struct PublishResult {
  std::optional<Error> error;  // none: every message is confirmed
  size_t confirmed_prefix = 0;
  size_t culprit = 0;  // with kReject: the message that the broker can't take
};

class Publisher {
 public:
  // REQUIRES session.select_confirms() was done; the session outlives the publisher.
  explicit Publisher(Session& session, Clock& clock) : session_(session), clock_(clock) {}

  // begin(), any number of add(), finish(). After an error of add(), finish() is still asked for the result.
  void begin();
  Status add(const Message& message, std::stop_token stop);
  // Waits up to `timeout` for all verdicts. Errors: kRetry for a refusal (a full queue), for a message that no queue takes
  // (its exchange and routing key are named), for a lost connection and for silence; nothing counts as published then but
  // the confirmed prefix. kReject for a message larger than the broker takes.
  PublishResult finish(std::chrono::milliseconds timeout, std::stop_token stop);

  // The same for a few messages at once.
  PublishResult publish(std::span<const Message> messages, std::chrono::milliseconds timeout,
                        std::stop_token stop);

 private:
  struct Sent {
    uint64_t id_hash = 0;
    size_t body_size = 0;
  };
  void take(const Verdict& verdict);
  Error refused() const;
  void explain(PublishResult& result) const;

  Session& session_;
  Clock& clock_;
  uint64_t first_ = 1;
  std::vector<Sent> sent_;
  ConfirmWindow window_;
  std::optional<Error> broken_;  // what ended add()
  std::optional<Error> unroutable_;
};

}  // namespace tidemark::amqp
