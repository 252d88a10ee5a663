#include "bson/json_reader.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <string>

#include "bson/decimal_text.h"
#include "bson/framing.h"
#include "bson/json.h"
#include "bson/json_scanner.h"
#include "bson/scratch.h"

namespace tidemark::bson {
namespace {

constexpr const char* kTooDeep = "more than 250 levels";

// The whole of `text` as a number; empty for anything else.
template <class Number>
std::optional<Number> number_in(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<double> double_in(std::string_view text) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (text == "Infinity") return kInfinity;
  if (text == "-Infinity") return -kInfinity;
  // from_chars knows "inf" and "nan" as well, which are no words of Extended JSON.
  const std::string_view digits = text.starts_with('-') ? text.substr(1) : text;
  if (digits.empty() || digits[0] < '0' || digits[0] > '9') return std::nullopt;
  return number_in<double>(text);
}

// Reads values to the end of a buffer, each behind the type byte and the name that its caller has written.
class Reader : private JsonScanner {
 public:
  using JsonScanner::error;
  using JsonScanner::JsonScanner;

  // The whole text as one value; its type goes to out_[type_at].
  bool only_value(size_t type_at, int depth) {
    if (json_.size() > kJsonBytesMax) return fail("more than 256 MiB of text");
    if (!value(type_at, depth)) return false;
    return at_end() || fail("more text behind the value");
  }

 private:
  // A string at the end of out_, looked at and taken back.
  template <class Use>
  bool short_string(const char* why, const Use& use) {
    const size_t start = out_.size();
    if (!string()) return false;
    const bool good = use(std::string_view(out_).substr(start));
    out_.resize(start);
    return good || fail(why);
  }

  // --- BSON

  void put_u32(size_t at, size_t value) {
    for (int i = 0; i < 4; ++i) out_[at + static_cast<size_t>(i)] = static_cast<char>(value >> (8 * i));
  }
  void append_u32(uint32_t value) {
    out_.append(4, '\0');
    put_u32(out_.size() - 4, value);
  }
  void append_u64(uint64_t value) {
    append_u32(static_cast<uint32_t>(value));
    append_u32(static_cast<uint32_t>(value >> 32));
  }
  // A string as BSON has it: length, bytes, terminator.
  bool bson_string() {
    const size_t start = out_.size();
    out_.append(4, '\0');
    if (!string()) return false;
    out_.push_back('\0');
    put_u32(start, out_.size() - start - 4);
    return true;
  }
  bool bson_cstring() {
    const size_t start = out_.size();
    if (!string()) return false;
    if (out_.find('\0', start) != std::string::npos) return fail("U+0000 where BSON has no room for it");
    out_.push_back('\0');
    return true;
  }

  // --- values. `depth` is the level of the document they stand in.

  bool value(size_t type_at, int depth) {
    if (at_end()) return fail("a value was expected");
    switch (peek()) {
      case '"':
        out_[type_at] = BSON_TYPE_UTF8;
        return bson_string();
      case '{':
        take('{');
        return object(type_at, depth);
      case '[':
        take('[');
        out_[type_at] = BSON_TYPE_ARRAY;
        return array(depth + 1);
      case 't':
      case 'f': {
        const bool truth = peek() == 't';
        if (!take_word(truth ? "true" : "false")) return fail("a value was expected");
        out_[type_at] = BSON_TYPE_BOOL;
        out_.push_back(truth ? '\1' : '\0');
        return true;
      }
      case 'n':
        if (!take_word("null")) return fail("a value was expected");
        out_[type_at] = BSON_TYPE_NULL;
        return true;
      default:
        return fail("a value was expected (a number has its type around it)");
    }
  }

