#include "bson/json.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstring>

#include "bson/utf8.h"

namespace tidemark::bson {
namespace {

// --- strings

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

// False when the text is not UTF-8, at whose first such byte it stops, or with `replaces`, goes on after a U+FFFD.
template <bool replaces>
bool append_string(std::string_view text, std::string& out) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  const size_t size = text.size();
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
    out.append(text.data() + run, i - run);
    if (bytes[i] < 0x80)
      append_escape(bytes[i], out);
    else if constexpr (replaces)
      out.append("\xef\xbf\xbd");
    else
      return false;
    run = ++i;
  }
  out.append(text.data() + run, size - run);
  out.push_back('"');
  return true;
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

void append_padded(int value, int width, std::string& out) {
  char digits[12];
  for (int i = width - 1; i >= 0; --i, value /= 10) digits[i] = static_cast<char>('0' + value % 10);
  out.append(digits, static_cast<size_t>(width));
}

void append_date(int64_t ms, bool canonical, std::string& out) {
  constexpr int64_t kYear10000 = 253402300800000;
  out.append("{\"$date\":");
  if (!canonical && ms >= 0 && ms < kYear10000) {
    out.push_back('"');
    append_rfc3339(ms, out);
    out.append("\"}");
    return;
  }
  out.append("{\"$numberLong\":\"");
  append_number(ms, out);
  out.append("\"}}");
}

void append_base64(std::span<const uint8_t> bytes, std::string& out) {
  const size_t size = bytes.size();
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

void append_oid(const uint8_t* bytes, std::string& out) {
  out.append("{\"$oid\":\"");
  for (int i = 0; i < 12; ++i) append_hex_byte(bytes[i], out);
  out.append("\"}");
}

// --- what has no exact word

// The one NaN that the word "NaN" reads back to; there are 2^53 - 2 others.
constexpr uint64_t kNan = 0x7ff8000000000000;

// The words read back to one infinity of each sign, to one NaN, and to coefficients of at most 34 digits (which the large
// form of the encoding never has).
bool has_exact_text(const bson_decimal128_t& decimal) {
  constexpr uint64_t kSign = uint64_t{1} << 63, kInfinity = 0x7800000000000000,
                     kDecimalNan = 0x7c00000000000000;
  constexpr uint64_t kLargestHigh = 0x0001ed09bead87c0, kLargestLow = 0x378d8e63ffffffff;  // 10^34 - 1
  const uint64_t high = decimal.high & ~kSign;
  if (high >= 0x6000000000000000)
    return decimal.low == 0 && (high == kInfinity || decimal.high == kDecimalNan);
  const uint64_t coefficient = high & 0x0001ffffffffffff;
  return coefficient < kLargestHigh || (coefficient == kLargestHigh && decimal.low <= kLargestLow);
}

void append_bytes(uint8_t type, std::span<const uint8_t> bytes, std::string& out) {
  out.append("{\"$bson\":{\"type\":\"");
  append_hex_byte(type, out);
  out.append("\",\"base64\":\"");
  append_base64(bytes, out);
  out.append("\"}}");
}

// --- values

class Writer {
 public:
  Writer(JsonMode mode, std::string& out) : canonical_(mode == JsonMode::kCanonical), out_(out) {}

  // `depth` is the level of this document, the outermost being 1.
  void members(View document, bool array, int depth) {
    const size_t start = out_.size();
    if (depth <= kDepthMax && (array ? items(document, depth) : fields(document, depth))) return;
    out_.resize(start);
    append_bytes(array ? BSON_TYPE_ARRAY : BSON_TYPE_DOCUMENT, document.bytes(), out_);
  }

  void value(const Element& element, int depth) {
    if (element.is_document() || element.is_array())
      return members(element.document(), element.is_array(), depth + 1);
    const size_t start = out_.size();
    if (scalar(element, depth)) return;
    out_.resize(start);
    append_bytes(static_cast<uint8_t>(element.type()), element.value_bytes(), out_);
  }

 private:
  // Each of these is false where the text would not be exact; what was written by then is taken back.

  bool text(std::string_view text) {
    return canonical_ ? append_string<false>(text, out_) : append_string<true>(text, out_);
  }

  bool fields(View document, int depth) {
    out_.push_back('{');
    bool first = true;
    for (const Element field : document) {
      if (!first) out_.push_back(',');
      first = false;
      const std::string_view key = field.key();
      if (canonical_ && key.starts_with('$') && is_extended_word(key)) return false;
      if (!text(key)) return false;
      out_.push_back(':');
      value(field, depth);
    }
    out_.push_back('}');
    return true;
  }

  bool items(View array, int depth) {
    out_.push_back('[');
    uint32_t index = 0;
    for (const Element item : array) {
      if (index > 0) out_.push_back(',');
      if (canonical_ && !is_index(item.key(), index)) return false;
      ++index;
      value(item, depth);
    }
    out_.push_back(']');
    return true;
  }

  static bool is_index(std::string_view key, uint32_t index) {
    if (index < 10) return key.size() == 1 && key[0] == static_cast<char>('0' + index);
    char digits[12];
    const auto end = std::to_chars(digits, digits + sizeof digits, index).ptr;
    return key == std::string_view(digits, static_cast<size_t>(end - digits));
  }

  bool wrapped_text(std::string_view opening, std::string_view content) {
    out_.append(opening);
    if (!text(content)) return false;
    out_.push_back('}');
    return true;
  }

  bool integer(std::string_view opening, int64_t value) {
    if (!canonical_) {
      append_number(value, out_);
      return true;
    }
    out_.append(opening);
    append_number(value, out_);
    out_.append("\"}");
    return true;
  }

  bool real(double value) {
    if (std::isfinite(value) && !canonical_) {
      append_finite(value, out_);
      return true;
    }
    out_.append("{\"$numberDouble\":\"");
    if (std::isnan(value)) {
      if (canonical_ && std::bit_cast<uint64_t>(value) != kNan) return false;
      out_.append("NaN");
    } else if (std::isinf(value)) {
      out_.append(value < 0 ? "-Infinity" : "Infinity");
    } else {
      append_finite(value, out_);
    }
    out_.append("\"}");
    return true;
  }

  bool decimal(const Element& element) {
    bson_decimal128_t decimal;
    bson_iter_decimal128(&element.iter(), &decimal);
    if (canonical_ && !has_exact_text(decimal)) return false;
    char text[BSON_DECIMAL128_STRING];
    bson_decimal128_to_string(&decimal, text);
    out_.append("{\"$numberDecimal\":\"").append(text).append("\"}");
    return true;
  }

  bool boolean(const Element& element) {
    const uint8_t byte = element.value_bytes()[0];
    if (canonical_ && byte > 1) return false;
    out_.append(byte != 0 ? "true" : "false");
    return true;
  }

  bool binary(const Element& element) {
    const Binary binary = element.binary();
    if (canonical_ && !binary.well_formed) return false;
    out_.append("{\"$binary\":{\"base64\":\"");
    append_base64(binary.bytes, out_);
    out_.append("\",\"subType\":\"");
    append_hex_byte(binary.subtype, out_);
    out_.append("\"}}");
    return true;
  }

  bool regex(const Element& element) {
    const RegexValue regex = element.regex();
    // The specification wants the options in alphabetical order; a document may hold them in any.
    const bool sorted = std::is_sorted(regex.options.begin(), regex.options.end());
    if (canonical_ && !sorted) return false;
    out_.append("{\"$regularExpression\":{\"pattern\":");
    if (!text(regex.pattern)) return false;
    out_.append(",\"options\":");
    std::string in_order;
    if (!sorted) {
      in_order = regex.options;
      std::sort(in_order.begin(), in_order.end());
    }
    if (!text(sorted ? regex.options : in_order)) return false;
    out_.append("}}");
    return true;
  }

  bool timestamp(const Element& element) {
    uint32_t seconds = 0, increment = 0;
    bson_iter_timestamp(&element.iter(), &seconds, &increment);
    out_.append("{\"$timestamp\":{\"t\":");
    append_number(seconds, out_);
    out_.append(",\"i\":");
    append_number(increment, out_);
    out_.append("}}");
    return true;
  }

  bool pointer(const Element& element) {
    const DbPointer pointer = element.db_pointer();
    out_.append("{\"$dbPointer\":{\"$ref\":");
    if (!text(pointer.collection)) return false;
    out_.append(",\"$id\":");
    append_oid(pointer.id.data(), out_);
    out_.append("}}");
    return true;
  }

  bool scoped_code(const Element& element, int depth) {
    const ScopedCode scoped = element.scoped_code();
    out_.append("{\"$code\":");
    if (!text(scoped.code)) return false;
    out_.append(",\"$scope\":");
    members(scoped.scope, false, depth + 1);
    out_.push_back('}');
    return true;
  }

  bool word(std::string_view word) {
    out_.append(word);
    return true;
  }

  bool scalar(const Element& element, int depth) {
    const bson_iter_t& iter = element.iter();
    switch (element.type()) {
      case BSON_TYPE_UTF8:
        return text(element.string());
      case BSON_TYPE_INT32:
        return integer("{\"$numberInt\":\"", bson_iter_int32(&iter));
      case BSON_TYPE_INT64:
        return integer("{\"$numberLong\":\"", bson_iter_int64(&iter));
      case BSON_TYPE_DOUBLE:
        return real(bson_iter_double(&iter));
      case BSON_TYPE_DECIMAL128:
        return decimal(element);
      case BSON_TYPE_BOOL:
        return boolean(element);
      case BSON_TYPE_NULL:
        return word("null");
      case BSON_TYPE_UNDEFINED:
        return word("{\"$undefined\":true}");
      case BSON_TYPE_OID:
        append_oid(element.value_bytes().data(), out_);
        return true;
      case BSON_TYPE_DATE_TIME:
        append_date(bson_iter_date_time(&iter), canonical_, out_);
        return true;
      case BSON_TYPE_TIMESTAMP:
        return timestamp(element);
      case BSON_TYPE_BINARY:
        return binary(element);
      case BSON_TYPE_REGEX:
        return regex(element);
      case BSON_TYPE_DBPOINTER:
        return pointer(element);
      case BSON_TYPE_CODE:
        return wrapped_text("{\"$code\":", element.string());
      case BSON_TYPE_SYMBOL:
        return wrapped_text("{\"$symbol\":", element.string());
      case BSON_TYPE_CODEWSCOPE:
        return scoped_code(element, depth);
      case BSON_TYPE_MINKEY:
        return word("{\"$minKey\":1}");
      case BSON_TYPE_MAXKEY:
        return word("{\"$maxKey\":1}");
      case BSON_TYPE_DOCUMENT:
      case BSON_TYPE_ARRAY:
      case BSON_TYPE_EOD:
        break;
    }
    TIDEMARK_CHECK(false, "a type that no checked document holds");
    return false;
  }

  const bool canonical_;
  std::string& out_;
};

}  // namespace

bool is_extended_word(std::string_view name) {
  static constexpr std::array<std::string_view, 17> kWords = {"$binary",
                                                              "$bson",
                                                              "$code",
                                                              "$date",
                                                              "$dbPointer",
                                                              "$maxKey",
                                                              "$minKey",
                                                              "$numberDecimal",
                                                              "$numberDouble",
                                                              "$numberInt",
                                                              "$numberLong",
                                                              "$oid",
                                                              "$regularExpression",
                                                              "$scope",
                                                              "$symbol",
                                                              "$timestamp",
                                                              "$undefined"};
  return std::find(kWords.begin(), kWords.end(), name) != kWords.end();
}

void append_json(View document, JsonMode mode, std::string& out) {
  if (!document) {
    out.append("{}");
    return;
  }
  Writer(mode, out).members(document, false, 1);
}

void append_json_array(View array, JsonMode mode, std::string& out) {
  if (!array) {
    out.append("[]");
    return;
  }
  Writer(mode, out).members(array, true, 1);
}

void append_json_value(const Element& element, JsonMode mode, std::string& out) {
  Writer(mode, out).value(element, 1);
}

void append_json_string(std::string_view text, std::string& out) { append_string<true>(text, out); }

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
