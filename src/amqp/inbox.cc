#include "amqp/inbox.h"

#include <algorithm>

#include <amqp.h>

namespace tidemark::amqp {
namespace {

// The size that a header claims is believed up to here; what really comes may be larger.
constexpr uint64_t kReserveMax = 16 << 20;

std::string_view view(amqp_bytes_t bytes) { return {static_cast<const char*>(bytes.bytes), bytes.len}; }

std::optional<HeaderValue> value_of(const amqp_field_value_t& value) {
  switch (value.kind) {
    case AMQP_FIELD_KIND_UTF8:
    case AMQP_FIELD_KIND_BYTES:
      return HeaderValue(std::string(view(value.value.bytes)));
    case AMQP_FIELD_KIND_BOOLEAN:
      return HeaderValue(value.value.boolean != 0);
    case AMQP_FIELD_KIND_I8:
      return HeaderValue(int64_t{value.value.i8});
    case AMQP_FIELD_KIND_U8:
      return HeaderValue(int64_t{value.value.u8});
    case AMQP_FIELD_KIND_I16:
      return HeaderValue(int64_t{value.value.i16});
    case AMQP_FIELD_KIND_U16:
      return HeaderValue(int64_t{value.value.u16});
    case AMQP_FIELD_KIND_I32:
      return HeaderValue(int64_t{value.value.i32});
    case AMQP_FIELD_KIND_U32:
      return HeaderValue(int64_t{value.value.u32});
    case AMQP_FIELD_KIND_I64:
      return HeaderValue(value.value.i64);
    case AMQP_FIELD_KIND_U64:
    case AMQP_FIELD_KIND_TIMESTAMP:
      return HeaderValue(static_cast<int64_t>(value.value.u64));
    case AMQP_FIELD_KIND_F32:
      return HeaderValue(double{value.value.f32});
    case AMQP_FIELD_KIND_F64:
      return HeaderValue(value.value.f64);
    default:
      return std::nullopt;
  }
}

void take_properties(const amqp_basic_properties_t& properties, Delivery& delivery) {
  const auto has = [&](amqp_flags_t flag) { return (properties._flags & flag) != 0; };
  if (has(AMQP_BASIC_CONTENT_TYPE_FLAG)) delivery.content_type = view(properties.content_type);
  if (has(AMQP_BASIC_MESSAGE_ID_FLAG)) delivery.message_id = view(properties.message_id);
  if (!has(AMQP_BASIC_HEADERS_FLAG)) return;
  for (int i = 0; i < properties.headers.num_entries; ++i) {
    const amqp_table_entry_t& entry = properties.headers.entries[i];
    if (auto value = value_of(entry.value))
      delivery.headers.push_back({std::string(view(entry.key)), std::move(*value)});
  }
}

Verdict verdict(Verdict::Kind kind, uint64_t number, amqp_boolean_t multiple) {
  Verdict made;
  made.kind = kind;
  made.number = number;
  made.multiple = multiple != 0;
  return made;
}

}  // namespace

void Inbox::begin(bool is_return) {
  awaited_ = Awaited::kHeader;
  is_return_ = is_return;
  if (is_return) return;
  delivery_.content_type.clear();
  delivery_.message_id.clear();
  delivery_.headers.clear();
  delivery_.body.clear();
}

void Inbox::begin_get(uint64_t tag, bool redelivered, std::string_view exchange,
                      std::string_view routing_key) {
  begin(false);
  delivery_.tag = tag;
  delivery_.redelivered = redelivered;
  delivery_.exchange = exchange;
  delivery_.routing_key = routing_key;
}

Inbox::News Inbox::take(const amqp_frame_t& frame) {
  if (frame.frame_type == AMQP_FRAME_METHOD) return take_method(frame);
  if (frame.frame_type == AMQP_FRAME_HEADER && awaited_ == Awaited::kHeader) return take_header(frame);
  if (frame.frame_type == AMQP_FRAME_BODY && awaited_ == Awaited::kBody) {
    const std::string_view bytes = view(frame.payload.body_fragment);
    body_seen_ += bytes.size();
    if (!is_return_) delivery_.body.append(bytes);
    if (body_seen_ >= body_size_) return finish();
  }
  return News::kNothing;
}

Inbox::News Inbox::take_method(const amqp_frame_t& frame) {
  const amqp_method_t& method = frame.payload.method;
  switch (method.id) {
    case AMQP_BASIC_ACK_METHOD: {
      const auto* ack = static_cast<const amqp_basic_ack_t*>(method.decoded);
      verdicts_.push_back(verdict(Verdict::Kind::kAck, ack->delivery_tag, ack->multiple));
      return News::kVerdict;
    }
    case AMQP_BASIC_NACK_METHOD: {
      const auto* nack = static_cast<const amqp_basic_nack_t*>(method.decoded);
      verdicts_.push_back(verdict(Verdict::Kind::kNack, nack->delivery_tag, nack->multiple));
      return News::kVerdict;
    }
    case AMQP_BASIC_RETURN_METHOD: {
      const auto* returned = static_cast<const amqp_basic_return_t*>(method.decoded);
      begin(true);
      return_ = verdict(Verdict::Kind::kReturn, 0, 0);
      return_.code = returned->reply_code;
      return_.text = view(returned->reply_text);
      return_.exchange = view(returned->exchange);
      return_.routing_key = view(returned->routing_key);
      return News::kNothing;
    }
    case AMQP_BASIC_DELIVER_METHOD: {
      const auto* deliver = static_cast<const amqp_basic_deliver_t*>(method.decoded);
      begin_get(deliver->delivery_tag, deliver->redelivered != 0, view(deliver->exchange),
                view(deliver->routing_key));
      return News::kNothing;
    }
    case AMQP_BASIC_CANCEL_METHOD:
      return News::kCancelled;
    case AMQP_CONNECTION_BLOCKED_METHOD: {
      blocked_ = view(static_cast<const amqp_connection_blocked_t*>(method.decoded)->reason);
      if (blocked_.empty()) blocked_ = "no reason given";
      return News::kNothing;
    }
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
      blocked_.clear();
      return News::kNothing;
    case AMQP_CHANNEL_CLOSE_METHOD:
    case AMQP_CONNECTION_CLOSE_METHOD:
      return News::kClosed;
    default:
      return News::kNothing;
  }
}

Inbox::News Inbox::take_header(const amqp_frame_t& frame) {
  const auto* properties = static_cast<const amqp_basic_properties_t*>(frame.payload.properties.decoded);
  body_size_ = frame.payload.properties.body_size;
  body_seen_ = 0;
  if (is_return_) {
    if ((properties->_flags & AMQP_BASIC_MESSAGE_ID_FLAG) != 0)
      return_.message_id = view(properties->message_id);
  } else {
    take_properties(*properties, delivery_);
    delivery_.body.reserve(std::min(body_size_, kReserveMax));
  }
  awaited_ = Awaited::kBody;
  return body_size_ == 0 ? finish() : News::kNothing;
}

Inbox::News Inbox::finish() {
  awaited_ = Awaited::kNothing;
  if (!is_return_) return News::kDelivery;
  verdicts_.push_back(std::move(return_));
  return News::kVerdict;
}

}  // namespace tidemark::amqp
