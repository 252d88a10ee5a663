// The operator's `--from`: now | earliest | time:RFC3339 | token:HEX.
#pragma once

#include <string_view>

#include "core/source.h"

namespace tidemark::app {

// kConfig with what is expected for anything else.
Result<StartPoint> parse_start_point(std::string_view text);

// Seconds since 1970 of "2026-11-22T03:00:00Z", with an offset such as +01:00 in place of the Z, and with a
// fraction, which is cut off. RFC 3339 section 5.6.
Result<int64_t> parse_rfc3339(std::string_view text);
// "2026-11-22T03:00:00Z"
std::string format_rfc3339(int64_t seconds);

}  // namespace tidemark::app
