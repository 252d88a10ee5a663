#include "bson/compare.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>

namespace tidemark::bson {
namespace {

// A finite decimal number as 0.DIGITS x 10^exponent; zero has no digits.
struct Digits {
  bool negative = false;
  std::string digits;
  int exponent = 0;
};

// Reads "-12.5E+3" and the like, as libbson and printf write numbers.
Digits parse_digits(std::string_view text) {
  Digits result;
  size_t i = 0;
  if (i < text.size() && (text[i] == '-' || text[i] == '+')) result.negative = text[i++] == '-';
  bool point = false;
  for (; i < text.size() && text[i] != 'E' && text[i] != 'e'; ++i) {
    if (text[i] == '.') {
      point = true;
      continue;
    }
    if (result.digits.empty() && text[i] == '0') {
      if (point) --result.exponent;
      continue;
    }
    result.digits += text[i];
    if (!point) ++result.exponent;
  }
  if (i < text.size()) result.exponent += std::atoi(text.data() + i + 1);
  while (!result.digits.empty() && result.digits.back() == '0') result.digits.pop_back();
  if (result.digits.empty()) result.exponent = 0;
  return result;
}

int sign(auto a, auto b) { return a < b ? -1 : (b < a ? 1 : 0); }

int compare_digits(const Digits& a, const Digits& b) {
  const int sign_a = a.digits.empty() ? 0 : (a.negative ? -1 : 1);
  const int sign_b = b.digits.empty() ? 0 : (b.negative ? -1 : 1);
  if (sign_a != sign_b) return sign(sign_a, sign_b);
  const int magnitude = a.exponent != b.exponent ? sign(a.exponent, b.exponent) : sign(a.digits, b.digits);
  return sign_a < 0 ? -magnitude : magnitude;
}

// Every digit of a double: 767 significant ones suffice for the smallest subnormal.
Digits exact_digits(double value) {
  std::array<char, 800> text;
  std::snprintf(text.data(), text.size(), "%.770e", value);
  return parse_digits(text.data());
}

void append_big_endian(uint64_t value, int bytes, std::string& out) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) out += static_cast<char>((value >> shift) & 0xff);
}

void append_double_bits(double value, std::string& out) {
  if (std::isnan(value)) return append_big_endian(0, 8, out);
  if (value == 0) value = 0;  // -0 equals 0
  const auto bits = std::bit_cast<uint64_t>(value);
  constexpr uint64_t kSign = uint64_t{1} << 63;
  append_big_endian((bits & kSign) != 0 ? ~bits : bits ^ kSign, 8, out);
}

// A number's key is the greatest double that is not above it, then 0 when that is exact, else 1 and the
// digits.
void append_exact(double value, std::string& out) {
  append_double_bits(value, out);
  out += '\0';
}

void append_inexact(double below, const Digits& digits, std::string& out) {
  append_double_bits(below, out);
  out += '\1';
  const size_t start = out.size();
  append_big_endian(static_cast<uint64_t>(digits.exponent + 20000), 2, out);
  out += digits.digits;
  out += '\0';
  if (!digits.negative) return;
  for (size_t i = start; i < out.size(); ++i) out[i] = static_cast<char>(~out[i]);
}

void append_int64(int64_t value, std::string& out) {
  auto nearest = static_cast<double>(value);
  if (nearest < 0x1p63 && static_cast<int64_t>(nearest) == value) return append_exact(nearest, out);
  if (nearest >= 0x1p63 || static_cast<int64_t>(nearest) > value)
    nearest = std::nextafter(nearest, -std::numeric_limits<double>::infinity());
  append_inexact(nearest, parse_digits(std::to_string(value)), out);
}

void append_decimal(const Element& element, std::string& out) {
  bson_decimal128_t decimal;
  bson_iter_decimal128(&element.iter(), &decimal);
  char text[BSON_DECIMAL128_STRING];
  bson_decimal128_to_string(&decimal, text);
  const std::string_view view = text;
  if (view.find("NaN") != view.npos) return append_exact(std::numeric_limits<double>::quiet_NaN(), out);
  const double infinity = std::numeric_limits<double>::infinity();
  if (view.find("Inf") != view.npos) return append_exact(view[0] == '-' ? -infinity : infinity, out);
  const Digits digits = parse_digits(view);
  double nearest = std::strtod(text, nullptr);
  int order = 0;
  if (std::isinf(nearest))
    order = nearest > 0 ? 1 : -1;
  else
    order = compare_digits(exact_digits(nearest), digits);
  if (order == 0) return append_exact(nearest, out);
  if (order > 0) nearest = std::nextafter(nearest, -infinity);
  append_inexact(nearest, digits, out);
}

void append_number(const Element& element, std::string& out) {
  switch (element.type()) {
    case BSON_TYPE_INT32:
      return append_exact(bson_iter_int32(&element.iter()), out);
    case BSON_TYPE_INT64:
      return append_int64(bson_iter_int64(&element.iter()), out);
    case BSON_TYPE_DOUBLE:
      return append_exact(bson_iter_double(&element.iter()), out);
    default:
      return append_decimal(element, out);
  }
}