  bool array(int depth) {
    if (depth > kDepthMax) return fail(kTooDeep);
    const size_t start = out_.size();
    out_.append(4, '\0');
    if (!take(']')) {
      uint32_t index = 0;
      do {
        const size_t type_at = out_.size();
        char key[16];
        const auto end = std::to_chars(key, key + sizeof key, index++).ptr;
        out_.push_back('\0');
        out_.append(key, static_cast<size_t>(end - key));
        out_.push_back('\0');
        if (!value(type_at, depth)) return false;
      } while (take(','));
      if (!take(']')) return fail("an array without its end");
    }
    out_.push_back('\0');
    put_u32(start, out_.size() - start);
    return true;
  }

  // Behind the brace. A document, unless its first name is one of the words, which the writer puts into no document.
  bool object(size_t type_at, int depth) {
    const size_t start = out_.size();
    out_[type_at] = BSON_TYPE_DOCUMENT;
    out_.append(4, '\0');
    const bool fits = depth + 1 <= kDepthMax;  // a word is no level of its own
    if (!take('}')) {
      do {
        const size_t field_at = out_.size();
        out_.push_back('\0');
        if (!bson_cstring()) return false;
        if (!take(':')) return fail("a name without a value");
        const auto name = std::string_view(out_).substr(field_at + 1, out_.size() - field_at - 2);
        if (name.starts_with('$') && is_extended_word(name)) {
          if (field_at != start + 4)
            return fail("one of Extended JSON's own words among a document's fields");
          return word(type_at, start, depth);
        }
        if (!fits) return fail(kTooDeep);
        if (!value(field_at, depth + 1)) return false;
      } while (take(','));
      if (!take('}')) return fail("a document without its end");
    }
    if (!fits) return fail(kTooDeep);
    out_.push_back('\0');
    put_u32(start, out_.size() - start);
    return true;
  }

  // --- words. The name stands in out_ from `start` + 5, its colon is read.

  bool word(size_t type_at, size_t start, int depth) {
    std::array<char, 24> copy;
    const size_t size = out_.size() - start - 6;
    out_.copy(copy.data(), size, start + 5);
    const std::string_view name(copy.data(), size);
    out_.resize(start);
    if (!word_value(name, type_at, depth)) return false;
    return take('}') || fail("a word of Extended JSON with a member too many, or without its end");
  }

  bool word_value(std::string_view name, size_t type_at, int depth) {
    if (name == "$numberInt") return integer<int32_t>(type_at, BSON_TYPE_INT32);
    if (name == "$numberLong") return integer<int64_t>(type_at, BSON_TYPE_INT64);
    if (name == "$oid") return typed(type_at, BSON_TYPE_OID) && oid();
    if (name == "$date") return typed(type_at, BSON_TYPE_DATE_TIME) && date();
    if (name == "$numberDouble") return typed(type_at, BSON_TYPE_DOUBLE) && real();
    if (name == "$numberDecimal") return typed(type_at, BSON_TYPE_DECIMAL128) && decimal();
    if (name == "$binary") return typed(type_at, BSON_TYPE_BINARY) && binary();
    if (name == "$timestamp") return typed(type_at, BSON_TYPE_TIMESTAMP) && timestamp();
    if (name == "$regularExpression") return typed(type_at, BSON_TYPE_REGEX) && regex();
    if (name == "$code" || name == "$scope") return code(name == "$scope", type_at, depth);
    if (name == "$symbol") return typed(type_at, BSON_TYPE_SYMBOL) && bson_string();
    if (name == "$dbPointer") return typed(type_at, BSON_TYPE_DBPOINTER) && pointer();
    if (name == "$undefined") return typed(type_at, BSON_TYPE_UNDEFINED) && exactly("true");
    if (name == "$minKey") return typed(type_at, BSON_TYPE_MINKEY) && exactly("1");
    if (name == "$maxKey") return typed(type_at, BSON_TYPE_MAXKEY) && exactly("1");
    return bytes(type_at, depth);
  }

  bool typed(size_t type_at, bson_type_t type) {
    out_[type_at] = static_cast<char>(type);
    return true;
  }

  bool exactly(std::string_view word) {
    return take_word(word) || fail("a word of Extended JSON with another value than its own");
  }

