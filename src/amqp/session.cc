#include "amqp/session.h"

#include <algorithm>
#include <deque>

#include <amqp.h>

#include "amqp/errors.h"
#include "amqp/inbox.h"
#include "amqp/link.h"
#include "amqp/wire.h"

namespace tidemark::amqp {
namespace {

using std::chrono::milliseconds;

constexpr uint16_t kChannel = 1;
// Questions that may be answered with a closed channel are asked on one of their own.
constexpr uint16_t kAskChannel = 2;
// Messages gather up to this before they are sent.
constexpr size_t kSendBytes = 64 << 10;
// Until RabbitMQ has a new queue on disk: Mnesia's log is written up to two seconds late, the names of quorum queues (Ra's
// directory) up to one.
constexpr milliseconds kNewQueuePause{2'500};

amqp_bytes_t bytes(std::string_view text) { return {text.size(), const_cast<char*>(text.data())}; }
std::string_view view(amqp_bytes_t bytes) { return {static_cast<const char*>(bytes.bytes), bytes.len}; }

amqp_table_entry_t text_entry(const char* key, const char* value) {
  amqp_table_entry_t entry = {};
  entry.key = amqp_cstring_bytes(key);
  entry.value.kind = AMQP_FIELD_KIND_UTF8;
  entry.value.value.bytes = amqp_cstring_bytes(value);
  return entry;
}

amqp_table_entry_t number_entry(const char* key, int64_t value) {
  amqp_table_entry_t entry = {};
  entry.key = amqp_cstring_bytes(key);
  entry.value.kind = AMQP_FIELD_KIND_I64;
  entry.value.value.i64 = value;
  return entry;
}

}  // namespace

struct Session::State {
  explicit State(std::unique_ptr<Link> opened) : link(std::move(opened)) {}

  std::unique_ptr<Link> link;
  Inbox inbox;
  std::deque<Delivery> ready;  // deliveries that came while something else was waited for
  bool ask_channel_open = false;
  bool cancelled_by_broker = false;
  uint64_t published = 0;
  std::string out;  // messages not sent yet

  amqp_connection_state_t raw() { return link->state(); }

  // Takes one frame; false when none came in time.
  Result<bool> step(milliseconds timeout, std::stop_token stop, Inbox::News& news) {
    amqp_frame_t frame;
    TIDEMARK_ASSIGN(const bool came, link->next_frame(frame, timeout, std::move(stop)));
    news = Inbox::News::kNothing;
    if (!came) return false;
    news = inbox.take(frame);
    if (news == Inbox::News::kCancelled) cancelled_by_broker = true;
    if (news == Inbox::News::kClosed) return fail(link->lose(link->closed_by_broker(frame)));
    link->release(frame.channel);
    return true;
  }

  // Takes what is there, without waiting.
  Status drain() {
    Inbox::News news;
    while (true) {
      TIDEMARK_ASSIGN(const bool came, step(milliseconds(0), {}, news));
      if (!came) return {};
      if (news == Inbox::News::kDelivery) ready.push_back(std::move(inbox.delivery()));
    }
  }

  // The reason that the broker gave for a closed connection, where it did: `error` is what a send saw of it.
  Error reason_for(Error error) {
    if (Status drained = drain(); !drained) return drained.error();
    return link->lose(std::move(error));
  }

  Status ask(const char* what, std::stop_token stop, const std::function<void()>& call) {
    if (!ask_channel_open) {
      TIDEMARK_TRY(link->call("channel.open", kAskChannel, false, stop,
                              [&] { amqp_channel_open(raw(), kAskChannel); }));
      ask_channel_open = true;
    }
    Status done = link->call(what, kAskChannel, true, stop, call);
    if (!done) ask_channel_open = false;
    return done;
  }

