#include <functional>

#include "amqp/publisher.h"
#include "amqp/session.h"
#include "amqp/spec.h"
#include "config/fields.h"
#include "deadletters/rabbitmq/component.h"
#include "deadletters/rabbitmq/letter.h"

namespace tidemark {
namespace {

constexpr std::chrono::milliseconds kConfirmTimeout{20'000};
constexpr int kNotFound = 404;

struct Options {
  amqp::ConnectionOptions connection;
  amqp::DeclareOptions declare;
  std::string queue;
  std::string retry_queue;  // empty: no retries
  int attempts_max = 3;
  size_t scan_max = 10'000;
};

class RabbitDeadLetters final : public DeadLetterStore {
 public:
  RabbitDeadLetters(Options options, Clock& clock)
      : options_(std::move(options)), name_("dead-letter queue '" + options_.queue + "'"), clock_(clock) {}
  ~RabbitDeadLetters() override {
    if (session_ && !session_->lost()) session_->close();
  }

  Status open(std::stop_token stop) override {
    drop();
    TIDEMARK_ASSIGN(session_, amqp::Session::open(options_.connection, clock_, stop));
    return settle(prepare(stop));
  }

  Result<LetterFate> put(const DeadLetter& letter, std::stop_token stop) override {
    TIDEMARK_TRY(ensure(stop));
    if (!redelivers() || letter.malformed || letter.attempts >= options_.attempts_max)
      return keep(letter, stop);
    OutgoingMessage message;
    to_retry(letter, options_.retry_queue, message);
    Status sent = publish(message, stop);
    if (sent) return LetterFate::kRetried;
    if (session_->lost() || sent.error().react == React::kCancelled)
      return fail(settle(std::move(sent)).error());
    // The queue is full or gone. Waiting for room in it could be for ever: what would make room is the pipeline that
    // waits for this letter.
    DeadLetter instead = letter;
    instead.reason += "; and another try was refused: " + sent.error().what;
    return keep(instead, stop);
  }

  Result<std::vector<DeadLetter>> list(const std::string& pipeline, const std::string& after,
                                       size_t limit) override {
    std::vector<DeadLetter> letters;
    bool past = after.empty();
    const auto look = [&](const amqp::Delivery& message) -> Result<Next> {
      if (letters.size() >= limit) return Next::kStop;
      DeadLetter letter = from_message(message);
      if (!belongs(letter, pipeline)) return Next::kGoOn;
      if (past)
        letters.push_back(std::move(letter));
      else
        past = letter.id == after;
      return letters.size() < limit ? Next::kGoOn : Next::kStop;
    };
    if (limit > 0) TIDEMARK_TRY(scan(look, {}));
    return letters;
  }

  Result<std::optional<DeadLetter>> find(const std::string& pipeline, const std::string& id) override {
    std::optional<DeadLetter> found;
    TIDEMARK_TRY(scan(
        [&](const amqp::Delivery& message) -> Result<Next> {
          DeadLetter letter = from_message(message);
          if (letter.id != id || !belongs(letter, pipeline)) return Next::kGoOn;
          found = std::move(letter);
          return Next::kStop;
        },
        {}));
    return found;
  }

  Result<uint64_t> count(const std::string&) override {
    TIDEMARK_TRY(ensure({}));
    auto state = session_->queue_state(options_.queue, {});
    if (!state) {
      TIDEMARK_TRY(settle(fail(std::move(state).error())));
    }
    return state->messages;
  }

  Status remove(const std::string& pipeline, const std::string& id) override {
    return take_out(pipeline, id, [](const amqp::Delivery&) { return Status(); }, {}).map([](bool) {});
  }

  bool redelivers() const override { return !options_.retry_queue.empty(); }

  Status redeliver(const std::string& pipeline, const std::string& id, std::stop_token stop) override {
    if (!redelivers()) return DeadLetterStore::redeliver(pipeline, id, stop);
    // Back first, and confirmed, then out: in between it may be there twice, never nowhere.
    const auto put_back = [&](const amqp::Delivery& dead) {
      OutgoingMessage message;
      to_redelivery(dead, options_.retry_queue, message);
      return publish(message, stop);
    };
    TIDEMARK_ASSIGN(const bool done, take_out(pipeline, id, put_back, stop));
    if (!done)
      return fail(React::kReject, name_ + ": there is no letter '" + id + "'",
                  "it was retried or discarded meanwhile, or lies behind the first " +
                      std::to_string(options_.scan_max) + " letters (scan_max)");
    return {};
  }

 private:
  enum class Next {
    kGoOn,
    kStop,
    kTakeOut,  // the message leaves the queue, and the scan ends
  };

  std::string origin() const { return redelivers() ? "queue " + options_.retry_queue : std::string(); }

  // What somebody else put into the queue belongs to whoever asks.
  static bool belongs(const DeadLetter& letter, const std::string& pipeline) {
    return letter.pipeline.empty() || pipeline.empty() || letter.pipeline == pipeline;
  }

  Status prepare(std::stop_token stop) {
    TIDEMARK_TRY(session_->select_confirms(stop));
    publisher_ = std::make_unique<amqp::Publisher>(*session_, clock_);
    // One that is there is taken as it is: whoever made it may have given it limits.
    auto state = session_->queue_state(options_.queue, stop);
    if (!state && state.error().code == kNotFound && options_.declare.declare && !session_->lost())
      state = session_->declare_queue({options_.queue, options_.declare.queue_type}, stop);
    return state.map([](amqp::QueueState) {});
  }

  Result<LetterFate> keep(const DeadLetter& letter, std::stop_token stop) {
    OutgoingMessage message;
    to_dead_letter(letter, options_.queue, origin(), redelivers(), message);
    TIDEMARK_TRY(settle(publish(message, stop)));
    return LetterFate::kKept;
  }

  Status ensure(std::stop_token stop) {
    if (session_ && !session_->lost()) return {};
    return open(stop);
  }

  void drop() {
    publisher_.reset();
    session_.reset();
  }

  // After an error nothing is known of what is still on its way: the next call begins with a new session, and what was
  // taken from the queue for a look goes back to it.
  Status settle(Status status) {
    if (!status) drop();
    return status;
  }

  Status publish(const OutgoingMessage& message, std::stop_token stop) {
    const amqp::Message view = message.view();
    amqp::PublishResult result = publisher_->publish({&view, 1}, kConfirmTimeout, stop);
    if (result.error) return fail(std::move(*result.error));
    return {};
  }

  // Looks at the messages from the queue's head on, at most scan_max, and gives them back in their places. AMQP has no
  // way to look without taking.
  Status scan(const std::function<Result<Next>(const amqp::Delivery&)>& look, std::stop_token stop) {
    // A session kept from the last time may have died of silence.
    const bool kept = session_ != nullptr;
    TIDEMARK_TRY(ensure(stop));
    Status scanned = scan_once(look, stop);
    if (!scanned && kept && untouched_ && scanned.error().react == React::kRetry) {
      TIDEMARK_TRY(ensure(stop));
      scanned = scan_once(look, stop);
    }
    return scanned;
  }

  Status scan_once(const std::function<Result<Next>(const amqp::Delivery&)>& look, std::stop_token stop) {
    untouched_ = true;
    return settle(scan_queue(look, stop));
  }

  Status scan_queue(const std::function<Result<Next>(const amqp::Delivery&)>& look, std::stop_token stop) {
    uint64_t held = 0;  // the newest message taken and not yet given back
    for (size_t i = 0; i < options_.scan_max; ++i) {
      TIDEMARK_ASSIGN(const bool got, session_->get(options_.queue, delivery_, stop));
      if (!got) break;
      untouched_ = false;
      TIDEMARK_ASSIGN(const Next next, look(delivery_));
      if (next == Next::kTakeOut) {
        TIDEMARK_TRY(session_->ack(delivery_.tag, false, stop));
        break;
      }
      held = delivery_.tag;
      if (next == Next::kStop) break;
    }
    if (held > 0) TIDEMARK_TRY(session_->nack(held, true, true, stop));
    // To be asked to cancel a consumer that there isn't changes nothing, and the answer comes after what was sent before.
    return session_->cancel(stop);
  }

  // Hands the letter to `first`, then takes it out of the queue. False = it isn't there.
  Result<bool> take_out(const std::string& pipeline, const std::string& id,
                        const std::function<Status(const amqp::Delivery&)>& first, std::stop_token stop) {
    bool taken = false;
    TIDEMARK_TRY(scan(
        [&](const amqp::Delivery& message) -> Result<Next> {
          const DeadLetter letter = from_message(message);
          if (letter.id != id || !belongs(letter, pipeline)) return Next::kGoOn;
          TIDEMARK_TRY(first(message));
          taken = true;
          return Next::kTakeOut;
        },
        stop));
    return taken;
  }

  const Options options_;
  const std::string name_;
  Clock& clock_;
  std::unique_ptr<amqp::Session> session_;
  std::unique_ptr<amqp::Publisher> publisher_;
  amqp::Delivery delivery_;
  bool untouched_ = true;  // the scan has taken no message yet
};

config::ComponentSpec make_spec() {
  using namespace config::fields;
  config::ComponentSpec spec;
  spec.kind = "dead_letters";
  spec.type = "rabbitmq";
  spec.summary =
      "Dead letters in a durable RabbitMQ queue, after `attempts_max` tries: until then a rejected event "
      "goes back to `retry_queue` with the number of its tries in the header x-retry-count. A message that "
      "can't even be read goes to the dead letters at once. Reason, origin and time stand in the headers "
      "x-reason, x-origin and x-rejected-at, the body is the message as it came. A crash between the letter "
      "and the acknowledgement of its message can leave the letter twice.";
  spec.fields = amqp::connection_fields();
  spec.fields.push_back(required(text("queue", "The dead-letter queue."), "\"events.dead\""));
  spec.fields.push_back(with_example(
      text("retry_queue",
           "The queue that the pipeline's source consumes: rejected events go back there until "
           "`attempts_max`, and letters that are retried by hand. Without it an event is a dead letter at "
           "its first rejection, kept as a change event, and a retry writes it to the pipeline's sink."),
      "\"events\""));
  spec.fields.push_back(number("attempts_max", "3", 1, 1000, "Tries of an event, the first included."));
  spec.fields.push_back(
      number("scan_max", "10000", 1, 1'000'000,
             "Letters that a listing or a search looks at, from the queue's head on. AMQP has no way to look "
             "without taking, so others don't see these letters meanwhile."));
  for (config::FieldSpec& field : amqp::declare_fields()) {
    if (field.name == "queue_type") {
      field.default_text = "classic";
      field.doc +=
          " A quorum queue counts how often a message was looked at, and brokers since 4.0 drop it after "
          "twenty looks unless a policy says otherwise.";
    }
    spec.fields.push_back(std::move(field));
  }
  return spec;
}

Result<std::unique_ptr<DeadLetterStore>> make(const config::Settings& settings,
                                              const ComponentContext& context) {
  Options options;
  TIDEMARK_ASSIGN(options.connection,
                  amqp::connection_options(settings, "rabbitmq dead letters '" + context.pipeline + "'"));
  TIDEMARK_TRY(amqp::check_name(settings, "queue"));
  TIDEMARK_TRY(amqp::check_name(settings, "retry_queue"));
  options.declare = amqp::declare_options(settings);
  options.queue = settings.string("queue");
  options.retry_queue = settings.string("retry_queue");
  if (options.queue.empty())
    return fail(settings.error("queue", "is empty", "name a queue for the dead letters"));
  if (options.queue == options.retry_queue)
    return fail(settings.error("retry_queue", "is the dead-letter queue itself",
                               "name the queue that the pipeline's source consumes"));
  options.attempts_max = static_cast<int>(settings.integer("attempts_max"));
  options.scan_max = static_cast<size_t>(settings.integer("scan_max"));
  return std::make_unique<RabbitDeadLetters>(std::move(options), *context.clock);
}

}  // namespace

const DeadLettersComponent& rabbitmq_dead_letters_component() {
  static const DeadLettersComponent component{.spec = make_spec(), .make = make};
  return component;
}

}  // namespace tidemark