  template <class Integer>
  bool integer(size_t type_at, bson_type_t type) {
    out_[type_at] = static_cast<char>(type);
    std::optional<Integer> number;
    const bool good = short_string("not an integer of its type", [&](std::string_view text) {
      return !!(number = number_in<Integer>(text));
    });
    if (!good) return false;
    if constexpr (sizeof(Integer) == 4)
      append_u32(static_cast<uint32_t>(*number));
    else
      append_u64(static_cast<uint64_t>(*number));
    return true;
  }

  bool real() {
    std::optional<double> number;
    if (!short_string("not a double", [&](std::string_view text) { return !!(number = double_in(text)); }))
      return false;
    append_u64(std::bit_cast<uint64_t>(*number));
    return true;
  }

  bool decimal() {
    std::optional<bson_decimal128_t> number;
    if (!short_string("not a Decimal128",
                      [&](std::string_view text) { return !!(number = decimal_from_text(text)); }))
      return false;
    append_u64(number->low);
    append_u64(number->high);
    return true;
  }

  bool oid() { return hex(12); }

  bool date() {
    if (!take('{')) return fail("a date that is not in milliseconds");
    if (!short_string("a date that is not in milliseconds",
                      [](std::string_view text) { return text == "$numberLong"; }))
      return false;
    if (!take(':')) return fail("a name without a value");
    std::optional<int64_t> ms;
    if (!short_string("a date that is not in milliseconds",
                      [&](std::string_view text) { return !!(ms = number_in<int64_t>(text)); }))
      return false;
    append_u64(static_cast<uint64_t>(*ms));
    return take('}') || fail("a date without its end");
  }

  // {A: ..., B: ...} in any order, each once. `a` and `b` append to out_; a's bytes come out in front of b's.
  template <class A, class B>
  bool pair(std::string_view a_name, const A& a, std::string_view b_name, const B& b) {
    constexpr const char* kOther = "a word of Extended JSON with other members than its own";
    if (!take('{')) return fail(kOther);
    bool a_first = false;
    const auto is_a = [&](std::string_view name) {
      a_first = name == a_name;
      return a_first || name == b_name;
    };
    if (!short_string(kOther, is_a)) return false;
    if (!take(':')) return fail("a name without a value");
    const size_t start = out_.size();
    if (!(a_first ? a() : b())) return false;
    const size_t middle = out_.size();
    const std::string_view second = a_first ? b_name : a_name;
    if (!take(',') || !short_string(kOther, [&](std::string_view name) { return name == second; }))
      return fail(kOther);
    if (!take(':')) return fail("a name without a value");
    if (!(a_first ? b() : a())) return false;
    if (!a_first)
      std::rotate(out_.begin() + static_cast<ptrdiff_t>(start), out_.begin() + static_cast<ptrdiff_t>(middle),
                  out_.end());
    return take('}') || fail(kOther);
  }

  bool binary() {
    const size_t start = out_.size();
    out_.append(4, '\0');
    if (!pair(
            "subType", [this] { return hex(1); }, "base64", [this] { return base64(); }))
      return false;
    if (static_cast<uint8_t>(out_[start + 4]) == BSON_SUBTYPE_BINARY_DEPRECATED) {
      const size_t inner = out_.size() - start - 5;
      out_.insert(start + 5, 4, '\0');
      put_u32(start + 5, inner);
    }
    put_u32(start, out_.size() - start - 5);
    return true;
  }

  // A plain number, which only a timestamp has.
  bool plain_u32() {
    const auto number = number_in<uint32_t>(take_digits());
    if (!number) return fail("not a number of 32 bits");
    append_u32(*number);
    return true;
  }

  bool timestamp() {
    // The increment is the lower half.
    return pair(
        "i", [this] { return plain_u32(); }, "t", [this] { return plain_u32(); });
  }

