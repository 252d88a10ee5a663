// A consumer of one queue on a session of its own (amqp/session.h), with its acknowledgements as positions.
//
// Threads: open() and read() belong to the pipeline's reader, save() to its saver; a keeper thread of the source's own
// sends a sign of life while nobody reads (a full pipeline must not lose its connection to silence) and cancels the
// consumer at stop_delivery(). They share the session through a SessionGate. health() has another session, under a
// lock of its own.
//
// A quorum queue counts how often a message comes back undelivered, and may drop it for that. From one that does, and has
// nowhere to put such messages, a session takes messages one by one (basic.get), and never holds more than half the limit for
// each that it has acknowledged: a message is held by as many sessions that die as half the limit at most, unless they get
// nothing done at all. Once that is as many as the prefetch, a consumer brings the rest. A consumer can't begin small and grow:
// its prefetch is fixed, RabbitMQ 3.10 ends the channel of one that is replaced, and a second one beside it would mix the order.
//
// A session is numbered; its deliveries are acknowledged on it alone. When it ends, the broker delivers again what
// wasn't acknowledged, so that saving a position of an older session, or of one that has died, is a success without
// effect: a retry could never mend it, and nothing is lost.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "amqp/session.h"
#include "amqp/spec.h"
#include "base/mutex.h"
#include "cloudevents/parser.h"
#include "core/source.h"
#include "sources/rabbitmq/ack_position.h"
#include "sources/rabbitmq/session_gate.h"

namespace tidemark {

struct QueueSourceOptions {
  amqp::ConnectionOptions connection;
  std::string queue;
  uint16_t prefetch = 2000;
  amqp::DeclareOptions declare;
  // Of one batch: a read returns with what is there, up to these.
  size_t batch_events_max = 1000;
  size_t batch_bytes_max = 4 << 20;
};

class QueueSource final : public Source, private PositionStore {
 public:
  // `clock` outlives the source.
  QueueSource(QueueSourceOptions options, Clock& clock);
  ~QueueSource() override;

  SourceIdentity identity() const override;
  Result<Position> open(const Position& from, std::stop_token stop) override;
  Result<SourceBatch> read(std::chrono::milliseconds wait, std::stop_token stop) override;
  Result<Position> resolve(const StartPoint& start, std::stop_token stop) override;
  Result<SourceHealth> health(std::stop_token stop) override;
  void on_ready(std::function<void()>) override {}
  PositionStore* own_positions() override { return this; }
  bool wants_sink_first() const override { return true; }
  void stop_delivery() override;
  void close() override;

 private:
  Result<std::optional<StoredPosition>> acquire(const PositionContext& context,
                                                std::stop_token stop) override;
  Status save(const DurablePosition& position, std::stop_token stop) override;
  Result<std::optional<StoredPosition>> peek(const std::string& pipeline, std::stop_token stop) override;
  Status erase(std::stop_token) override { return {}; }
  void release() override {}
  std::string describe() const override;

  struct Connected {
    std::shared_ptr<amqp::Session> session;
    uint64_t per_ack = 0;  // as per_ack_
  };
  Result<Connected> connect(std::stop_token stop) const;
  // A queue that is there is taken as it is: whoever made it may have given it limits.
  Result<amqp::QueueState> find_queue(amqp::Session& session, std::stop_token stop) const;
  // The next message into delivery_: what the consumer brings, or one by hand while there is none.
  Result<bool> next(std::chrono::milliseconds wait, std::stop_token stop) REQUIRES(gate_);
  // Takes what comes until the batch is full, nothing is left, or somebody wants the session. True = the batch is ready.
  Result<bool> fill(EventBatch& batch, std::chrono::milliseconds wait, std::stop_token stop) REQUIRES(gate_);
  void drop_session() REQUIRES(gate_);
  Status acknowledge(uint64_t tag, const std::stop_token& stop) REQUIRES(gate_);
  void watch_returns(const amqp::Delivery& message);
  void keep(std::stop_token stop);
  void sign_of_life(std::stop_token stop);
  void cancel_consumer(std::stop_token stop);
  Result<amqp::QueueState> look(std::stop_token stop) REQUIRES(health_mutex_);

  const QueueSourceOptions options_;
  const std::string name_;  // "rabbitmq queue 'events'"
  Clock& clock_;

  SessionGate gate_;
  std::shared_ptr<amqp::Session> session_ GUARDED_BY(gate_);
  std::optional<Error> broken_
      GUARDED_BY(gate_);                  // what another thread than the reader found; the reader reports it
  AckPoint read_ GUARDED_BY(gate_);       // the session's number, and the newest delivery handed out
  uint64_t acked_ GUARDED_BY(gate_) = 0;  // of this session
  // Taken by hand: for each message that this session has acknowledged so many may be out, the first without. 0 = a consumer
  // brings them.
  uint64_t per_ack_ GUARDED_BY(gate_) = 0;
  bool cancelled_ GUARDED_BY(gate_) = false;  // no more deliveries are wanted

  // The reader's own.
  cloudevents::Parser parser_;
  amqp::Delivery delivery_;
  Position position_;         // the end of the last batch
  int64_t returns_said_ = 0;  // the count that was warned of

  Mutex health_mutex_;
  std::unique_ptr<amqp::Session> health_session_ GUARDED_BY(health_mutex_);
  std::optional<int64_t> delivery_limit_ GUARDED_BY(health_mutex_);  // as that session found it

  Mutex keeper_mutex_;
  CondVar keeper_wakes_;
  bool cancel_wanted_ GUARDED_BY(keeper_mutex_) = false;
  std::atomic<bool> used_ = false;  // the session was used since the keeper looked
  std::jthread keeper_;             // last: it ends before what it uses
};

}  // namespace tidemark
