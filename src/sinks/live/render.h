// One event as the live page reads it. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>

#include "core/event.h"

namespace tidemark {

// Appends the members of one JSON object, braces included:
//   {"id", "op", "ns", "time_ms", "cluster_time": [seconds, increment], "sent_ms", "key", "doc", "truncated"}
// `key` and `doc` are relaxed Extended JSON, null where the event has none. Either of more than `document_bytes_max`,
// as BSON or as JSON, is left out: null, and `truncated` is true.
void render_feed_event(const Event& event, int64_t sent_ms, size_t document_bytes_max, std::string& out);

}  // namespace tidemark
