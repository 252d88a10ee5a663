// A dead letter as a message, and back. Pure functions; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "amqp/types.h"
#include "core/dead_letters.h"

namespace tidemark {

// A message with everything it points to.
struct OutgoingMessage {
  std::string routing_key;
  std::string content_type;
  std::string message_id;
  std::string body;
  std::string reason, origin, event_id, pipeline;  // header values
  std::vector<amqp::HeaderView> headers;

  OutgoingMessage() = default;
  OutgoingMessage(const OutgoingMessage&) = delete;  // `headers` points into it
  OutgoingMessage& operator=(const OutgoingMessage&) = delete;

  // To the default exchange.
  amqp::Message view() const;
};

// The letter for the dead-letter queue `queue`. The body is the message as it came, so that it can go back before the
// source (`for_redelivery`), or the whole change event in Extended JSON.
void to_dead_letter(const DeadLetter& letter, const std::string& queue, const std::string& origin,
                    bool for_redelivery, OutgoingMessage& out);
// The letter's message once more for `queue`, with the tries that it has behind it.
void to_retry(const DeadLetter& letter, const std::string& queue, OutgoingMessage& out);
// A dead letter's message once more for `queue`, with no tries counted.
void to_redelivery(const amqp::Delivery& dead, const std::string& queue, OutgoingMessage& out);

// Also of messages that nobody here wrote: they have an id (the message's, or "sha256:HEX" of the body), and `pipeline`
// is empty.
DeadLetter from_message(const amqp::Delivery& message);

}  // namespace tidemark
