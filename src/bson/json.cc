#include "bson/json.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstring>

namespace tidemark::bson {
namespace {

constexpr int kDepthMax = 1000;

void append_value(const bson_iter_t& iter, JsonMode mode, int depth, std::string& out);

// --- strings

// The length of the well-formed UTF-8 sequence at `text`, or 0 (RFC 3629: no overlong forms, no surrogates,
// nothing above U+10FFFF). REQUIRES a first byte of 0x80 or more.
size_t utf8_length(const uint8_t* text, size_t left) {
  const uint8_t first = text[0];
  size_t length = 0;
  uint8_t low = 0x80, high = 0xbf;  // the bounds of the second byte
  if (first >= 0xc2 && first <= 0xdf) {
    length = 2;
  } else if (first >= 0xe0 && first <= 0xef) {
    length = 3;
    if (first == 0xe0) low = 0xa0;
    if (first == 0xed) high = 0x9f;
  } else if (first >= 0xf0 && first <= 0xf4) {
    length = 4;
    if (first == 0xf0) low = 0x90;
    if (first == 0xf4) high = 0x8f;
  }
  if (length == 0 || left < length || text[1] < low || text[1] > high) return 0;
  for (size_t i = 2; i < length; ++i)
    if ((text[i] & 0xc0) != 0x80) return 0;
  return length;
}

bool is_plain(uint8_t c) { return c >= 0x20 && c < 0x80 && c != '"' && c != '\\'; }

// True when all eight bytes are plain ASCII that needs no escape: the usual tricks for "has a byte below n"
// and "has a zero byte", so that long strings go by eight bytes at a time.
bool eight_plain(const uint8_t* text) {
  constexpr uint64_t kOnes = 0x0101010101010101, kHighs = 0x8080808080808080;
  uint64_t word;
  std::memcpy(&word, text, 8);
  const uint64_t quote = word ^ (kOnes * '"');
  const uint64_t backslash = word ^ (kOnes * '\\');
  const uint64_t special = ((word - kOnes * 0x20) & ~word) | ((quote - kOnes) & ~quote) |
                           ((backslash - kOnes) & ~backslash) | word;
  return (special & kHighs) == 0;
}

void append_escape(uint8_t c, std::string& out) {
  constexpr char kHex[] = "0123456789abcdef";
  out.push_back('\\');
  switch (c) {
    case '"':
    case '\\':
      out.push_back(static_cast<char>(c));
      return;
    case '\b':
      out.push_back('b');
      return;
    case '\f':
      out.push_back('f');
      return;
    case '\n':
      out.push_back('n');
      return;
    case '\r':
      out.push_back('r');
      return;
    case '\t':
      out.push_back('t');
      return;
    default:
      out.append("u00");
      out.push_back(kHex[c >> 4]);
      out.push_back(kHex[c & 15]);
  }
}

void append_string(const char* text, size_t size, std::string& out) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text);
  out.push_back('"');
  size_t run = 0;  // bytes[run, i) go out as they are
  size_t i = 0;
  while (i < size) {
    if (size - i >= 8 && eight_plain(bytes + i)) {
      i += 8;
      continue;
    }
    if (is_plain(bytes[i])) {
      ++i;
      continue;
    }
    const size_t sequence = bytes[i] >= 0x80 ? utf8_length(bytes + i, size - i) : 0;
    if (sequence > 0) {
      i += sequence;
      continue;
    }
    out.append(text + run, i - run);
    if (bytes[i] >= 0x80)
      out.append("\xef\xbf\xbd");
    else
      append_escape(bytes[i], out);
    run = ++i;
  }
  out.append(text + run, size - run);
  out.push_back('"');
}

// --- numbers, dates, bytes

template <class Number>
void append_number(Number value, std::string& out) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  out.append(text, end);
}

// The shortest digits that read back as the same double, always with a mark of a fraction or an exponent so
// that a reader of plain JSON numbers doesn't take it for an integer.
void append_finite(double value, std::string& out) {
  char text[40];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  const std::string_view digits(text, static_cast<size_t>(end - text));
  out.append(digits);
  if (digits.find_first_of(".e") == std::string_view::npos) out.append(".0");
}

void append_double(double value, JsonMode mode, std::string& out) {
  if (std::isfinite(value) && mode == JsonMode::kRelaxed) return append_finite(value, out);
  out.append("{\"$numberDouble\":\"");
  if (std::isnan(value))
    out.append("NaN");
  else if (std::isinf(value))
    out.append(value < 0 ? "-Infinity" : "Infinity");
  else
    append_finite(value, out);
  out.append("\"}");
}

void append_padded(int value, int width, std::string& out) {
  char digits[12];
  for (int i = width - 1; i >= 0; --i, value /= 10) digits[i] = static_cast<char>('0' + value % 10);
  out.append(digits, static_cast<size_t>(width));
}

