#include "app/start_point.h"

#include <charconv>
#include <chrono>

#include <fmt/format.h>

#include "base/digest.h"

namespace tidemark::app {
namespace {

// Takes exactly `width` digits and the character `after` (0 = none) off the front of `text`.
bool take_number(std::string_view& text, size_t width, char after, int& number) {
  if (text.size() < width + (after != 0 ? 1 : 0)) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + width, number);
  if (error != std::errc() || end != text.data() + width || number < 0) return false;
  text.remove_prefix(width);
  if (after == 0) return true;
  if (text.front() != after) return false;
  text.remove_prefix(1);
  return true;
}

// "Z" or "+hh:mm", as seconds to subtract.
bool take_offset(std::string_view text, int64_t& seconds) {
  if (text == "Z" || text == "z") {
    seconds = 0;
    return true;
  }
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-')) return false;
  const int sign = text[0] == '+' ? 1 : -1;
  text.remove_prefix(1);
  int hours = 0;
  int minutes = 0;
  if (!take_number(text, 2, ':', hours) || !take_number(text, 2, 0, minutes) || hours > 23 || minutes > 59)
    return false;
  seconds = sign * (hours * 3600 + minutes * 60);
  return true;
}

}  // namespace

Result<int64_t> parse_rfc3339(std::string_view text) {
  const auto bad = [text] {
    return fail(React::kConfig, "\"" + std::string(text) + "\" is not a time",
                "write it as 2026-11-22T03:00:00Z (RFC 3339)");
  };
  std::string_view rest = text;
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (!take_number(rest, 4, '-', year) || !take_number(rest, 2, '-', month) || !take_number(rest, 2, 0, day))
    return bad();
  if (rest.empty() || (rest[0] != 'T' && rest[0] != 't' && rest[0] != ' ')) return bad();
  rest.remove_prefix(1);
  if (!take_number(rest, 2, ':', hour) || !take_number(rest, 2, ':', minute) ||
      !take_number(rest, 2, 0, second))
    return bad();
  if (!rest.empty() && rest[0] == '.')
    rest.remove_prefix(std::min(rest.find_first_not_of("0123456789", 1), rest.size()));
  int64_t offset = 0;
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!take_offset(rest, offset) || !date.ok() || hour > 23 || minute > 59 || second > 60) return bad();
  const int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return days * 86400 + hour * 3600 + minute * 60 + second - offset;
}

std::string format_rfc3339(int64_t seconds) {
  const std::chrono::sys_seconds time{std::chrono::seconds(seconds)};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

Result<StartPoint> parse_start_point(std::string_view text) {
  StartPoint start;
  if (text == "now") return start;
  if (text == "earliest") {
    start.kind = StartPoint::Kind::kEarliest;
    return start;
  }
  if (text.starts_with("time:")) {
    TIDEMARK_ASSIGN(const int64_t seconds, parse_rfc3339(text.substr(5)));
    if (seconds <= 0 || seconds > UINT32_MAX)
      return fail(React::kConfig,
                  "no deployment has a time of \"" + std::string(text.substr(5)) +
                      "\": a cluster time lies between 1970 and 2106",
                  "give the time from which on changes are wanted, in UTC: time:2026-11-22T03:00:00Z");
    start.kind = StartPoint::Kind::kTime;
    // Ordinal 1: the first operation of that second is still to come.
    start.time = {static_cast<uint32_t>(seconds), 1};
    return start;
  }
  if (text.starts_with("token:")) {
    start.kind = StartPoint::Kind::kToken;
    start.token_data = text.substr(6);
    if (start.token_data.empty() || !from_hex(start.token_data))
      return fail(React::kConfig, "the token is not hexadecimal", "give the text of _data of an event's _id");
    return start;
  }
  return fail(React::kConfig, "\"" + std::string(text) + "\" is not a place to start",
              "one of: now, earliest, time:2026-11-22T03:00:00Z, token:HEX");
}

}  // namespace tidemark::app
