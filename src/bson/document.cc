#include "bson/document.h"

#include <cassert>
#include <cmath>
#include <cstring>

namespace tidemark::bson {
namespace {

int key_length(std::string_view key) { return static_cast<int>(key.size()); }

}  // namespace

View Element::document() const {
  const uint8_t* data = nullptr;
  uint32_t size = 0;
  if (is_array())
    bson_iter_array(&iter_, &size, &data);
  else
    bson_iter_document(&iter_, &size, &data);
  return {data, size};
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

std::span<const uint8_t> Element::value_bytes() const {
  // libbson keeps, for the current field, where it starts (off), where its value starts (d1), and where the
  // next field starts (next_off). Types without a value have no d1.
  const uint32_t key_end = iter_.key + bson_iter_key_len(&iter_) + 1;
  return {iter_.raw + key_end, iter_.raw + iter_.next_off};
}

Result<View> View::parse(std::span<const uint8_t> bytes) {
  bson_t doc;
  if (bytes.size() < 5 || bytes.size() > UINT32_MAX || !bson_init_static(&doc, bytes.data(), bytes.size()))
    return fail(React::kReject, "not a BSON document: its length field disagrees with its bytes");
  size_t offset = 0;
  const auto flags = static_cast<bson_validate_flags_t>(BSON_VALIDATE_UTF8 | BSON_VALIDATE_UTF8_ALLOW_NULL);
  if (!bson_validate(&doc, flags, &offset))
    return fail(React::kReject, "not a well-formed BSON document at byte " + std::to_string(offset));
  return View(bytes.data(), static_cast<uint32_t>(bytes.size()));
}

std::optional<Element> View::find(std::string_view key) const {
  bson_iter_t iter;
  if (data_ == nullptr || !bson_iter_init_from_data(&iter, data_, size_)) return std::nullopt;
  while (bson_iter_next(&iter)) {
    if (bson_iter_key_len(&iter) == key.size() &&
        std::memcmp(bson_iter_key(&iter), key.data(), key.size()) == 0)
      return Element(iter);
  }
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

Result<Document> Document::from_json(std::string_view json) {
  bson_error_t error;
  bson_t doc;
  // An empty text has no document, yet libbson would take a zero length for "until the terminator".
  if (json.empty()) return fail(React::kReject, "not Extended JSON: the text is empty");
  if (!bson_init_from_json(&doc, json.data(), static_cast<ssize_t>(json.size()), &error))
    return fail(React::kReject, std::string("not Extended JSON: ") + error.message);
  Document result(&doc);
  bson_destroy(&doc);
  return result;
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
  const bson_t doc = document.raw();
  bson_append_document(&doc_, key.data(), key_length(key), &doc);
  return *this;
}
Builder& Builder::append(std::string_view key, const Element& element) {
  bson_append_iter(&doc_, key.data(), key_length(key), &element.iter());
  return *this;
}
Builder& Builder::append_array(std::string_view key, View array) {
  const bson_t doc = array.raw();
  bson_append_array(&doc_, key.data(), key_length(key), &doc);
  return *this;
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
  if (document) {
    const bson_t doc = document.raw();
    bson_concat(&doc_, &doc);
  }
  return *this;
}

}  // namespace tidemark::bson