  Status send_all(std::stop_token stop);
  Status publish_tls(const Message& message, std::stop_token stop);
};

Session::Session(std::unique_ptr<State> state) : state_(std::move(state)) {}
Session::~Session() = default;

Result<std::unique_ptr<Session>> Session::open(const ConnectionOptions& options, Clock& clock,
                                               std::stop_token stop) {
  TIDEMARK_ASSIGN(auto link, Link::open(options, clock, stop));
  TIDEMARK_TRY(
      link->call("channel.open", kChannel, false, stop, [&] { amqp_channel_open(link->state(), kChannel); }));
  return std::unique_ptr<Session>(new Session(std::make_unique<State>(std::move(link))));
}

bool Session::lost() const { return state_->link->lost(); }
const std::string& Session::describe() const { return state_->link->describe(); }
const std::string& Session::blocked() const { return state_->inbox.blocked(); }
void Session::wake() { state_->link->wake(); }
uint64_t Session::published() const { return state_->published; }

void Session::close() { state_->link->say_goodbye(); }

// --- declaring

Status Session::declare_exchange(const std::string& name, const std::string& type, std::stop_token stop) {
  return state_->link->call("exchange.declare", kChannel, false, stop, [&] {
    amqp_exchange_declare(state_->raw(), kChannel, bytes(name), bytes(type), 0, 1, 0, 0, amqp_empty_table);
  });
}

Result<QueueState> Session::declare_queue(const QueueOptions& queue, std::stop_token stop) {
  bool created = false;
  if (auto there = queue_state(queue.name, stop); !there) {
    if (there.error().code != AMQP_NOT_FOUND) return there;
    created = true;
  }
  const bool quorum = queue.type == QueueType::kQuorum;
  std::vector<amqp_table_entry_t> entries = {text_entry("x-queue-type", quorum ? "quorum" : "classic")};
  if (queue.length_max > 0) {
    entries.push_back(number_entry("x-max-length", queue.length_max));
    entries.push_back(text_entry("x-overflow", "reject-publish"));
  }
  QueueState state;
  TIDEMARK_TRY(state_->link->call("queue.declare", kChannel, false, stop, [&] {
    const amqp_table_t arguments = {static_cast<int>(entries.size()), entries.data()};
    const auto* ok = amqp_queue_declare(state_->raw(), kChannel, bytes(queue.name), 0, 1, 0, 0, arguments);
    if (ok != nullptr) state = {ok->message_count, ok->consumer_count};
  }));
  state_->link->release(kChannel);
  Clock& clock = state_->link->clock();
  if (created && !clock.sleep_until(clock.now() + kNewQueuePause, stop)) return fail(state_->link->stopped());
  return state;
}

Status Session::bind(const std::string& queue, const std::string& exchange, const std::string& routing_key,
                     std::stop_token stop) {
  return state_->link->call("queue.bind", kChannel, false, stop, [&] {
    amqp_queue_bind(state_->raw(), kChannel, bytes(queue), bytes(exchange), bytes(routing_key),
                    amqp_empty_table);
  });
}

Result<QueueState> Session::queue_state(const std::string& queue, std::stop_token stop) {
  QueueState state;
  TIDEMARK_TRY(state_->ask("queue.declare", stop, [&] {
    const auto* ok =
        amqp_queue_declare(state_->raw(), kAskChannel, bytes(queue), 1, 0, 0, 0, amqp_empty_table);
    if (ok != nullptr) state = {ok->message_count, ok->consumer_count};
  }));
  state_->link->release(kAskChannel);
  return state;
}

Status Session::check_exchange(const std::string& name, std::stop_token stop) {
  return state_->ask("exchange.declare", stop, [&] {
    amqp_exchange_declare(state_->raw(), kAskChannel, bytes(name), bytes("direct"), 1, 0, 0, 0,
                          amqp_empty_table);
  });
}

// --- publishing

Status Session::select_confirms(std::stop_token stop) {
  state_->published = 0;
  return state_->link->call("confirm.select", kChannel, false, stop,
                            [&] { amqp_confirm_select(state_->raw(), kChannel); });
}

Status Session::publish(const Message& message, std::stop_token stop) {
  if (lost()) return fail(state_->link->fault());
  if (!state_->link->raw()) {
    TIDEMARK_TRY(state_->publish_tls(message, stop));
    ++state_->published;
    return {};
  }
  Status appended = append_publish(state_->out, kChannel, message, state_->link->frame_max());
  if (!appended)
    return fail(appended.error().react, describe() + ": " + appended.error().what, appended.error().hint);
  ++state_->published;
  return state_->out.size() < kSendBytes ? Status() : state_->send_all(std::move(stop));
}

Status Session::flush(std::stop_token stop) { return state_->send_all(std::move(stop)); }

// What the broker says meanwhile is read, or it would stop reading too.
Status Session::State::send_all(std::stop_token stop) {
  size_t at = 0;
  Mono last = link->clock().now();
  while (at < out.size()) {
    auto sent = link->send_some(std::string_view(out).substr(at));
    if (!sent) return fail(link->lost() ? sent.error() : reason_for(std::move(sent).error()));
    at += *sent;
    if (at == out.size()) break;
    TIDEMARK_TRY(drain());
    const Mono now = link->clock().now();
    if (*sent > 0) last = now;
    if (now - last > link->options().answer_timeout) {
      const std::string why = inbox.blocked().empty() ? "" : ": " + inbox.blocked();
      return fail(link->lose({React::kRetry, link->describe() + ": the broker takes no messages now" + why,
                              "look at the broker's alarms: it waits for memory or disk space"}));
    }
    // Half a frame may be out: the connection can say nothing else any more.
    if (Status waited = link->wait_writable(milliseconds(200), stop); !waited)
      return fail(link->lose(std::move(waited).error()));
  }
  out.clear();
  return {};
}

Status Session::State::publish_tls(const Message& message, std::stop_token stop) {
  std::vector<amqp_table_entry_t> entries;
  for (const HeaderView& header : message.headers) {
    amqp_table_entry_t entry = {};
    entry.key = bytes(header.name);
    if (const auto* number = std::get_if<int64_t>(&header.value)) {
      entry.value.kind = AMQP_FIELD_KIND_I64;
      entry.value.value.i64 = *number;
    } else {
      entry.value.kind = AMQP_FIELD_KIND_UTF8;
      entry.value.value.bytes = bytes(std::get<std::string_view>(header.value));
    }
    entries.push_back(entry);
  }
  amqp_basic_properties_t properties = {};
  properties._flags = AMQP_BASIC_DELIVERY_MODE_FLAG;
  properties.delivery_mode = AMQP_DELIVERY_PERSISTENT;
  if (!entries.empty()) {
    properties._flags |= AMQP_BASIC_HEADERS_FLAG;
    properties.headers = {static_cast<int>(entries.size()), entries.data()};
  }
  if (!message.content_type.empty()) {
    properties._flags |= AMQP_BASIC_CONTENT_TYPE_FLAG;
    properties.content_type = bytes(message.content_type);
  }
  if (!message.message_id.empty() && message.message_id.size() <= 255) {
    properties._flags |= AMQP_BASIC_MESSAGE_ID_FLAG;
    properties.message_id = bytes(message.message_id);
  }
  return link->send("publishing", std::move(stop), [&] {
    return amqp_basic_publish(raw(), kChannel, bytes(message.exchange), bytes(message.routing_key), 1, 0,
                              &properties, bytes(message.body));
  });
}

Result<bool> Session::next_verdict(Verdict& verdict, milliseconds timeout, std::stop_token stop) {
  auto& verdicts = state_->inbox.verdicts();
  Clock& clock = state_->link->clock();
  const Mono deadline = clock.now() + timeout;
  while (verdicts.empty()) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - clock.now());
    Inbox::News news;
    TIDEMARK_ASSIGN(const bool came, state_->step(std::max(left, milliseconds(0)), stop, news));
    if (news == Inbox::News::kDelivery) state_->ready.push_back(std::move(state_->inbox.delivery()));
    if (!came && clock.now() >= deadline) return false;
  }
  verdict = std::move(verdicts.front());
  verdicts.pop_front();
  return true;
}

