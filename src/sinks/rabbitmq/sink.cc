#include <limits>
#include <string>

#include "amqp/publisher.h"
#include "amqp/session.h"
#include "amqp/spec.h"
#include "cloudevents/render.h"
#include "config/fields.h"
#include "sinks/rabbitmq/component.h"
#include "sinks/rabbitmq/routing_key.h"

namespace tidemark {
namespace {

constexpr int kLanesMax = 64;
constexpr std::string_view kContentType = "application/cloudevents+json";
constexpr std::string_view kReceivedHeader = "x-received-ms";

struct Options {
  amqp::ConnectionOptions connection;
  amqp::DeclareOptions declare;
  std::string exchange;
  std::string exchange_type;
  RoutingKey routing_key;
  std::string binding;       // of the queue
  amqp::QueueOptions queue;  // no name: none is declared
  std::chrono::milliseconds confirm_timeout{};
};

// A full queue must be refused by the queue itself: the default exchange leads to any queue, whoever declared it.
Status check_queue(const config::Settings& settings, const Options& options) {
  if (options.queue.name.empty()) {
    if (options.queue.length_max > 0)
      return fail(
          settings.error("queue_max_length", "there is no queue that it could be of", "name the queue too"));
    return {};
  }
  if (!options.declare.declare && options.queue.length_max > 0)
    return fail(settings.error("queue_max_length", "with declare = false nothing is declared",
                               "leave it out, or let the queue be declared"));
  if (options.exchange.empty() && options.binding != options.queue.name)
    return fail(settings.error("routing_key",
                               "the default exchange leads to the queue named like the routing key",
                               "let routing_key be the queue's name"));
  if (options.routing_key.has_placeholders() && options.exchange_type == "direct")
    return fail(settings.error("exchange_type",
                               "a direct exchange can't lead keys with placeholders to one queue",
                               "set exchange_type = \"topic\""));
  return {};
}

Result<Options> options_of(const config::Settings& settings, const ComponentContext& context) {
  Options options;
  TIDEMARK_ASSIGN(options.connection,
                  amqp::connection_options(settings, "rabbitmq sink '" + context.pipeline + "'"));
  // A sink is silent while there is nothing to write, and nobody would send its heartbeats: TCP's keepalive finds a dead
  // connection, and confirm_timeout a silent broker.
  options.connection.heartbeat = std::chrono::seconds(0);
  options.declare = amqp::declare_options(settings);
  for (const char* field : {"exchange", "routing_key", "queue"})
    TIDEMARK_TRY(amqp::check_name(settings, field));
  options.exchange = settings.string("exchange");
  options.exchange_type = settings.string("exchange_type");
  auto key = RoutingKey::parse(settings.string("routing_key"));
  if (!key) return fail(settings.error("routing_key", key.error().what, key.error().hint));
  options.routing_key = std::move(*key);
  options.binding =
      options.exchange_type == "topic" ? options.routing_key.topic_pattern() : settings.string("routing_key");
  options.queue = {settings.string("queue"), options.declare.queue_type,
                   settings.integer("queue_max_length")};
  options.confirm_timeout = settings.duration("confirm_timeout");
  TIDEMARK_TRY(check_queue(settings, options));
  return options;
}

class RabbitmqSink final : public Sink {
 public:
  RabbitmqSink(Options options, const ComponentContext& context)
      : options_(std::move(options)), clock_(*context.clock) {}

  Status open(std::stop_token stop) override {
    drop();
    TIDEMARK_ASSIGN(session_, amqp::Session::open(options_.connection, clock_, stop));
    if (Status ready = prepare(stop); !ready) {
      drop();
      return ready;
    }
    publisher_.emplace(*session_, clock_);
    return {};
  }

  WriteResult write(std::span<const Event> events, std::stop_token stop) override {
    if (events.empty()) return {};
    if (stop.stop_requested())
      return write_failed({React::kCancelled, options_.connection.name + ": stopped"});
    if (session_ == nullptr || session_->lost())
      return write_failed(
          {React::kRetry, options_.connection.name + ": the connection was lost; open it again"});
    publisher_->begin();
    for (const Event& event : events) {
      // What stopped it, finish() tells.
      if (!publish(event, stop)) break;
    }
    amqp::PublishResult result = publisher_->finish(options_.confirm_timeout, stop);
    if (!result.error) return {};
    // Verdicts may be on their way still, and whoever opens the sink again starts afresh.
    if (result.error->react != React::kReject) drop();
    return write_failed(std::move(*result.error), result.confirmed_prefix, result.culprit);
  }

  void close() override {
    if (session_) session_->close();
    drop();
  }

 private:
  void drop() {
    publisher_.reset();
    session_.reset();
  }

  Status prepare(std::stop_token stop) {
    const bool named = !options_.exchange.empty();
    if (options_.declare.declare) {
      if (named) TIDEMARK_TRY(session_->declare_exchange(options_.exchange, options_.exchange_type, stop));
      if (!options_.queue.name.empty()) {
        TIDEMARK_TRY(session_->declare_queue(options_.queue, stop));
        if (named)
          TIDEMARK_TRY(session_->bind(options_.queue.name, options_.exchange, options_.binding, stop));
      }
    } else {
      if (named) TIDEMARK_TRY(session_->check_exchange(options_.exchange, stop));
      if (!options_.queue.name.empty()) TIDEMARK_TRY(session_->queue_state(options_.queue.name, stop));
    }
    return session_->select_confirms(stop);
  }

