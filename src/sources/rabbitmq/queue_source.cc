#include "sources/rabbitmq/queue_source.h"

#include <algorithm>

#include "base/digest.h"
#include "base/log.h"
#include "sources/rabbitmq/message_event.h"

namespace tidemark {
namespace {

using std::chrono::milliseconds;

constexpr int kNotFound = 404;
constexpr int64_t kUsualLimit = 20;       // of a policy, which nobody here can see
constexpr milliseconds kEmptyPause{250};  // between two looks into an empty queue

tl::unexpected<Error> cancelled(const std::string& name) {
  return fail(React::kCancelled, name + ": stopped");
}

}  // namespace

QueueSource::QueueSource(QueueSourceOptions options, Clock& clock)
    : options_(std::move(options)),
      name_("rabbitmq queue '" + options_.queue + "'"),
      clock_(clock),
      keeper_([this](std::stop_token stop) { keep(std::move(stop)); }) {}

QueueSource::~QueueSource() { close(); }

SourceIdentity QueueSource::identity() const {
  SourceIdentity identity;
  identity.fingerprint =
      to_hex(sha256("rabbitmq\n" + options_.connection.endpoint.vhost + "\n" + options_.queue));
  identity.summary = name_;
  return identity;
}

// --- reading

Result<QueueSource::Connected> QueueSource::connect(std::stop_token stop) const {
  Connected connected;
  TIDEMARK_ASSIGN(connected.session, amqp::Session::open(options_.connection, clock_, stop));
  amqp::Session& session = *connected.session;
  TIDEMARK_TRY(find_queue(session, stop));
  TIDEMARK_ASSIGN(const amqp::DeliveryLimit limit, session.delivery_limit(options_.queue, stop));
  if (limit.counts && limit.drops)
    connected.per_ack = static_cast<uint64_t>(std::max<int64_t>(1, limit.limit.value_or(kUsualLimit) / 2));
  else
    TIDEMARK_TRY(session.consume(options_.queue, options_.prefetch, stop));
  return connected;
}

Result<amqp::QueueState> QueueSource::find_queue(amqp::Session& session, std::stop_token stop) const {
  auto state = session.queue_state(options_.queue, stop);
  if (state || state.error().code != kNotFound || session.lost() || !options_.declare.declare) return state;
  return session.declare_queue({options_.queue, options_.declare.queue_type}, stop);
}

Result<Position> QueueSource::open(const Position& from, std::stop_token stop) {
  TIDEMARK_TRY(ack_point(from));
  {
    const ReaderTurn turn(gate_);
    drop_session();
  }
  TIDEMARK_ASSIGN(Connected connected, connect(stop));
  const ReaderTurn turn(gate_);
  session_ = std::move(connected.session);
  per_ack_ = connected.per_ack;
  gate_.set_callback([session = session_] { session->wake(); });
  read_ = {read_.session + 1, 0};
  acked_ = 0;
  cancelled_ = false;
  used_ = true;
  // A mark is moved by deliveries alone, not by the number of the session: an open that yields nothing must not look
  // like progress.
  position_ = from.empty() ? position_of(read_) : from;
  return position_;
}

void QueueSource::drop_session() {
  gate_.set_callback(nullptr);
  // With a goodbye, the last acknowledgements arrive; without, the broker finds out by itself.
  if (session_ && !session_->lost()) session_->close();
  session_.reset();
  broken_.reset();
}

Result<SourceBatch> QueueSource::read(milliseconds wait, std::stop_token stop) {
  const Mono deadline = clock_.now() + wait;
  auto batch = std::make_shared<EventBatch>();
  while (true) {
    if (stop.stop_requested()) return cancelled(name_);
    const ReaderTurn turn(gate_);
    if (!session_) return fail(React::kRetry, name_ + ": it isn't open");
    if (broken_) return fail(*std::exchange(broken_, std::nullopt));
    used_ = true;
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - clock_.now());
    TIDEMARK_ASSIGN(const bool ready, fill(*batch, std::max(left, milliseconds(0)), stop));
    if (!ready && left > milliseconds(0)) continue;
    if (!batch->events().empty()) position_ = position_of(read_);
    return SourceBatch{std::move(batch), position_, false};
  }
}

