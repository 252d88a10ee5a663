#include "deadletters/rabbitmq/letter.h"

#include <algorithm>
#include <cstddef>
#include <span>

#include "base/digest.h"
#include "bson/document.h"
#include "bson/json.h"
#include "cloudevents/headers.h"
#include "cloudevents/parser.h"
#include "cloudevents/rules.h"

namespace tidemark {
namespace {

using namespace cloudevents;  // the names of headers

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kBytes = "application/octet-stream";
constexpr std::string_view kBson = "application/bson";
// The headers of a message travel in one frame, of 128 KiB by default.
constexpr size_t kReasonBytesMax = 4096;

std::string cut(std::string_view text, size_t size) {
  if (text.size() > size) {
    while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
    text = text.substr(0, size);
  }
  return std::string(text);
}

// When the event was received at the first door; 0 when nothing says so.
int64_t received_at(const DeadLetter& letter) {
  EventBatch memory;
  const auto event = event_of(letter, memory);
  if (!event) return 0;
  const auto wall = event->raw.find("wallTime");
  return wall && wall->type() == BSON_TYPE_DATE_TIME ? bson_iter_date_time(&wall->iter()) : 0;
}

// Whether the text alone brings the event back, byte for byte.
bool text_suffices(const DeadLetter& letter) {
  if (letter.bytes.empty()) return true;
  DeadLetter text = letter;
  text.bytes.clear();
  EventBatch memory;
  const auto event = event_of(text, memory);
  return event && std::ranges::equal(event->raw.bytes(), std::as_bytes(std::span(letter.bytes)),
                                     [](uint8_t a, std::byte b) { return a == static_cast<uint8_t>(b); });
}

std::string_view content_type_of(const DeadLetter& letter) {
  if (letter.payload.empty() && letter.message.empty()) return kJson;
  return letter.malformed ? kBytes : kStructuredType;
}

void add_text(OutgoingMessage& out, std::string_view name, const std::string& value) {
  if (!value.empty()) out.headers.push_back({name, std::string_view(value)});
}

// The header `name` of a letter's message, or "".
std::string text_of(const amqp::Delivery& message, std::string_view name) {
  const std::string* text = message.text(name);
  return text != nullptr && is_utf8(*text) ? *text : std::string();
}

// A body as JSON text, whatever it is.
std::string body_as_json(const amqp::Delivery& message) {
  if (message.content_type != kBytes && is_utf8(message.body) && message.body.starts_with('{'))
    return message.body;
  std::string json = "{\"body\":";
  if (is_utf8(message.body)) {
    bson::append_json_string(message.body, json);
  } else {
    json += "null,\"bytes\":" + std::to_string(message.body.size());
  }
  return json + "}";
}

}  // namespace

amqp::Message OutgoingMessage::view() const {
  amqp::Message message;
  message.routing_key = routing_key;
  message.content_type = content_type;
  message.message_id = message_id;
  message.headers = headers;
  message.body = body;
  return message;
}

void to_dead_letter(const DeadLetter& letter, const std::string& queue, const std::string& origin,
                    bool for_redelivery, OutgoingMessage& out) {
  const bool whole = for_redelivery && !letter.payload.empty();
  out.routing_key = queue;
  const bool as_text = whole || text_suffices(letter);
  out.content_type = whole ? content_type_of(letter) : as_text ? kJson : kBson;
  out.message_id = letter.id;
  out.body = whole ? letter.payload : as_text ? letter.event : letter.bytes;
  out.reason = cut(letter.reason, kReasonBytesMax);
  out.origin = letter.origin.empty() ? origin : letter.origin;
  out.event_id = letter.id;
  out.pipeline = letter.pipeline;
  add_text(out, kEventIdHeader, out.event_id);
  add_text(out, kPipelineHeader, out.pipeline);
  add_text(out, kReasonHeader, out.reason);
  add_text(out, kOriginHeader, out.origin);
  out.headers.push_back({kRejectedHeader, letter.at_ms});
  out.headers.push_back({kRetryHeader, int64_t{letter.attempts}});
  if (letter.malformed) out.headers.push_back({kMalformedHeader, int64_t{1}});
  if (letter.hidden) out.headers.push_back({kHiddenHeader, int64_t{1}});
  if (const int64_t received = received_at(letter); received > 0)
    out.headers.push_back({kReceivedHeader, received});
}

void to_retry(const DeadLetter& letter, const std::string& queue, OutgoingMessage& out) {
  out.routing_key = queue;
  out.content_type = content_type_of(letter);
  out.message_id = letter.id;
  // In clear, as it was there before: the transforms are yet to see it.
  out.body = !letter.message.empty()   ? letter.message
             : !letter.payload.empty() ? letter.payload
                                       : letter.event;
  out.reason = cut(letter.reason, kReasonBytesMax);
  out.headers.push_back({kRetryHeader, int64_t{letter.attempts}});
  if (letter.message_hidden) out.headers.push_back({kHiddenHeader, int64_t{1}});
  if (const int64_t received = received_at(letter); received > 0)
    out.headers.push_back({kReceivedHeader, received});
  add_text(out, kReasonHeader, out.reason);
}

void to_redelivery(const amqp::Delivery& dead, const std::string& queue, OutgoingMessage& out) {
  out.routing_key = queue;
  out.content_type = dead.content_type;
  out.message_id = dead.message_id;
  out.body = dead.body;
  out.headers.push_back({kRetryHeader, int64_t{0}});
  if (dead.number(kHiddenHeader).value_or(0) != 0) out.headers.push_back({kHiddenHeader, int64_t{1}});
  if (const auto received = dead.number(kReceivedHeader)) out.headers.push_back({kReceivedHeader, *received});
}

DeadLetter from_message(const amqp::Delivery& message) {
  DeadLetter letter;
  letter.id = text_of(message, kEventIdHeader);
  if (letter.id.empty() && is_utf8(message.message_id)) letter.id = message.message_id;
  if (letter.id.empty()) letter.id = "sha256:" + to_hex(sha256(message.body));
  letter.pipeline = text_of(message, kPipelineHeader);
  letter.reason = text_of(message, kReasonHeader);
  letter.origin = text_of(message, kOriginHeader);
  letter.hidden = message.number(kHiddenHeader).value_or(0) != 0;
  if (message.content_type == kBson) {
    letter.bytes = message.body;
    EventBatch memory;
    if (const auto event = event_of(letter, memory)) letter.event = bson::to_json(event->raw);
  } else {
    letter.event = body_as_json(message);
    letter.payload = message.body;
  }
  letter.at_ms = message.number(kRejectedHeader).value_or(0);
  letter.attempts =
      static_cast<int>(std::clamp<int64_t>(message.number(kRetryHeader).value_or(1), 0, 1'000'000));
  letter.malformed = message.number(kMalformedHeader).value_or(0) != 0;
  return letter;
}

}  // namespace tidemark
