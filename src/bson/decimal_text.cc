#include "bson/decimal_text.h"

#include <charconv>

namespace tidemark::bson {
namespace {

constexpr uint64_t kSign = uint64_t{1} << 63;
constexpr int kDigitsMax = 34, kExponentMin = -6176, kExponentMax = 6111;

// Reads digits into the coefficient; false when there are too many.
bool take_digits(std::string_view& text, unsigned __int128& coefficient, int& significant, int& count) {
  count = 0;
  while (!text.empty() && text[0] >= '0' && text[0] <= '9') {
    if (significant > 0 || text[0] != '0') ++significant;
    if (significant > kDigitsMax) return false;
    coefficient = coefficient * 10 + static_cast<unsigned>(text[0] - '0');
    text.remove_prefix(1);
    ++count;
  }
  return true;
}

bool take_exponent(std::string_view text, int& exponent) {
  if (text.empty()) return true;
  if (text[0] != 'E' && text[0] != 'e') return false;
  text.remove_prefix(1);
  if (text.starts_with('+')) text.remove_prefix(1);
  if (text.empty() || (text[0] != '-' && (text[0] < '0' || text[0] > '9'))) return false;
  int written = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), written);
  if (error != std::errc() || end != text.data() + text.size() || written > 20000 || written < -20000)
    return false;
  exponent += written;
  return true;
}

}  // namespace

std::optional<bson_decimal128_t> decimal_from_text(std::string_view text) {
  bson_decimal128_t decimal{};
  if (text == "NaN") {
    decimal.high = 0x7c00000000000000;
    return decimal;
  }
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  if (negative) decimal.high = kSign;
  if (text == "Infinity") {
    decimal.high |= 0x7800000000000000;
    return decimal;
  }
  unsigned __int128 coefficient = 0;
  int significant = 0, whole = 0, fraction = 0;
  if (text.size() > 20000 || !take_digits(text, coefficient, significant, whole)) return std::nullopt;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    if (!take_digits(text, coefficient, significant, fraction) || fraction == 0) return std::nullopt;
  }
  int exponent = -fraction;
  if (whole == 0 || !take_exponent(text, exponent)) return std::nullopt;
  if (exponent < kExponentMin || exponent > kExponentMax) return std::nullopt;
  decimal.high |= static_cast<uint64_t>(exponent - kExponentMin) << 49;
  decimal.high |= static_cast<uint64_t>(coefficient >> 64);
  decimal.low = static_cast<uint64_t>(coefficient);
  return decimal;
}

}  // namespace tidemark::bson
