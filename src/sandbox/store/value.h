// A value of an aggregation expression: one BSON value, or "missing", which shares the document it stands in.
// Immutable; any thread may read it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "bson/document.h"

namespace tidemark::sandbox {

class Value {
 public:
  Value() = default;  // missing
  // REQUIRES `element` to lie in `owner`.
  Value(bson::Document owner, const bson::Element& element);
  // A copy of a value that lies anywhere.
  explicit Value(const bson::Element& element);
  explicit Value(bool value);
  explicit Value(int32_t value);
  explicit Value(int64_t value);
  explicit Value(double value);
  explicit Value(std::string_view text);
  explicit Value(const char* text) : Value(std::string_view(text)) {}
  explicit Value(const bson_decimal128_t& value);
  static Value null();
  static Value date(int64_t ms);
  static Value timestamp(bson::Timestamp time);
  static Value document(bson::View document);
  static Value array(bson::View items);
  static Value array(std::span<const Value> items);  // a missing item becomes null

  bool missing() const { return !owner_; }
  bson_type_t type() const {
    return owner_ ? static_cast<bson_type_t>(owner_.view().data()[offset_]) : BSON_TYPE_EOD;
  }
  // Null, undefined or missing.
  bool nullish() const;
  bool is_number() const;
  bool is_array() const { return type() == BSON_TYPE_ARRAY; }
  bool is_document() const { return type() == BSON_TYPE_DOCUMENT; }
  bool is_string() const { return type() == BSON_TYPE_UTF8; }
  bool truthy() const { return owner_ && element().truthy(); }

  // REQUIRES !missing().
  bson::Element element() const;
  // REQUIRES is_document() or is_array(); lives as long as this value.
  bson::View view() const { return element().document(); }
  std::string_view string() const { return element().string(); }
  std::optional<int64_t> integer() const { return missing() ? std::nullopt : element().integer(); }
  double number() const;  // REQUIRES is_number()
  // REQUIRES is_array().
  std::vector<Value> items() const;
  // The field of a document as a value that shares it; missing where there is none or this is no document.
  Value field(std::string_view name) const;

  void append_to(bson::Builder& builder, std::string_view key) const;  // nothing when missing
  const bson::Document& owner() const { return owner_; }

 private:
  bson::Document owner_;
  uint32_t offset_ = 0;  // of the element's type byte in the owner
};

// MongoDB's order; missing is below everything.
int compare(const Value& a, const Value& b);
// The server's name of a type: "int", "object", "missing".
std::string_view type_name(bson_type_t type);
std::string_view type_name(const Value& value);

}  // namespace tidemark::sandbox
