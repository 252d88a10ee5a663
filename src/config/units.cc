#include "config/units.h"

#include <charconv>
#include <span>

namespace tidemark::config {
namespace {

struct Unit {
  std::string_view name;
  int64_t factor;
};

// Largest first.
constexpr Unit kDurations[] = {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}};
constexpr Unit kSizes[] = {{"TiB", int64_t{1} << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20},
                           {"KiB", 1 << 10},          {"B", 1},         {"", 1}};

std::optional<int64_t> parse_with_unit(std::string_view text, std::span<const Unit> units) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 0) return std::nullopt;
  const std::string_view name = text.substr(static_cast<size_t>(end - text.data()));
  for (const Unit& unit : units) {
    if (unit.name != name) continue;
    int64_t value = 0;
    if (__builtin_mul_overflow(number, unit.factor, &value)) return std::nullopt;
    return value;
  }
  return std::nullopt;
}

std::string format_with_unit(int64_t value, std::span<const Unit> units) {
  for (const Unit& unit : units) {
    if (value % unit.factor == 0 && (value != 0 || unit.factor == 1))
      return std::to_string(value / unit.factor) + std::string(unit.name);
  }
  return std::to_string(value);
}

}  // namespace

std::optional<int64_t> parse_duration_ms(std::string_view text) { return parse_with_unit(text, kDurations); }

std::optional<int64_t> parse_bytes(std::string_view text) { return parse_with_unit(text, kSizes); }

std::optional<int64_t> parse_integer(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::string format_duration_ms(int64_t ms) { return format_with_unit(ms, kDurations); }

std::string format_bytes(int64_t bytes) { return format_with_unit(bytes, kSizes); }

}  // namespace tidemark::config
