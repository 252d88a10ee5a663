// The message headers that carry an event's history through a broker, by name: sinks write them, sources and dead
// letters read them.
#pragma once

#include <string_view>

namespace tidemark::cloudevents {

inline constexpr std::string_view kReceivedHeader = "x-received-ms";  // civil time at the first door, integer
inline constexpr std::string_view kRetryHeader = "x-retry-count";     // tries so far, integer; absent = 0

// Of a dead letter.
inline constexpr std::string_view kReasonHeader = "x-reason";         // why the last try failed
inline constexpr std::string_view kOriginHeader = "x-origin";         // "queue events": where it came from
inline constexpr std::string_view kRejectedHeader = "x-rejected-at";  // civil time in ms, integer
inline constexpr std::string_view kEventIdHeader = "x-event-id";      // Event::id
inline constexpr std::string_view kPipelineHeader = "x-pipeline";
inline constexpr std::string_view kHiddenHeader =
    "x-hidden";  // 1 = what redactions hide is hidden in the body
inline constexpr std::string_view kMalformedHeader = "x-malformed";  // 1 = the message couldn't even be read

}  // namespace tidemark::cloudevents