  Status publish(const Event& event, std::stop_token stop) {
    const amqp::HeaderView headers[] = {{kReceivedHeader, event.wall_time_ms}};
    amqp::Message message;
    message.exchange = options_.exchange;
    message.routing_key = options_.routing_key.of(event);
    message.content_type = kContentType;
    message.message_id = event.id;
    message.headers = headers;
    if (!event.edited && !event.payload.empty()) {
      message.body = event.payload;
    } else {
      body_.clear();
      cloudevents::render_message(event, body_);
      message.body = body_;
    }
    return publisher_->add(message, std::move(stop));
  }

  Options options_;
  Clock& clock_;
  std::unique_ptr<amqp::Session> session_;
  std::optional<amqp::Publisher> publisher_;
  std::string body_;
};

// What is absent is declared at the start, where that is allowed.
Status found_or_made(const Options& options, const std::string& what, const Status& there,
                     std::vector<std::string>& notes) {
  constexpr int kNotFound = 404;
  if (there) return {};
  if (there.error().code != kNotFound || !options.declare.declare) return there;
  notes.push_back(what + " isn't there yet: it is made at the first start");
  return {};
}

Result<std::vector<std::string>> preflight(const config::Settings& settings, const ComponentContext& context,
                                           std::stop_token stop) {
  TIDEMARK_ASSIGN(const Options options, options_of(settings, context));
  TIDEMARK_ASSIGN(const auto session, amqp::Session::open(options.connection, *context.clock, stop));
  std::vector<std::string> notes;
  const std::string& queue = options.queue.name;
  if (!options.exchange.empty()) {
    const Status there = session->check_exchange(options.exchange, stop);
    TIDEMARK_TRY(found_or_made(options, "exchange '" + options.exchange + "'", there, notes));
  }
  if (queue.empty()) return notes;
  const auto state = session->queue_state(queue, stop);
  TIDEMARK_TRY(found_or_made(options, "queue '" + queue + "'", state.map([](amqp::QueueState) {}), notes));
  if (!state) return notes;
  TIDEMARK_ASSIGN(const amqp::DeliveryLimit limit, session->delivery_limit(queue, stop));
  if (limit.limit && limit.drops)
    notes.push_back("queue '" + queue + "' drops a message that came back " + std::to_string(*limit.limit) +
                    " times (its delivery limit): lift it, or give the queue a dead-letter exchange");
  return notes;
}

config::ComponentSpec make_spec() {
  using namespace config::fields;
  config::ComponentSpec spec;
  spec.kind = "sink";
  spec.type = "rabbitmq";
  spec.summary =
      "Events as persistent messages in RabbitMQ (3.8 or newer): CloudEvents 1.0 in structured JSON, as they "
      "were received where nothing changed them; a change event becomes a CloudEvent of type tidemark.<op>. "
      "An event counts as delivered when the broker has confirmed its message, and a message that no queue "
      "takes is an error that is tried again, never a loss. At least once: the message_id is the event's, so "
      "that readers can tell repeats.";
  for (config::FieldSpec& each : amqp::connection_fields()) {
    if (each.name != "heartbeat") spec.fields.push_back(std::move(each));
  }
  for (config::FieldSpec& each : amqp::declare_fields()) spec.fields.push_back(std::move(each));
  spec.fields.insert(
      spec.fields.end(),
      {
          text("exchange", "tidemark",
               "The exchange that takes the messages. \"\" is the default exchange, which leads to the queue "
               "that is named like the routing key."),
          choice("exchange_type", {"direct", "topic", "fanout"}, "The type it is declared with."),
          text("routing_key", "events",
               "The routing key; {database}, {collection} and {op} stand for the event's own."),
          with_example(
              text("queue",
                   "A queue that is declared (durable) and bound to the exchange, so that messages have "
                   "somewhere to go before the first consumer comes. Without it, somebody else binds one."),
              "\"events\""),
          number("queue_max_length", "0", 0, std::numeric_limits<int64_t>::max(),
                 "The queue's length limit when it is declared: more messages are refused (overflow "
                 "reject-publish), and the pipeline waits. 0: none."),
          duration("confirm_timeout", "30s", 1, 3'600'000,
                   "How long the broker may take to confirm a batch."),
      });
  return spec;
}

Result<std::unique_ptr<Sink>> make(const config::Settings& settings, const ComponentContext& context) {
  TIDEMARK_ASSIGN(Options options, options_of(settings, context));
  return std::make_unique<RabbitmqSink>(std::move(options), context);
}

}  // namespace

const SinkComponent& rabbitmq_sink_component() {
  static const SinkComponent component{
      .spec = make_spec(), .plain = make, .preflight = preflight, .lanes_max = kLanesMax};
  return component;
}

}  // namespace tidemark
