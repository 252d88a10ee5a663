// One connection to a broker with one channel on it: declares, publishes with confirms, consumes, and turns what goes wrong
// into Errors that say how to react (errors.h). Every wait ends within some 50 ms of a stop. Owned by one sink, source or
// store; one thread at a time, but for wake().
//
// After an error the session is good for nothing but destruction unless lost() is false: AMQP closes the channel at the
// first thing that it can't do. Whatever was delivered and not acknowledged, the broker delivers again to the next session.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "amqp/types.h"
#include "base/result.h"
#include "env/clock.h"

namespace tidemark::amqp {

struct QueueArguments;

class Session {
 public:
  // Connects, logs in and opens the channel.
  static Result<std::unique_ptr<Session>> open(const ConnectionOptions& options, Clock& clock,
                                               std::stop_token stop);
  // Closes the connection without waiting for the broker's word.
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  bool lost() const;
  // "rabbitmq sink 'ingest' (amqp localhost:5672//)": begins messages.
  const std::string& describe() const;
  // The broker takes no messages now (an alarm for memory or disk): why; empty when it does. Known once something was read.
  const std::string& blocked() const;

  // --- declaring. All durable. Something that exists with other properties is kConfig.

  Status declare_exchange(const std::string& name, const std::string& type, std::stop_token stop);
  // Creates the queue where it is absent; one that is there is taken as it is, unless a length is asked for (then one with
  // another is kConfig). A new quorum queue drops no message for having come back often: it has no delivery limit where the
  // broker can be told so (4.0), and a queue for what a policy's limit throws out (QueueOptions::returned). A new one is given 2.5 s to get to the broker's disk: a broker that crashes
  // sooner after a declaration forgets the queue, with what it had confirmed to be in it.
  Result<QueueState> declare_queue(const QueueOptions& queue, std::stop_token stop);
  Status bind(const std::string& queue, const std::string& exchange, const std::string& routing_key,
              std::stop_token stop);
  // Of a queue that must exist. A missing one is kRetry, code 404, and the session stays usable.
  Result<QueueState> queue_state(const std::string& queue, std::stop_token stop);
  // How often a message of a queue that exists may come back. Asks by declaring it again with an argument that it can't have,
  // which changes nothing: the broker's refusal tells what it is. REQUIRES that the queue exists.
  Result<DeliveryLimit> delivery_limit(const std::string& queue, std::stop_token stop);
  // The broker's major version; 0 when it doesn't say.
  int major_version() const;
  // The same for an exchange.
  Status check_exchange(const std::string& name, std::stop_token stop);

  // --- publishing. publisher.h does the counting.

  Status select_confirms(std::stop_token stop);
  // Takes the message into a buffer, and sends what has gathered when that is large.
  Status publish(const Message& message, std::stop_token stop);
  // Sends all of it. Verdicts that come meanwhile are kept for next_verdict().
  Status flush(std::stop_token stop);
  uint64_t published() const;  // messages since select_confirms(): the number of the last one
  // Waits up to `timeout` for one; false when none came.
  Result<bool> next_verdict(Verdict& verdict, std::chrono::milliseconds timeout, std::stop_token stop);

  // --- consuming

  // Deliveries begin to come, at most `prefetch` unacknowledged ones.
  Status consume(const std::string& queue, uint16_t prefetch, std::stop_token stop);
  // The next message into `delivery`; false when none came within `timeout` (0: only what is there already) or wake() was
  // called. kRetry when the broker cancelled the consumer (its queue was deleted, or moved).
  Result<bool> next(Delivery& delivery, std::chrono::milliseconds timeout, std::stop_token stop);
  // No more deliveries after those that were on their way, which next() still hands out.
  Status cancel(std::stop_token stop);
  // One message taken by hand; false when the queue is empty. It must be acknowledged like a delivery.
  Result<bool> get(const std::string& queue, Delivery& delivery, std::stop_token stop);

  // `multiple`: this one and every one before it. They return once sent; the broker doesn't answer.
  Status ack(uint64_t tag, bool multiple, std::stop_token stop);
  Status nack(uint64_t tag, bool multiple, bool requeue, std::stop_token stop);

  // Ends a wait in next() early, now or the next one. Any thread.
  void wake();

  // Says goodbye: what was acknowledged before is with the broker on return. Then only destruction. Best effort.
  void close();

 private:
  struct State;
  Result<QueueState> check_length(const QueueOptions& queue, QueueArguments arguments, std::stop_token stop);
  Result<QueueState> create_quorum(const QueueOptions& queue, const QueueArguments& plain,
                                   std::stop_token stop);
  explicit Session(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tidemark::amqp
