#include "sandbox/store/date_text.h"

#include <array>
#include <cctype>
#include <chrono>
#include <cstdio>

namespace tidemark::sandbox {
namespace {

constexpr int64_t kDayMs = 86'400'000;

int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

// Reads exactly `count` digits.
std::optional<int64_t> digits(std::string_view text, size_t& at, size_t count) {
  if (at + count > text.size()) return std::nullopt;
  int64_t value = 0;
  for (size_t i = 0; i < count; ++i, ++at) {
    if (std::isdigit(static_cast<unsigned char>(text[at])) == 0) return std::nullopt;
    value = value * 10 + (text[at] - '0');
  }
  return value;
}

std::string padded(int64_t value, int width) {
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), "%0*lld", width, static_cast<long long>(value));
  return text.data();
}

}  // namespace

DateParts parts_of(int64_t ms) {
  using namespace std::chrono;
  const int64_t day_count = floor_div(ms, kDayMs);
  const int64_t in_day = ms - day_count * kDayMs;
  // Shifting by whole 400-year cycles keeps the calendar's arithmetic inside its range.
  const int64_t cycles = floor_div(day_count, 146097);
  const sys_days days_in_cycle{days(static_cast<int>(day_count - cycles * 146097))};
  const year_month_day date(days_in_cycle);
  DateParts parts;
  parts.year = int{date.year()} + cycles * 400;
  parts.month = unsigned{date.month()};
  parts.day = unsigned{date.day()};
  parts.hour = in_day / 3'600'000;
  parts.minute = in_day / 60'000 % 60;
  parts.second = in_day / 1000 % 60;
  parts.millisecond = in_day % 1000;
  parts.day_of_year = (days_in_cycle - sys_days(date.year() / 1 / 1)).count() + 1;
  parts.day_of_week = static_cast<int64_t>(weekday(days_in_cycle).c_encoding()) + 1;
  return parts;
}

int64_t ms_of(const DateParts& parts) {
  using namespace std::chrono;
  const int64_t months = parts.year * 12 + parts.month - 1;
  const int64_t real_year = floor_div(months, 12);
  const int64_t cycles = floor_div(real_year, 400);
  const auto month_number = static_cast<unsigned>(months - real_year * 12 + 1);
  const sys_days first(year(static_cast<int>(real_year - cycles * 400)) / month(month_number) / 1);
  const int64_t day_count = first.time_since_epoch().count() + cycles * 146097 + parts.day - 1;
  return ((day_count * 24 + parts.hour) * 60 + parts.minute) * 60'000 + parts.second * 1000 +
         parts.millisecond;
}

Reply<int64_t> zone_offset_ms(std::string_view zone) {
  if (zone == "UTC" || zone == "GMT" || zone == "Z") return 0;
  const auto unknown =
      command_error(40485, "unrecognized time zone identifier: \"" + std::string(zone) + "\"");
  if (zone.empty() || (zone[0] != '+' && zone[0] != '-')) return unknown;
  size_t at = 1;
  const auto hours = digits(zone, at, 2);
  if (!hours) return unknown;
  if (at < zone.size() && zone[at] == ':') ++at;
  const auto minutes = at == zone.size() ? std::optional<int64_t>(0) : digits(zone, at, 2);
  if (!minutes || at != zone.size()) return unknown;
  const int64_t offset = (*hours * 60 + *minutes) * 60'000;
  return zone[0] == '-' ? -offset : offset;
}

Reply<std::string> format_date(int64_t ms, std::string_view format, int64_t offset_ms) {
  const DateParts parts = parts_of(ms + offset_ms);
  std::string text;
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      text += format[i];
      continue;
    }
    if (++i == format.size()) return command_error(18535, "Unmatched '%' at end of format string");
    switch (format[i]) {
      case 'Y':
        if (parts.year < 0 || parts.year > 9999)
          return command_error(
              18537,
              "Could not convert date to string: date component was outside the supported range of 0-9999: " +
                  std::to_string(parts.year));
        text += padded(parts.year, 4);
        break;
      case 'm':
        text += padded(parts.month, 2);
        break;
      case 'd':
        text += padded(parts.day, 2);
        break;
      case 'H':
        text += padded(parts.hour, 2);
        break;
      case 'M':
        text += padded(parts.minute, 2);
        break;
      case 'S':
        text += padded(parts.second, 2);
        break;
      case 'L':
        text += padded(parts.millisecond, 3);
        break;
      case 'j':
        text += padded(parts.day_of_year, 3);
        break;
      case 'w':
        text += std::to_string(parts.day_of_week);
        break;
      case 'u':
        text += std::to_string(parts.day_of_week == 1 ? 7 : parts.day_of_week - 1);
        break;
      case 'z': {
        const int64_t minutes = (offset_ms < 0 ? -offset_ms : offset_ms) / 60'000;
        text += (offset_ms < 0 ? "-" : "+") + padded(minutes / 60, 2) + padded(minutes % 60, 2);
        break;
      }
      case 'Z':
        text += std::to_string(offset_ms / 60'000);
        break;
      case '%':
        text += '%';
        break;
      default:
        return command_error(18536,
                             std::string("Invalid format character '%") + format[i] + "' in format string");
    }
  }
  return text;
}

std::optional<int64_t> parse_iso_date(std::string_view text) {
  size_t at = 0;
  DateParts parts;
  const auto read = [&](int64_t& field, size_t count, char before) {
    if (before != '\0' && (at >= text.size() || text[at++] != before)) return false;
    const auto value = digits(text, at, count);
    if (value) field = *value;
    return value.has_value();
  };
  if (!read(parts.year, 4, '\0') || !read(parts.month, 2, '-') || !read(parts.day, 2, '-'))
    return std::nullopt;
  if (parts.month < 1 || parts.month > 12 || parts.day < 1 || parts.day > 31) return std::nullopt;
  if (at < text.size() && (text[at] == 'T' || text[at] == ' ')) {
    ++at;
    if (!read(parts.hour, 2, '\0') || !read(parts.minute, 2, ':')) return std::nullopt;
    if (at < text.size() && text[at] == ':' && !read(parts.second, 2, ':')) return std::nullopt;
    if (at < text.size() && text[at] == '.') {
      ++at;
      int64_t scale = 100;
      for (; at < text.size() && std::isdigit(static_cast<unsigned char>(text[at])) != 0; ++at, scale /= 10)
        parts.millisecond += (text[at] - '0') * scale;
    }
    if (parts.hour > 24 || parts.minute > 59 || parts.second > 59) return std::nullopt;
  }
  if (at == text.size()) return ms_of(parts);
  const auto offset = zone_offset_ms(text.substr(at));
  if (!offset) return std::nullopt;
  return ms_of(parts) - *offset;
}

std::string iso_text(int64_t ms) {
  const DateParts p = parts_of(ms);
  return padded(p.year, 4) + "-" + padded(p.month, 2) + "-" + padded(p.day, 2) + "T" + padded(p.hour, 2) +
         ":" + padded(p.minute, 2) + ":" + padded(p.second, 2) + "." + padded(p.millisecond, 3) + "Z";
}

}  // namespace tidemark::sandbox