int compare_int_double(int64_t a, double b) {
  if (std::isnan(b)) return 1;
  if (b >= 0x1p63) return -1;
  if (b < -0x1p63) return 1;
  const auto whole = static_cast<int64_t>(b);
  if (a != whole) return sign(a, whole);
  return sign(0.0, b - static_cast<double>(whole));
}

int compare_doubles(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return sign(!std::isnan(a), !std::isnan(b));
  return sign(a, b);
}

int compare_numbers(const Element& a, const Element& b) {
  const bson_type_t ta = a.type();
  const bson_type_t tb = b.type();
  if (ta == BSON_TYPE_DECIMAL128 || tb == BSON_TYPE_DECIMAL128) {
    std::string key_a;
    std::string key_b;
    append_number(a, key_a);
    append_number(b, key_b);
    return sign(key_a, key_b);
  }
  if (ta == BSON_TYPE_DOUBLE && tb == BSON_TYPE_DOUBLE)
    return compare_doubles(bson_iter_double(&a.iter()), bson_iter_double(&b.iter()));
  if (ta == BSON_TYPE_DOUBLE)
    return -compare_int_double(bson_iter_as_int64(&b.iter()), bson_iter_double(&a.iter()));
  if (tb == BSON_TYPE_DOUBLE)
    return compare_int_double(bson_iter_as_int64(&a.iter()), bson_iter_double(&b.iter()));
  return sign(bson_iter_as_int64(&a.iter()), bson_iter_as_int64(&b.iter()));
}

int compare_binaries(const Element& a, const Element& b) {
  const Binary left = a.binary();
  const Binary right = b.binary();
  if (left.bytes.size() != right.bytes.size()) return sign(left.bytes.size(), right.bytes.size());
  if (left.subtype != right.subtype) return sign(left.subtype, right.subtype);
  if (left.well_formed != right.well_formed) return sign(left.well_formed, right.well_formed);
  return left.bytes.empty() ? 0 : std::memcmp(left.bytes.data(), right.bytes.data(), left.bytes.size());
}

uint64_t timestamp_of(const Element& element) {
  uint32_t seconds = 0;
  uint32_t increment = 0;
  bson_iter_timestamp(&element.iter(), &seconds, &increment);
  return (uint64_t{seconds} << 32) | increment;
}

int compare_regexes(const Element& a, const Element& b) {
  const RegexValue left = a.regex();
  const RegexValue right = b.regex();
  if (left.pattern != right.pattern) return sign(left.pattern, right.pattern);
  return sign(left.options, right.options);
}

int compare_scoped_codes(const Element& a, const Element& b) {
  const ScopedCode left = a.scoped_code();
  const ScopedCode right = b.scoped_code();
  if (left.code != right.code) return sign(left.code, right.code);
  return compare_documents(left.scope, right.scope);
}

int compare_bytes(const Element& a, const Element& b) {
  const auto left = a.value_bytes();
  const auto right = b.value_bytes();
  if (left.size() != right.size()) return sign(left.size(), right.size());
  return left.empty() ? 0 : std::memcmp(left.data(), right.data(), left.size());
}

int compare_fields(View a, View b, bool with_names) {
  auto left = a.begin();
  auto right = b.begin();
  const View::Iterator end;
  for (; left != end && right != end; ++left, ++right) {
    const Element x = *left;
    const Element y = *right;
    const int bracket_x = canonical_type(x.type());
    const int bracket_y = canonical_type(y.type());
    if (bracket_x != bracket_y) return sign(bracket_x, bracket_y);
    if (with_names && x.key() != y.key()) return sign(x.key(), y.key());
    if (const int order = compare(x, y); order != 0) return order;
  }
  return sign(left != end, right != end);
}

// NUL inside is written 00 FF and the end 00 01: "a" stays below "a\0", and neither key begins the other.
void append_text(std::string_view text, std::string& out) {
  for (const char c : text) {
    out += c;
    if (c == '\0') out += '\xff';
  }
  out += '\0';
  out += '\1';
}

void append_value(const Element& value, std::string& out);

char bracket_byte(bson_type_t type) { return static_cast<char>(canonical_type(type) + 2); }

void append_fields(View document, bool with_names, std::string& out) {
  for (const Element element : document) {
    out += bracket_byte(element.type());
    if (with_names) append_text(element.key(), out);
    append_value(element, out);
  }
  out += '\0';
}