// --- consuming

Status Session::consume(const std::string& queue, uint16_t prefetch, std::stop_token stop) {
  state_->cancelled_by_broker = false;
  TIDEMARK_TRY(state_->link->call("basic.qos", kChannel, false, stop,
                                  [&] { amqp_basic_qos(state_->raw(), kChannel, 0, prefetch, 0); }));
  return state_->link->call("basic.consume", kChannel, false, stop, [&] {
    amqp_basic_consume(state_->raw(), kChannel, bytes(queue), bytes("tidemark"), 0, 0, 0, amqp_empty_table);
  });
}

Result<bool> Session::next(Delivery& delivery, milliseconds timeout, std::stop_token stop) {
  if (!state_->ready.empty()) {
    std::swap(delivery, state_->ready.front());
    state_->ready.pop_front();
    return true;
  }
  Clock& clock = state_->link->clock();
  const Mono deadline = clock.now() + timeout;
  while (true) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - clock.now());
    Inbox::News news;
    TIDEMARK_ASSIGN(const bool came, state_->step(std::max(left, milliseconds(0)), stop, news));
    if (news == Inbox::News::kDelivery) {
      std::swap(delivery, state_->inbox.delivery());
      return true;
    }
    if (state_->cancelled_by_broker)
      return fail(state_->link->lose({React::kRetry, describe() + ": the broker cancelled the consumer",
                                      "its queue was deleted, or the node that has it went away"}));
    if (!came) return false;
  }
}

