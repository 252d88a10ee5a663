#include "amqp/session.h"
#include "amqp/spec.h"
#include "config/fields.h"
#include "stats/rabbitmq/component.h"

namespace tidemark {
namespace {

class RabbitmqProbe final : public StatsProbe {
 public:
  RabbitmqProbe(amqp::ConnectionOptions options, std::string queue, Clock& clock)
      : options_(std::move(options)), queue_(std::move(queue)), clock_(clock) {}

  std::string describe() const override { return "rabbitmq queue " + queue_; }

  Result<StatsReport> look(std::stop_token stop) override {
    auto state = ask(stop);
    // A connection that broke since the last look says nothing about the broker now.
    if (!state && session_ && session_->lost()) {
      session_.reset();
      if (state.error().react == React::kRetry) state = ask(stop);
    }
    if (!state) return fail(std::move(state).error());
    StatsReport report;
    report.queue_depth = static_cast<int64_t>(state->messages);
    report.queue = queue_;
    return report;
  }

 private:
  Result<amqp::QueueState> ask(std::stop_token stop) {
    if (session_ == nullptr) {
      TIDEMARK_ASSIGN(session_, amqp::Session::open(options_, clock_, stop));
    }
    return session_->queue_state(queue_, stop);
  }

  const amqp::ConnectionOptions options_;
  const std::string queue_;
  Clock& clock_;
  std::unique_ptr<amqp::Session> session_;
};

config::ComponentSpec make_spec() {
  config::ComponentSpec spec;
  spec.kind = "stats";
  spec.type = "rabbitmq";
  spec.summary = "How many messages wait in a queue of RabbitMQ.";
  for (config::FieldSpec& each : amqp::connection_fields()) {
    if (each.name != "heartbeat") spec.fields.push_back(std::move(each));
  }
  spec.fields.push_back(config::fields::required(config::fields::text("queue", "The queue."), "\"events\""));
  return spec;
}

Result<std::unique_ptr<StatsProbe>> make(const config::Settings& settings, const ComponentContext& context) {
  TIDEMARK_ASSIGN(amqp::ConnectionOptions options, amqp::connection_options(settings, "rabbitmq stats"));
  options.heartbeat = std::chrono::seconds(0);  // nobody would send them between two looks
  TIDEMARK_TRY(amqp::check_name(settings, "queue"));
  if (settings.string("queue").empty())
    return fail(settings.error("queue", "the name is empty", "name the queue"));
  return std::make_unique<RabbitmqProbe>(std::move(options), settings.string("queue"), *context.clock);
}

}  // namespace

const StatsComponent& rabbitmq_stats_component() {
  static const StatsComponent component{.spec = make_spec(), .make = make};
  return component;
}

}  // namespace tidemark
