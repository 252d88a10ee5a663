#include "amqp/session.h"

#include <algorithm>

#include "amqp/errors.h"
#include "amqp/session_state.h"
#include "amqp/wire.h"

namespace tidemark::amqp {
namespace {

using std::chrono::milliseconds;

// Messages gather up to this before they are sent.
constexpr size_t kSendBytes = 64 << 10;

}  // namespace

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
