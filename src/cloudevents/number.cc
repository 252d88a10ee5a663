#include "cloudevents/number.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <string>

namespace tidemark::cloudevents {
namespace {

// So many digits any double gives back as they were, within these exponents.
constexpr size_t kSafeDigits = std::numeric_limits<double>::digits10;
constexpr size_t kSafeTokenBytes = 24;
// A double in full has at most so many digits.
constexpr int kDoubleDigitsMax = 767;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// A decimal number: digits * 10^exponent, without zeros at either end; no digits = zero.
struct Decimal {
  bool negative = false;
  std::string digits;
  int64_t exponent = 0;

  friend bool operator==(const Decimal&, const Decimal&) = default;
};

// REQUIRES a JSON number, or what libbson and to_chars write for finite ones.
Decimal decimal_of(std::string_view token) {
  // Far beyond what any type here holds, and far from overflow.
  constexpr int64_t kExponentMax = 1'000'000'000;
  Decimal number;
  number.negative = token.starts_with('-');
  if (number.negative) token.remove_prefix(1);
  const size_t e = token.find_first_of("eE");
  std::string_view mantissa = token.substr(0, e);
  if (e != std::string_view::npos) {
    std::string_view exponent = token.substr(e + 1);
    const bool negative = exponent.starts_with('-');
    if (negative || exponent.starts_with('+')) exponent.remove_prefix(1);
    for (const char digit : exponent)
      number.exponent = std::min(number.exponent * 10 + (digit - '0'), kExponentMax);
    if (negative) number.exponent = -number.exponent;
  }
  const size_t point = mantissa.find('.');
  number.digits = mantissa.substr(0, point);
  if (point != std::string_view::npos) {
    number.digits += mantissa.substr(point + 1);
    number.exponent -= static_cast<int64_t>(mantissa.size() - point - 1);
  }
  const size_t last = number.digits.find_last_not_of('0');
  if (last == std::string::npos) return {number.negative, {}, 0};
  number.exponent += static_cast<int64_t>(number.digits.size() - last - 1);
  number.digits.resize(last + 1);
  number.digits.erase(0, number.digits.find_first_not_of('0'));
  return number;
}

std::optional<double> parsed(std::string_view token) {
  double value = 0;
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), value);
  if (error != std::errc() || end != token.data() + token.size()) return std::nullopt;
  return value;
}

// Whether the shortest text of `value` is `wanted`: what people and programs mean when they write a double.
bool reads_as(double value, const Decimal& wanted) {
  char text[64];
  const auto end = std::to_chars(std::begin(text), std::end(text), value).ptr;
  return decimal_of({text, static_cast<size_t>(end - text)}) == wanted;
}

// Whether `value` itself, with all of its digits, is `wanted`.
bool is_exactly(double value, const Decimal& wanted) {
  if (wanted.digits.size() > kDoubleDigitsMax) return false;
  char text[kDoubleDigitsMax + 32];
  const auto [end, error] = std::to_chars(std::begin(text), std::end(text), value,
                                          std::chars_format::scientific, kDoubleDigitsMax - 1);
  return error == std::errc() && decimal_of({text, static_cast<size_t>(end - text)}) == wanted;
}

std::optional<bson_decimal128_t> decimal128(std::string_view token, const Decimal& wanted) {
  bson_decimal128_t value;
  if (!bson_decimal128_from_string_w_len(token.data(), static_cast<int>(token.size()), &value))
    return std::nullopt;
  char text[BSON_DECIMAL128_STRING];
  bson_decimal128_to_string(&value, text);
  // It has no infinity here: one that is too large for it would read so.
  if (!is_number(text) || decimal_of(text) != wanted) return std::nullopt;
  return value;
}

}  // namespace

bool is_number(std::string_view token) {
  size_t at = 0;
  const auto digits = [&] {
    const size_t first = at;
    while (at < token.size() && is_digit(token[at])) ++at;
    return at - first;
  };
  const auto take = [&](std::string_view any) {
    const bool there = at < token.size() && any.find(token[at]) != std::string_view::npos;
    at += there;
    return there;
  };
  take("-");
  const bool zero = at < token.size() && token[at] == '0';
  const size_t whole = digits();
  if (whole == 0 || (zero && whole > 1)) return false;
  if (take(".") && digits() == 0) return false;
  if (take("eE")) {
    take("+-");
    if (digits() == 0) return false;
  }
  return at == token.size();
}

std::optional<Number> exact_number(std::string_view token) {
  const bool integer = token.find_first_of(".eE") == std::string_view::npos;
  if (integer && token != "-0") {
    int64_t value = 0;
    const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), value);
    if (error == std::errc() && end == token.data() + token.size()) return value;
  }
  // The usual case, without building anything.
  const auto number = parsed(token);
  const bool plain = !integer && token.find_first_of("eE") == std::string_view::npos;
  if (plain && number && token.size() <= kSafeTokenBytes &&
      static_cast<size_t>(std::count_if(token.begin(), token.end(), is_digit)) <= kSafeDigits)
    return *number;

  const Decimal wanted = decimal_of(token);
  if (wanted.digits.empty()) return wanted.negative ? -0.0 : 0.0;
  if (!integer && number && reads_as(*number, wanted)) return *number;
  if (const auto decimal = decimal128(token, wanted)) return *decimal;
  if (number && is_exactly(*number, wanted)) return *number;
  return std::nullopt;
}

}  // namespace tidemark::cloudevents
