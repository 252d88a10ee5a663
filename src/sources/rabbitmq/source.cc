#include "config/fields.h"
#include "sources/rabbitmq/component.h"
#include "sources/rabbitmq/queue_source.h"

namespace tidemark {
namespace {

config::ComponentSpec make_spec() {
  using namespace config::fields;
  config::ComponentSpec spec;
  spec.kind = "source";
  spec.type = "rabbitmq";
  spec.summary =
      "A durable RabbitMQ queue of CloudEvents, one structured JSON event a message. A message is "
      "acknowledged once its event is durable at the sink; what isn't acknowledged when a connection ends is "
      "delivered again, so the sink must take an event twice without harm. The queue keeps the position: the "
      "pipeline has no [pipeline.position]. A message that is no CloudEvent is rejected, and goes where "
      "`on_reject` says.";
  spec.fields = amqp::connection_fields();
  spec.fields.push_back(required(text("queue", "The queue to consume."), "\"events\""));
  spec.fields.push_back(
      number("prefetch", "2000", 1, 65535,
             "Messages delivered and not yet acknowledged, at most. They are held in memory here and handed "
             "out again when this process dies, so more is faster and repeats more. From a quorum queue "
             "without a dead-letter exchange, which may drop what comes back too often, fewer are taken at "
             "first: as many as were acknowledged allow."));
  for (config::FieldSpec& field : amqp::declare_fields()) spec.fields.push_back(std::move(field));
  return spec;
}

Result<std::unique_ptr<Source>> make(const config::Settings& settings, const ComponentContext& context) {
  QueueSourceOptions options;
  TIDEMARK_ASSIGN(options.connection,
                  amqp::connection_options(settings, "rabbitmq source '" + context.pipeline + "'"));
  TIDEMARK_TRY(amqp::check_name(settings, "queue"));
  options.queue = settings.string("queue");
  if (options.queue.empty())
    return fail(
        settings.error("queue", "is empty", "name the queue that the sink of the other pipeline fills"));
  options.prefetch = static_cast<uint16_t>(settings.integer("prefetch"));
  options.declare = amqp::declare_options(settings);
  return std::make_unique<QueueSource>(std::move(options), *context.clock);
}

}  // namespace

const SourceComponent& rabbitmq_source_component() {
  static const SourceComponent component{.spec = make_spec(), .make = make};
  return component;
}

}  // namespace tidemark
