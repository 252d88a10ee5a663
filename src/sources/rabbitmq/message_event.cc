#include "sources/rabbitmq/message_event.h"

#include <algorithm>
#include <limits>
#include <string>

#include "base/digest.h"
#include "cloudevents/headers.h"
#include "cloudevents/rules.h"

namespace tidemark {
namespace {

cloudevents::Receipt receipt_of(const amqp::Delivery& message, WallMs now) {
  constexpr int64_t kYear10000 = 253402300800000;
  cloudevents::Receipt receipt;
  const auto received = message.number(cloudevents::kReceivedHeader);
  receipt.received_ms = received && *received > 0 && *received < kYear10000 ? *received : now;
  const int64_t tries = message.number(cloudevents::kRetryHeader).value_or(0);
  receipt.attempts =
      static_cast<uint16_t>(std::clamp<int64_t>(tries, 0, std::numeric_limits<uint16_t>::max()));
  return receipt;
}

std::string identity_of(const amqp::Delivery& message) {
  if (!message.message_id.empty() && cloudevents::is_utf8(message.message_id)) return message.message_id;
  return "sha256:" + to_hex(sha256(message.body));
}

}  // namespace

Event& append_message_event(const amqp::Delivery& message, WallMs now, cloudevents::Parser& parser,
                            EventBatch& batch) {
  const cloudevents::Receipt receipt = receipt_of(message, now);
  std::string reason;
  if (cloudevents::form_of(message.content_type, false) == cloudevents::Form::kBatch) {
    reason = "the message holds a batch of CloudEvents; a message must hold one";
  } else {
    const auto problems = parser.structured(message.body, receipt, batch);
    if (problems.empty()) {
      Event& event = batch.events().back();
      event.hidden = message.number(cloudevents::kHiddenHeader).value_or(0) != 0;
      return event;
    }
    reason = "the message is no CloudEvent: " + cloudevents::describe(problems);
  }
  Event& event = cloudevents::append_malformed(identity_of(message), message.body, message.content_type,
                                               reason, receipt, batch);
  event.hidden = message.number(cloudevents::kHiddenHeader).value_or(0) != 0;
  return event;
}

}  // namespace tidemark