  bool regex() {
    return pair(
        "pattern", [this] { return bson_cstring(); }, "options", [this] { return bson_cstring(); });
  }

  bool pointer() {
    return pair(
        "$ref", [this] { return bson_string(); }, "$id",
        [this] {
          if (!take('{') ||
              !short_string("an $id that is no $oid", [](std::string_view name) { return name == "$oid"; }))
            return fail("an $id that is no $oid");
          return take(':') && oid() && (take('}') || fail("an $oid without its end"));
        });
  }

  // {"$code": text}, or with a "$scope" before or behind it.
  bool code(bool scope_first, size_t type_at, int depth) {
    const size_t start = out_.size();
    if (!(scope_first ? scope(depth) : bson_string())) return false;
    const size_t middle = out_.size();
    if (!take(',')) {
      if (scope_first) return fail("a $scope without its $code");
      out_[type_at] = BSON_TYPE_CODE;
      return true;
    }
    const std::string_view second = scope_first ? "$code" : "$scope";
    if (!short_string("a $code with another member than a $scope",
                      [&](std::string_view name) { return name == second; }))
      return false;
    if (!take(':')) return fail("a name without a value");
    if (!(scope_first ? bson_string() : scope(depth))) return false;
    if (scope_first)
      std::rotate(out_.begin() + static_cast<ptrdiff_t>(start), out_.begin() + static_cast<ptrdiff_t>(middle),
                  out_.end());
    out_[type_at] = BSON_TYPE_CODEWSCOPE;
    out_.insert(start, 4, '\0');
    put_u32(start, out_.size() - start);
    return true;
  }

  bool scope(int depth) {
    out_.push_back('\0');  // room for a type, taken back below
    const size_t type_at = out_.size() - 1;
    if (!value(type_at, depth)) return false;
    if (out_[type_at] != BSON_TYPE_DOCUMENT) return fail("a $scope that is no document");
    out_.erase(type_at, 1);
    return true;
  }

  // {"$bson": {"type": ..., "base64": ...}}
  bool bytes(size_t type_at, int depth) {
    const size_t start = out_.size();
    if (!pair(
            "type", [this] { return hex(1); }, "base64", [this] { return base64(); }))
      return false;
    const auto type = static_cast<uint8_t>(out_[start]);
    out_.erase(start, 1);
    const std::span<const uint8_t> value(reinterpret_cast<const uint8_t*>(out_.data()) + start,
                                         out_.size() - start);
    if (!is_framed_value(type, value, kDepthMax - depth))
      return fail("bytes that are no value of their type");
    out_[type_at] = static_cast<char>(type);
    return true;
  }
};

// Emptied, and no larger from one use to the next than most documents need.
std::string& buffer() {
  thread_local std::string bytes;
  if (bytes.capacity() > kScratchKeptBytes)
    bytes = std::string();
  else
    bytes.clear();
  return bytes;
}

Document document_in(std::string_view bytes) {
  return Document(
      View::unchecked(reinterpret_cast<const uint8_t*>(bytes.data()), static_cast<uint32_t>(bytes.size())));
}

}  // namespace

Result<Document> read_json(std::string_view json) {
  std::string& out = buffer();
  out.push_back('\0');
  Reader reader(json, out);
  if (!reader.only_value(0, 0)) return fail(reader.error());
  if (out[0] != BSON_TYPE_DOCUMENT)
    return fail(React::kReject, "not canonical Extended JSON: a value that is no document");
  return document_in(std::string_view(out).substr(1));
}

Result<Document> read_json_value(std::string_view json, std::string_view key) {
  std::string& out = buffer();
  out.append(5, '\0');
  out.append(key).push_back('\0');
  Reader reader(json, out);
  if (!reader.only_value(4, 1)) return fail(reader.error());
  out.push_back('\0');
  for (size_t i = 0; i < 4; ++i) out[i] = static_cast<char>(out.size() >> (8 * i));
  return document_in(out);
}

}  // namespace tidemark::bson