void append_date(int64_t ms, JsonMode mode, std::string& out) {
  constexpr int64_t kYear10000 = 253402300800000;
  out.append("{\"$date\":");
  if (mode == JsonMode::kRelaxed && ms >= 0 && ms < kYear10000) {
    out.push_back('"');
    append_rfc3339(ms, out);
    out.append("\"}");
    return;
  }
  out.append("{\"$numberLong\":\"");
  append_number(ms, out);
  out.append("\"}}");
}

void append_base64(const uint8_t* bytes, size_t size, std::string& out) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  size_t i = 0;
  for (; i + 3 <= size; i += 3) {
    const uint32_t word = uint32_t{bytes[i]} << 16 | uint32_t{bytes[i + 1]} << 8 | bytes[i + 2];
    const char digits[4] = {kDigits[word >> 18], kDigits[(word >> 12) & 63], kDigits[(word >> 6) & 63],
                            kDigits[word & 63]};
    out.append(digits, 4);
  }
  if (i == size) return;
  const uint32_t word = uint32_t{bytes[i]} << 16 | (i + 1 < size ? uint32_t{bytes[i + 1]} << 8 : 0);
  const char digits[4] = {kDigits[word >> 18], kDigits[(word >> 12) & 63],
                          i + 1 < size ? kDigits[(word >> 6) & 63] : '=', '='};
  out.append(digits, 4);
}

void append_hex_byte(uint8_t byte, std::string& out) {
  constexpr char kHex[] = "0123456789abcdef";
  out.push_back(kHex[byte >> 4]);
  out.push_back(kHex[byte & 15]);
}

void append_oid(const bson_oid_t& oid, std::string& out) {
  out.append("{\"$oid\":\"");
  for (const uint8_t byte : oid.bytes) append_hex_byte(byte, out);
  out.append("\"}");
}

void append_binary(const bson_iter_t& iter, std::string& out) {
  bson_subtype_t subtype = BSON_SUBTYPE_BINARY;
  uint32_t size = 0;
  const uint8_t* bytes = nullptr;
  bson_iter_binary(&iter, &subtype, &size, &bytes);
  out.append("{\"$binary\":{\"base64\":\"");
  append_base64(bytes, size, out);
  out.append("\",\"subType\":\"");
  append_hex_byte(static_cast<uint8_t>(subtype), out);
  out.append("\"}}");
}

void append_regex(const bson_iter_t& iter, std::string& out) {
  const char* options = nullptr;
  const char* pattern = bson_iter_regex(&iter, &options);
  out.append("{\"$regularExpression\":{\"pattern\":");
  append_string(pattern, std::strlen(pattern), out);
  out.append(",\"options\":");
  // The specification wants them in alphabetical order; a document may hold them in any.
  const size_t start = out.size() + 1;
  append_string(options, std::strlen(options), out);
  const bool letters = std::strspn(options, "abcdefghijklmnopqrstuvwxyz") == std::strlen(options);
  if (letters) std::sort(out.begin() + static_cast<ptrdiff_t>(start), out.end() - 1);
  out.append("}}");
}

void append_decimal(const bson_iter_t& iter, std::string& out) {
  bson_decimal128_t decimal;
  char text[BSON_DECIMAL128_STRING] = "";
  if (bson_iter_decimal128(&iter, &decimal)) bson_decimal128_to_string(&decimal, text);
  out.append("{\"$numberDecimal\":\"");
  out.append(text);
  out.append("\"}");
}

void append_timestamp(const bson_iter_t& iter, std::string& out) {
  uint32_t seconds = 0, increment = 0;
  bson_iter_timestamp(&iter, &seconds, &increment);
  out.append("{\"$timestamp\":{\"t\":");
  append_number(seconds, out);
  out.append(",\"i\":");
  append_number(increment, out);
  out.append("}}");
}

void append_pointer(const bson_iter_t& iter, std::string& out) {
  uint32_t length = 0;
  const char* collection = nullptr;
  const bson_oid_t* oid = nullptr;
  bson_iter_dbpointer(&iter, &length, &collection, &oid);
  out.append("{\"$dbPointer\":{\"$ref\":");
  append_string(collection, length, out);
  out.append(",\"$id\":");
  append_oid(*oid, out);
  out.append("}}");
}

// --- containers

void append_members(const uint8_t* data, uint32_t size, bool array, JsonMode mode, int depth,
                    std::string& out) {
  bson_iter_t iter;
  if (depth > kDepthMax) {
    out.append("null");
    return;
  }
  out.push_back(array ? '[' : '{');
  if (data != nullptr && bson_iter_init_from_data(&iter, data, size)) {
    bool first = true;
    while (bson_iter_next(&iter)) {
      if (!first) out.push_back(',');
      first = false;
      if (!array) {
        append_string(bson_iter_key(&iter), bson_iter_key_len(&iter), out);
        out.push_back(':');
      }
      append_value(iter, mode, depth, out);
    }
  }
  out.push_back(array ? ']' : '}');
}

void append_code_with_scope(const bson_iter_t& iter, JsonMode mode, int depth, std::string& out) {
  uint32_t length = 0, scope_size = 0;
  const uint8_t* scope = nullptr;
  const char* code = bson_iter_codewscope(&iter, &length, &scope_size, &scope);
  out.append("{\"$code\":");
  append_string(code, length, out);
  out.append(",\"$scope\":");
  append_members(scope, scope_size, false, mode, depth + 1, out);
  out.push_back('}');
}