Result<bool> QueueSource::fill(EventBatch& batch, milliseconds wait, std::stop_token stop) {
  size_t bytes = 0;
  while (batch.events().size() < options_.batch_events_max && bytes < options_.batch_bytes_max) {
    TIDEMARK_ASSIGN(const bool came, next(batch.events().empty() ? wait : milliseconds(0), stop));
    if (!came) break;
    bytes += append_message_event(delivery_, clock_.wall_ms(), parser_, batch).size_bytes();
    read_.tag = delivery_.tag;
    watch_returns(delivery_);
    if (gate_.wanted()) break;
  }
  return !batch.events().empty();
}

Result<bool> QueueSource::next(milliseconds wait, std::stop_token stop) {
  if (per_ack_ == 0) return session_->next(delivery_, wait, std::move(stop));
  const uint64_t out_max = std::clamp<uint64_t>(acked_ * per_ack_, 1, options_.prefetch);
  const bool full = cancelled_ || read_.tag - acked_ >= out_max;
  if (!full) {
    TIDEMARK_ASSIGN(const bool came, session_->get(options_.queue, delivery_, stop));
    if (came) return true;
  }
  // Nothing is brought; an acknowledgement ends the wait. An empty queue is looked into again.
  return session_->next(delivery_, full ? wait : std::min(wait, kEmptyPause), std::move(stop));
}

// --- acknowledging

Result<std::optional<StoredPosition>> QueueSource::acquire(const PositionContext& context, std::stop_token) {
  StoredPosition stored;
  stored.saved_at_ms = clock_.wall_ms();
  stored.fingerprint = context.fingerprint;
  stored.deployment = context.deployment;
  return stored;
}

Status QueueSource::save(const DurablePosition& position, std::stop_token stop) {
  TIDEMARK_ASSIGN(const AckPoint point, ack_point(position.get()));
  const UrgentTurn turn(gate_);
  // Tag 0 stands for nothing here, and for "everything" in AMQP; a tag acknowledged twice closes the channel.
  if (!session_ || broken_ || point.session != read_.session || point.tag <= acked_) return {};
  used_ = true;
  if (Status sent = acknowledge(point.tag, stop); !sent) {
    if (sent.error().react == React::kCancelled) return sent;
    log::debug("{}: an acknowledgement found the session dead: {}", name_, sent.error().what);
    broken_ = std::move(sent).error();
  }
  return {};
}

Status QueueSource::acknowledge(uint64_t tag, const std::stop_token& stop) {
  TIDEMARK_TRY(session_->ack(tag, true, stop));
  acked_ = tag;
  if (per_ack_ == 0 || cancelled_ || acked_ * per_ack_ < options_.prefetch) return {};
  per_ack_ = 0;
  return session_->consume(options_.queue, options_.prefetch, stop);
}

void QueueSource::watch_returns(const amqp::Delivery& message) {
  constexpr int64_t kManyReturns = 10;
  const int64_t returns = message.number("x-delivery-count").value_or(0);
  if (returns < kManyReturns || returns <= returns_said_) return;
  returns_said_ = returns;
  log::warn(
      "{}: a message came back {} times already; where the queue has a delivery limit (RabbitMQ 4 has 20 by "
      "default, a "
      "policy may set one), the broker drops it after that many: why do consumers take messages and end?",
      name_, returns);
}

Result<std::optional<StoredPosition>> QueueSource::peek(const std::string&, std::stop_token) {
  return std::nullopt;
}

std::string QueueSource::describe() const { return name_ + " keeps what isn't acknowledged"; }

