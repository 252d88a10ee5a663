#include "bson/document.h"

#include <cassert>
#include <cmath>
#include <cstring>

namespace tidemark::bson {
namespace {

int key_length(std::string_view key) { return static_cast<int>(key.size()); }

}  // namespace

uint32_t View::Iterator::variable_end(uint8_t type, uint32_t at) {
  // 64 bits, so that no length wraps around: what is out of bounds is found by the caller.
  const uint8_t* raw = iter_.raw;
  const uint32_t last = iter_.len - 1;
  const auto checked = [last](uint64_t end) {
    TIDEMARK_CHECK(end <= last, "a value left its document");
    return static_cast<uint32_t>(end);
  };
  const auto cstring_end = [&](uint32_t from) {
    const void* nul = std::memchr(raw + from, 0, last - from);
    TIDEMARK_CHECK(nul != nullptr, "a regular expression left its document");
    return static_cast<uint32_t>(static_cast<const uint8_t*>(nul) - raw) + 1;
  };
  if (type == BSON_TYPE_REGEX) {
    iter_.d2 = cstring_end(at);
    return cstring_end(iter_.d2);
  }
  checked(uint64_t{at} + 4);
  const uint64_t size = load_u32(raw + at);
  switch (type) {
    case BSON_TYPE_DOCUMENT:
    case BSON_TYPE_ARRAY:
      return checked(at + size);
    case BSON_TYPE_UTF8:
    case BSON_TYPE_CODE:
    case BSON_TYPE_SYMBOL:
      iter_.d2 = at + 4;
      return checked(at + 4 + size);
    case BSON_TYPE_BINARY:
      iter_.d2 = at + 4;
      iter_.d3 = at + 5;
      return checked(at + 5 + size);
    case BSON_TYPE_DBPOINTER:
      iter_.d2 = at + 4;
      iter_.d3 = checked(at + 4 + size);
      return checked(uint64_t{iter_.d3} + 12);
    case BSON_TYPE_CODEWSCOPE:
      iter_.d2 = at + 4;
      iter_.d3 = checked(uint64_t{at} + 8);
      iter_.d4 = checked(at + 8 + uint64_t{load_u32(raw + at + 4)});
      return checked(at + size);
    default:
      TIDEMARK_CHECK(false, "a type that BSON doesn't have, in a document that was checked");
  }
  return at;
}

Binary Element::binary() const {
  TIDEMARK_CHECK(type() == BSON_TYPE_BINARY, "bytes were asked of another type");
  const uint32_t size = load_u32(iter_.raw + iter_.d1);
  Binary binary{iter_.raw[iter_.d2], {iter_.raw + iter_.d3, size}};
  if (binary.subtype != BSON_SUBTYPE_BINARY_DEPRECATED) return binary;
  binary.well_formed = size >= 4 && load_u32(iter_.raw + iter_.d3) == size - 4;
  if (binary.well_formed) binary.bytes = binary.bytes.subspan(4);
  return binary;
}

RegexValue Element::regex() const {
  TIDEMARK_CHECK(type() == BSON_TYPE_REGEX, "a pattern was asked of another type");
  const auto* text = reinterpret_cast<const char*>(iter_.raw);
  return {{text + iter_.d1, iter_.d2 - iter_.d1 - 1}, {text + iter_.d2, iter_.next_off - iter_.d2 - 1}};
}

DbPointer Element::db_pointer() const {
  TIDEMARK_CHECK(type() == BSON_TYPE_DBPOINTER, "a pointer was asked of another type");
  return {string_at(iter_.d1), std::span<const uint8_t, 12>(iter_.raw + iter_.d3, 12)};
}

ScopedCode Element::scoped_code() const {
  TIDEMARK_CHECK(type() == BSON_TYPE_CODEWSCOPE, "a scope was asked of another type");
  return {string_at(iter_.d2), View::unchecked(iter_.raw + iter_.d4, iter_.next_off - iter_.d4)};
}

std::optional<int64_t> Element::integer() const {
  switch (type()) {
    case BSON_TYPE_INT32:
      return bson_iter_int32(&iter_);
    case BSON_TYPE_INT64:
      return bson_iter_int64(&iter_);
    case BSON_TYPE_DOUBLE: {
      const double value = bson_iter_double(&iter_);
      if (std::trunc(value) != value || value < -0x1p63 || value >= 0x1p63) return std::nullopt;
      return static_cast<int64_t>(value);
    }
    case BSON_TYPE_DECIMAL128: {
      bson_decimal128_t decimal;
      bson_iter_decimal128(&iter_, &decimal);
      char text[BSON_DECIMAL128_STRING];
      bson_decimal128_to_string(&decimal, text);
      char* end = nullptr;
      errno = 0;
      const long long value = std::strtoll(text, &end, 10);
      if (errno != 0 || end == text || *end != '\0') return std::nullopt;
      return value;
    }
    default:
      return std::nullopt;
  }
}

bool Element::truthy() const {
  switch (type()) {
    case BSON_TYPE_NULL:
    case BSON_TYPE_UNDEFINED:
      return false;
    case BSON_TYPE_BOOL:
      return bson_iter_bool(&iter_);
    case BSON_TYPE_INT32:
      return bson_iter_int32(&iter_) != 0;
    case BSON_TYPE_INT64:
      return bson_iter_int64(&iter_) != 0;
    case BSON_TYPE_DOUBLE:
      return bson_iter_double(&iter_) != 0;
    case BSON_TYPE_DECIMAL128: {
      const auto whole = integer();
      return !whole || *whole != 0;
    }
    default:
      return true;
  }
}

Result<View> View::parse(std::span<const uint8_t> bytes) {
  const auto flaw = find_framing_flaw(bytes);
  if (!flaw) return View(bytes.data(), static_cast<uint32_t>(bytes.size()));
  std::string what = "not a well-formed BSON document: ";
  if (!flaw->path.empty()) what += "in the field \"" + flaw->path + "\", ";
  return fail(React::kReject, what + flaw->what + ", at byte " + std::to_string(flaw->at));
}

std::optional<Element> View::find(std::string_view key) const {
  for (const Element field : *this)
    if (field.key() == key) return field;
  return std::nullopt;
}

std::optional<Element> View::find_path(std::string_view dotted) const {
  View view = *this;
  while (true) {
    const size_t dot = dotted.find('.');
    auto element = view.find(dotted.substr(0, dot));
    if (!element || dot == std::string_view::npos) return element;
    if (!element->is_document() && !element->is_array()) return std::nullopt;
    view = element->document();
    dotted.remove_prefix(dot + 1);
  }
}

bool operator==(const View& a, const View& b) {
  if (!a || !b) return !a && !b;
  return a.size_ == b.size_ && std::memcmp(a.data_, b.data_, a.size_) == 0;
}

Document::Document(View view) {
  if (!view) return;
  auto bytes = std::make_shared_for_overwrite<uint8_t[]>(view.size());
  std::memcpy(bytes.get(), view.data(), view.size());
  bytes_ = std::move(bytes);
  size_ = view.size();
}

Builder& Builder::append(std::string_view key, std::string_view text) {
  bson_append_utf8(&doc_, key.data(), key_length(key), text.empty() ? "" : text.data(),
                   static_cast<int>(text.size()));
  return *this;
}
Builder& Builder::append(std::string_view key, int32_t value) {
  bson_append_int32(&doc_, key.data(), key_length(key), value);
  return *this;
}
Builder& Builder::append(std::string_view key, int64_t value) {
  bson_append_int64(&doc_, key.data(), key_length(key), value);
  return *this;
}
Builder& Builder::append(std::string_view key, double value) {
  bson_append_double(&doc_, key.data(), key_length(key), value);
  return *this;
}
Builder& Builder::append(std::string_view key, bool value) {
  bson_append_bool(&doc_, key.data(), key_length(key), value);
  return *this;
}
Builder& Builder::append(std::string_view key, View document) {
  TIDEMARK_CHECK(document, "no document was appended");
  return append_raw(key, BSON_TYPE_DOCUMENT, document.bytes());
}
// libbson's way of copying a value (bson_append_iter) takes it apart and builds it anew: it fails where it can't walk,
// drops and sorts the options of regular expressions, and makes 1 of a boolean of 2.
Builder& Builder::append_raw(std::string_view key, uint8_t type, std::span<const uint8_t> value) {
  uint8_t* at = grow(1 + key.size() + 1 + value.size());
  *at++ = type;
  if (!key.empty()) std::memcpy(at, key.data(), key.size());
  at += key.size();
  *at++ = 0;
  if (!value.empty()) std::memcpy(at, value.data(), value.size());
  return *this;
}
// Room for `more` bytes in front of the terminator, with the lengths already right.
uint8_t* Builder::grow(size_t more) {
  const uint32_t size = doc_.len;
  TIDEMARK_CHECK(more <= static_cast<size_t>(INT32_MAX) - size, "a document of more than 2 GiB");
  const auto grown = static_cast<uint32_t>(size + more);
  uint8_t* data = bson_reserve_buffer(&doc_, grown);
  TIDEMARK_CHECK(data != nullptr, "a document that is being built elsewhere, or no memory");
  for (int i = 0; i < 4; ++i) data[i] = static_cast<uint8_t>(grown >> (8 * i));
  data[grown - 1] = 0;
  return data + size - 1;
}
Builder& Builder::append_array(std::string_view key, View array) {
  // Not bson_append_array(), which writes to standard error about keys that are no indexes.
  TIDEMARK_CHECK(array, "no array was appended");
  return append_raw(key, BSON_TYPE_ARRAY, array.bytes());
}
Builder& Builder::append_null(std::string_view key) {
  bson_append_null(&doc_, key.data(), key_length(key));
  return *this;
}
Builder& Builder::append_timestamp(std::string_view key, uint32_t seconds, uint32_t increment) {
  bson_append_timestamp(&doc_, key.data(), key_length(key), seconds, increment);
  return *this;
}
Builder& Builder::append_date(std::string_view key, int64_t ms_since_epoch) {
  bson_append_date_time(&doc_, key.data(), key_length(key), ms_since_epoch);
  return *this;
}
Builder& Builder::concat(View document) {
  if (document.empty()) return *this;
  const size_t fields = document.size() - 5;
  std::memcpy(grow(fields), document.data() + 4, fields);
  return *this;
}

}  // namespace tidemark::bson