void append_wrapped_string(std::string_view opening, const char* text, uint32_t length, std::string& out) {
  out.append(opening);
  append_string(text, length, out);
  out.push_back('}');
}

void append_value(const bson_iter_t& iter, JsonMode mode, int depth, std::string& out) {
  uint32_t size = 0;
  const uint8_t* data = nullptr;
  switch (bson_iter_type(&iter)) {
    case BSON_TYPE_UTF8: {
      const char* text = bson_iter_utf8(&iter, &size);
      return append_string(text, size, out);
    }
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64: {
      const bool wide = bson_iter_type(&iter) == BSON_TYPE_INT64;
      const int64_t value = wide ? bson_iter_int64(&iter) : bson_iter_int32(&iter);
      if (mode == JsonMode::kRelaxed) return append_number(value, out);
      out.append(wide ? "{\"$numberLong\":\"" : "{\"$numberInt\":\"");
      append_number(value, out);
      out.append("\"}");
      return;
    }
    case BSON_TYPE_DOUBLE:
      return append_double(bson_iter_double(&iter), mode, out);
    case BSON_TYPE_DECIMAL128:
      return append_decimal(iter, out);
    case BSON_TYPE_BOOL:
      out.append(bson_iter_bool(&iter) ? "true" : "false");
      return;
    case BSON_TYPE_NULL:
      out.append("null");
      return;
    case BSON_TYPE_UNDEFINED:
      out.append("{\"$undefined\":true}");
      return;
    case BSON_TYPE_OID:
      return append_oid(*bson_iter_oid(&iter), out);
    case BSON_TYPE_DATE_TIME:
      return append_date(bson_iter_date_time(&iter), mode, out);
    case BSON_TYPE_TIMESTAMP:
      return append_timestamp(iter, out);
    case BSON_TYPE_DOCUMENT:
      bson_iter_document(&iter, &size, &data);
      return append_members(data, size, false, mode, depth + 1, out);
    case BSON_TYPE_ARRAY:
      bson_iter_array(&iter, &size, &data);
      return append_members(data, size, true, mode, depth + 1, out);
    case BSON_TYPE_BINARY:
      return append_binary(iter, out);
    case BSON_TYPE_REGEX:
      return append_regex(iter, out);
    case BSON_TYPE_DBPOINTER:
      return append_pointer(iter, out);
    case BSON_TYPE_CODE: {
      const char* code = bson_iter_code(&iter, &size);
      return append_wrapped_string("{\"$code\":", code, size, out);
    }
    case BSON_TYPE_SYMBOL: {
      const char* symbol = bson_iter_symbol(&iter, &size);
      return append_wrapped_string("{\"$symbol\":", symbol, size, out);
    }
    case BSON_TYPE_CODEWSCOPE:
      return append_code_with_scope(iter, mode, depth, out);
    case BSON_TYPE_MINKEY:
      out.append("{\"$minKey\":1}");
      return;
    case BSON_TYPE_MAXKEY:
      out.append("{\"$maxKey\":1}");
      return;
    case BSON_TYPE_EOD:
      break;
  }
  out.append("null");
}

}  // namespace

void append_json(View document, JsonMode mode, std::string& out) {
  append_members(document.data(), document.size(), false, mode, 1, out);
}

void append_json_array(View array, JsonMode mode, std::string& out) {
  append_members(array.data(), array.size(), true, mode, 1, out);
}

void append_json_value(const Element& element, JsonMode mode, std::string& out) {
  append_value(element.iter(), mode, 1, out);
}

void append_json_string(std::string_view text, std::string& out) {
  append_string(text.data(), text.size(), out);
}

void append_rfc3339(int64_t ms_since_epoch, std::string& out) {
  using std::chrono::floor;
  const std::chrono::sys_time<std::chrono::milliseconds> time{std::chrono::milliseconds(ms_since_epoch)};
  const auto day = floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  append_padded(static_cast<int>(date.year()), 4, out);
  out.push_back('-');
  append_padded(static_cast<int>(static_cast<unsigned>(date.month())), 2, out);
  out.push_back('-');
  append_padded(static_cast<int>(static_cast<unsigned>(date.day())), 2, out);
  out.push_back('T');
  append_padded(static_cast<int>(clock.hours().count()), 2, out);
  out.push_back(':');
  append_padded(static_cast<int>(clock.minutes().count()), 2, out);
  out.push_back(':');
  append_padded(static_cast<int>(clock.seconds().count()), 2, out);
  if (const auto ms = clock.subseconds().count(); ms != 0) {
    out.push_back('.');
    append_padded(static_cast<int>(ms), 3, out);
  }
  out.push_back('Z');
}

std::string to_json(View document, JsonMode mode) {
  std::string out;
  append_json(document, mode, out);
  return out;
}

}  // namespace tidemark::bson
