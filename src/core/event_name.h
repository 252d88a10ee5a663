// How an event is called in messages: which document of which collection, so that an operator finds it. Stateless.
#pragma once

#include <string>
#include <string_view>

#include "core/event.h"

namespace tidemark {

// At most so much of an `_id` is shown.
inline constexpr size_t kShownIdBytesMax = 200;

// "insert of shop.orders, _id {"$numberInt":"1"}"; of an event without a document "drop of shop.orders"; empty where the
// event has no collection (a message of a queue). The `_id` is the event's own, so that what a transform hid stays hidden.
std::string name_of_document(const Event& event);

// What is said of an event that can't be delivered: where the pipeline stops at it, and as the reason of its dead letter. The
// core says so of every reject, so that all sinks' and transforms' name their document.
std::string undeliverable(const Event& event, std::string_view reason);
std::string reason_of_letter(const Event& event, std::string_view reason);

}  // namespace tidemark