// The key behind the bracket byte.
void append_value(const Element& value, std::string& out) {
  switch (value.type()) {
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
    case BSON_TYPE_DOUBLE:
    case BSON_TYPE_DECIMAL128:
      return append_number(value, out);
    case BSON_TYPE_UTF8:
    case BSON_TYPE_SYMBOL:
    case BSON_TYPE_CODE:
      return append_text(value.string(), out);
    case BSON_TYPE_DOCUMENT:
      return append_fields(value.document(), true, out);
    case BSON_TYPE_ARRAY:
      return append_fields(value.document(), false, out);
    case BSON_TYPE_BINARY: {
      const Binary binary = value.binary();
      append_big_endian(binary.bytes.size(), 4, out);
      out += static_cast<char>(binary.subtype);
      if (binary.subtype == BSON_SUBTYPE_BINARY_DEPRECATED) out += binary.well_formed ? '\1' : '\0';
      out.append(reinterpret_cast<const char*>(binary.bytes.data()), binary.bytes.size());
      return;
    }
    case BSON_TYPE_OID:
      out.append(reinterpret_cast<const char*>(bson_iter_oid(&value.iter())->bytes), 12);
      return;
    case BSON_TYPE_BOOL:
      out += bson_iter_bool(&value.iter()) ? '\2' : '\1';
      return;
    case BSON_TYPE_DATE_TIME:
      return append_big_endian(
          static_cast<uint64_t>(bson_iter_date_time(&value.iter())) ^ (uint64_t{1} << 63), 8, out);
    case BSON_TYPE_TIMESTAMP:
      return append_big_endian(timestamp_of(value), 8, out);
    case BSON_TYPE_REGEX: {
      const RegexValue regex = value.regex();
      append_text(regex.pattern, out);
      return append_text(regex.options, out);
    }
    case BSON_TYPE_CODEWSCOPE: {
      const ScopedCode code = value.scoped_code();
      append_text(code.code, out);
      return append_fields(code.scope, true, out);
    }
    case BSON_TYPE_DBPOINTER: {
      const auto bytes = value.value_bytes();
      append_big_endian(bytes.size(), 4, out);
      out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      return;
    }
    default:  // one value only: null, undefined, MinKey, MaxKey
      return;
  }
}

}  // namespace

int canonical_type(bson_type_t type) {
  switch (type) {
    case BSON_TYPE_MINKEY:
      return -1;
    case BSON_TYPE_EOD:
    case BSON_TYPE_UNDEFINED:
      return 0;
    case BSON_TYPE_NULL:
      return 5;
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
    case BSON_TYPE_DOUBLE:
    case BSON_TYPE_DECIMAL128:
      return 10;
    case BSON_TYPE_UTF8:
    case BSON_TYPE_SYMBOL:
      return 15;
    case BSON_TYPE_DOCUMENT:
      return 20;
    case BSON_TYPE_ARRAY:
      return 25;
    case BSON_TYPE_BINARY:
      return 30;
    case BSON_TYPE_OID:
      return 35;
    case BSON_TYPE_BOOL:
      return 40;
    case BSON_TYPE_DATE_TIME:
      return 45;
    case BSON_TYPE_TIMESTAMP:
      return 47;
    case BSON_TYPE_REGEX:
      return 50;
    case BSON_TYPE_DBPOINTER:
      return 55;
    case BSON_TYPE_CODE:
      return 60;
    case BSON_TYPE_CODEWSCOPE:
      return 65;
    case BSON_TYPE_MAXKEY:
      return 127;
  }
  return 0;
}

int compare(const Element& a, const Element& b) {
  const int bracket = canonical_type(a.type());
  const int other = canonical_type(b.type());
  if (bracket != other) return sign(bracket, other);
  switch (a.type()) {
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
    case BSON_TYPE_DOUBLE:
    case BSON_TYPE_DECIMAL128:
      return compare_numbers(a, b);
    case BSON_TYPE_UTF8:
    case BSON_TYPE_SYMBOL:
    case BSON_TYPE_CODE:
      return a.string().compare(b.string());
    case BSON_TYPE_DOCUMENT:
      return compare_fields(a.document(), b.document(), true);
    case BSON_TYPE_ARRAY:
      return compare_fields(a.document(), b.document(), false);
    case BSON_TYPE_BINARY:
      return compare_binaries(a, b);
    case BSON_TYPE_OID:
      return bson_oid_compare(bson_iter_oid(&a.iter()), bson_iter_oid(&b.iter()));
    case BSON_TYPE_BOOL:
      return sign(bson_iter_bool(&a.iter()), bson_iter_bool(&b.iter()));
    case BSON_TYPE_DATE_TIME:
      return sign(bson_iter_date_time(&a.iter()), bson_iter_date_time(&b.iter()));
    case BSON_TYPE_TIMESTAMP:
      return sign(timestamp_of(a), timestamp_of(b));
    case BSON_TYPE_REGEX:
      return compare_regexes(a, b);
    case BSON_TYPE_CODEWSCOPE:
      return compare_scoped_codes(a, b);
    case BSON_TYPE_DBPOINTER:
      return compare_bytes(a, b);
    default:
      return 0;
  }
}

int compare_documents(View a, View b) { return compare_fields(a, b, true); }

void canonical_key(const Element& value, std::string& out) {
  out += bracket_byte(value.type());
  append_value(value, out);
}

std::string canonical_key(const Element& value) {
  std::string key;
  canonical_key(value, key);
  return key;
}

void canonical_key_of_null(std::string& out) { out += bracket_byte(BSON_TYPE_NULL); }

}  // namespace tidemark::bson
