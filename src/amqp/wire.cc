#include "amqp/wire.h"

#include <algorithm>

namespace tidemark::amqp {
namespace {

// AMQP 0-9-1 specification, 2.3 and 4.2.
constexpr uint8_t kMethodFrame = 1, kHeaderFrame = 2, kBodyFrame = 3;
constexpr uint8_t kFrameEnd = 0xCE;
constexpr size_t kFrameOverhead = 8;
constexpr uint16_t kBasicClass = 60, kPublishMethod = 40;
constexpr uint8_t kMandatory = 1;
constexpr uint16_t kHasContentType = 1 << 15, kHasHeaders = 1 << 13, kHasDeliveryMode = 1 << 12,
                   kHasMessageId = 1 << 7;
constexpr uint8_t kPersistent = 2;
constexpr size_t kShortTextMax = 255;

template <class Number>
void put(std::string& out, Number number) {
  for (int shift = static_cast<int>(sizeof number) * 8 - 8; shift >= 0; shift -= 8)
    out.push_back(static_cast<char>(static_cast<uint64_t>(number) >> shift));
}

void put_short(std::string& out, std::string_view text) {
  put(out, static_cast<uint8_t>(text.size()));
  out.append(text);
}

// Writes `number` over the four bytes at `at`.
void patch(std::string& out, size_t at, size_t number) {
  for (int i = 0; i < 4; ++i) out[at + i] = static_cast<char>(number >> (24 - 8 * i));
}

// Returns where the frame's size is to be patched in.
size_t begin_frame(std::string& out, uint8_t type, uint16_t channel) {
  put(out, type);
  put(out, channel);
  put(out, uint32_t{0});
  return out.size();
}

void end_frame(std::string& out, size_t begin) {
  patch(out, begin - 4, out.size() - begin);
  put(out, kFrameEnd);
}

void put_headers(std::string& out, std::span<const HeaderView> headers) {
  put(out, uint32_t{0});
  const size_t begin = out.size();
  for (const HeaderView& header : headers) {
    put_short(out, header.name);
    if (const auto* number = std::get_if<int64_t>(&header.value)) {
      out.push_back('l');
      put(out, *number);
    } else {
      const std::string_view text = std::get<std::string_view>(header.value);
      out.push_back('S');
      put(out, static_cast<uint32_t>(text.size()));
      out.append(text);
    }
  }
  patch(out, begin - 4, out.size() - begin);
}

bool fits(const Message& message) {
  return message.exchange.size() <= kShortTextMax && message.routing_key.size() <= kShortTextMax &&
         message.content_type.size() <= kShortTextMax &&
         std::all_of(message.headers.begin(), message.headers.end(),
                     [](const HeaderView& header) { return header.name.size() <= kShortTextMax; });
}

}  // namespace

Status append_publish(std::string& out, uint16_t channel, const Message& message, size_t frame_max) {
  if (!fits(message))
    return fail(React::kReject, "an exchange, routing key or header name is longer than 255 bytes",
                "AMQP can't say it: choose a shorter one");
  const size_t before = out.size();
  size_t frame = begin_frame(out, kMethodFrame, channel);
  put(out, kBasicClass);
  put(out, kPublishMethod);
  put(out, uint16_t{0});
  put_short(out, message.exchange);
  put_short(out, message.routing_key);
  put(out, kMandatory);
  end_frame(out, frame);

  const bool has_id = !message.message_id.empty() && message.message_id.size() <= kShortTextMax;
  frame = begin_frame(out, kHeaderFrame, channel);
  put(out, kBasicClass);
  put(out, uint16_t{0});
  put(out, uint64_t{message.body.size()});
  put(out, static_cast<uint16_t>(kHasDeliveryMode | (message.content_type.empty() ? 0 : kHasContentType) |
                                 (message.headers.empty() ? 0 : kHasHeaders) | (has_id ? kHasMessageId : 0)));
  if (!message.content_type.empty()) put_short(out, message.content_type);
  if (!message.headers.empty()) put_headers(out, message.headers);
  put(out, kPersistent);
  if (has_id) put_short(out, message.message_id);
  if (out.size() - frame + kFrameOverhead > frame_max) {
    out.resize(before);
    return fail(React::kReject, "the message's headers are larger than a frame of AMQP",
                "they must stay below " + std::to_string(frame_max) + " bytes");
  }
  end_frame(out, frame);

  for (size_t at = 0; at < message.body.size();) {
    const size_t size = std::min(message.body.size() - at, frame_max - kFrameOverhead);
    frame = begin_frame(out, kBodyFrame, channel);
    out.append(message.body.substr(at, size));
    end_frame(out, frame);
    at += size;
  }
  return {};
}

}  // namespace tidemark::amqp