Result<Position> QueueSource::resolve(const StartPoint&, std::stop_token) {
  return fail(React::kConfig, name_ + " keeps its own position: what isn't acknowledged is delivered",
              "there is nothing to choose; run the pipeline");
}

// --- health

Result<amqp::QueueState> QueueSource::look(std::stop_token stop) {
  if (!health_session_ || health_session_->lost()) {
    TIDEMARK_ASSIGN(health_session_, amqp::Session::open(options_.connection, clock_, stop));
    delivery_limit_.reset();
    TIDEMARK_TRY(find_queue(*health_session_, stop));
    // Once a session: the broker logs each such question.
    TIDEMARK_ASSIGN(const amqp::DeliveryLimit limit, health_session_->delivery_limit(options_.queue, stop));
    if (limit.drops) delivery_limit_ = limit.limit;
  }
  auto state = find_queue(*health_session_, stop);
  if (!state) health_session_.reset();
  return state;
}

Result<SourceHealth> QueueSource::health(std::stop_token stop) {
  MutexLock lock(health_mutex_);
  const bool kept = health_session_ != nullptr;
  auto state = look(stop);
  // A session kept from the last time may have died of silence.
  if (!state && kept && state.error().react == React::kRetry && state.error().code != kNotFound)
    state = look(stop);
  if (!state) return fail(std::move(state).error());
  const amqp::Endpoint& endpoint = options_.connection.endpoint;
  SourceHealth health;
  health.deployment = "rabbitmq:" + endpoint.host + ":" + std::to_string(endpoint.port) + "/" +
                      endpoint.vhost + "/" + options_.queue;
  health.server = "RabbitMQ";
  health.backlog = state->messages;
  health.delivery_limit = delivery_limit_;
  return health;
}

// --- the keeper

void QueueSource::keep(std::stop_token stop) {
  const std::chrono::seconds heartbeat = options_.connection.heartbeat;
  // Thrice within a heartbeat; without heartbeats nobody minds silence.
  const milliseconds pause =
      heartbeat.count() > 0 ? milliseconds(heartbeat) / 3 : milliseconds(std::chrono::hours(1));
  while (!stop.stop_requested()) {
    bool cancel = false;
    {
      MutexLock lock(keeper_mutex_);
      keeper_wakes_.wait_for(keeper_mutex_, stop, pause,
                             [this]() REQUIRES(keeper_mutex_) { return cancel_wanted_; });
      cancel = std::exchange(cancel_wanted_, false);
    }
    if (stop.stop_requested()) return;
    if (cancel) cancel_consumer(stop);
    if (heartbeat.count() > 0 && !used_.exchange(false)) sign_of_life(stop);
  }
}

void QueueSource::sign_of_life(std::stop_token stop) {
  const UrgentTurn turn(gate_);
  if (!session_ || broken_) return;
  // A question is the one thing to send that changes nothing; the answer shows that the broker lives, too. What is
  // delivered meanwhile waits within the session, bounded by the prefetch.
  auto state = session_->queue_state(options_.queue, stop);
  if (!state && session_->lost() && state.error().react != React::kCancelled)
    broken_ = std::move(state).error();
}

void QueueSource::cancel_consumer(std::stop_token stop) {
  const UrgentTurn turn(gate_);
  cancelled_ = true;
  if (!session_ || broken_ || session_->lost() || per_ack_ > 0) return;
  if (Status sent = session_->cancel(stop); !sent && sent.error().react != React::kCancelled)
    broken_ = std::move(sent).error();
}

void QueueSource::stop_delivery() {
  MutexLock lock(keeper_mutex_);
  cancel_wanted_ = true;
  keeper_wakes_.notify_all();
}

void QueueSource::close() {
  keeper_.request_stop();
  if (keeper_.joinable()) keeper_.join();
  {
    const UrgentTurn turn(gate_);
    drop_session();
  }
  MutexLock lock(health_mutex_);
  health_session_.reset();
}

}  // namespace tidemark
