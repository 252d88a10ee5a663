#include "bson/json.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>

#include "bson/json_text.h"

namespace tidemark::bson {
namespace {

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

  bool text(std::string_view text) { return append_string<false>(text, out_); }

  bool fields(View document, int depth) {
    out_.push_back('{');
    bool first = true;
    for (const Element field : document) {
      if (!first) out_.push_back(',');
      first = false;
      const std::string_view key = field.key();
      if (key.starts_with('$') && is_extended_word(key)) return false;
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
      if (!is_index(item.key(), index)) return false;
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
      if (std::bit_cast<uint64_t>(value) != kNan) return false;
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
    if (!has_exact_text(decimal)) return false;
    char text[BSON_DECIMAL128_STRING];
    bson_decimal128_to_string(&decimal, text);
    out_.append("{\"$numberDecimal\":\"").append(text).append("\"}");
    return true;
  }

  bool boolean(const Element& element) {
    const uint8_t byte = element.value_bytes()[0];
    if (byte > 1) return false;
    out_.append(byte != 0 ? "true" : "false");
    return true;
  }

  bool binary(const Element& element) {
    const Binary binary = element.binary();
    if (!binary.well_formed) return false;
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
    if (!std::is_sorted(regex.options.begin(), regex.options.end())) return false;
    out_.append("{\"$regularExpression\":{\"pattern\":");
    if (!text(regex.pattern)) return false;
    out_.append(",\"options\":");
    if (!text(regex.options)) return false;
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

void append_json_text(std::string_view text, std::string& out) {
  const size_t start = out.size();
  if (append_string<false>(text, out)) return;
  out.resize(start);
  Builder holder;
  holder.append("", text);
  const View whole = holder.view();
  append_json_value(*whole.begin(), JsonMode::kCanonical, out);
}

std::string to_json(View document, JsonMode mode) {
  std::string out;
  append_json(document, mode, out);
  return out;
}

}  // namespace tidemark::bson