Status Session::cancel(std::stop_token stop) {
  return state_->link->call("basic.cancel", kChannel, false, stop,
                            [&] { amqp_basic_cancel(state_->raw(), kChannel, bytes("tidemark")); });
}

Result<bool> Session::get(const std::string& queue, Delivery& delivery, std::stop_token stop) {
  bool got = false;
  TIDEMARK_TRY(state_->link->call("basic.get", kChannel, false, stop, [&] {
    const amqp_rpc_reply_t reply = amqp_basic_get(state_->raw(), kChannel, bytes(queue), 0);
    if (reply.reply_type != AMQP_RESPONSE_NORMAL || reply.reply.id != AMQP_BASIC_GET_OK_METHOD) return;
    const auto* ok = static_cast<const amqp_basic_get_ok_t*>(reply.reply.decoded);
    state_->inbox.begin_get(ok->delivery_tag, ok->redelivered != 0, view(ok->exchange),
                            view(ok->routing_key));
    got = true;
  }));
  if (!got) {
    state_->link->release(kChannel);
    return false;
  }
  Clock& clock = state_->link->clock();
  const Mono deadline = clock.now() + state_->link->options().answer_timeout;
  Inbox::News news = Inbox::News::kNothing;
  while (news != Inbox::News::kDelivery) {
    TIDEMARK_ASSIGN(const bool came, state_->step(milliseconds(200), stop, news));
    if (!came && clock.now() > deadline)
      return fail(state_->link->lose(library_error(AMQP_STATUS_TIMEOUT, "basic.get", describe())));
  }
  std::swap(delivery, state_->inbox.delivery());
  return true;
}

Status Session::ack(uint64_t tag, bool multiple, std::stop_token stop) {
  return state_->link->send("basic.ack", std::move(stop),
                            [&] { return amqp_basic_ack(state_->raw(), kChannel, tag, multiple ? 1 : 0); });
}

Status Session::nack(uint64_t tag, bool multiple, bool requeue, std::stop_token stop) {
  return state_->link->send("basic.nack", std::move(stop), [&] {
    return amqp_basic_nack(state_->raw(), kChannel, tag, multiple ? 1 : 0, requeue ? 1 : 0);
  });
}

}  // namespace tidemark::amqp
