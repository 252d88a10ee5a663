// A message of a queue as an Event: one each, whatever the message holds. One thread at a time, as the parser.
#pragma once

#include "amqp/types.h"
#include "cloudevents/parser.h"
#include "core/event.h"
#include "env/clock.h"

namespace tidemark {

// Appends the message's event to `batch`. A body that isn't one CloudEvent in structured JSON (whatever its content
// type, a batch excepted) becomes a malformed event: it has the message's id, or "sha256:HEX" of the body.
Event& append_message_event(const amqp::Delivery& message, WallMs now, cloudevents::Parser& parser,
                            EventBatch& batch);

}  // namespace tidemark
