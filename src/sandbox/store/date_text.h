// Dates as text: ISO 8601 and the formats of $dateToString. Proleptic Gregorian, UTC or a fixed offset; the
// names of time zones are refused, because there is no database of them here. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sandbox/store/command_error.h"

namespace tidemark::sandbox {

struct DateParts {
  int64_t year = 1970;
  int64_t month = 1;
  int64_t day = 1;
  int64_t hour = 0;
  int64_t minute = 0;
  int64_t second = 0;
  int64_t millisecond = 0;
  int64_t day_of_year = 1;
  int64_t day_of_week = 1;  // Sunday is 1
};

DateParts parts_of(int64_t ms);
// Months, days and smaller units may be out of their range and carry over.
int64_t ms_of(const DateParts& parts);

// Milliseconds that "UTC", "GMT", "+02", "-0530", "+05:30" lie before UTC's clock.
Reply<int64_t> zone_offset_ms(std::string_view zone);
// %Y %m %d %H %M %S %L %j %w %u %z %Z %%.
Reply<std::string> format_date(int64_t ms, std::string_view format, int64_t offset_ms);
// YYYY-MM-DD[(T| )HH:MM[:SS[.mmm]]][zone].
std::optional<int64_t> parse_iso_date(std::string_view text);
// 2020-01-02T03:04:05.678Z
std::string iso_text(int64_t ms);

}  // namespace tidemark::sandbox
