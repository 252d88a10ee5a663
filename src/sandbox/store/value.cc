#include "sandbox/store/value.h"

#include <cstdlib>
#include <cstring>

#include "bson/compare.h"

namespace tidemark::sandbox {
namespace {

constexpr uint32_t kFirstElement = 4;  // behind the length of a document

bson::Document holder(auto append) {
  bson::Builder builder;
  append(builder);
  return builder.finish();
}

}  // namespace

Value::Value(bson::Document owner, const bson::Element& element) : owner_(std::move(owner)) {
  // An iterator knows where its element starts relative to the innermost document; the key's address gives it
  // relative to the owner.
  offset_ = static_cast<uint32_t>(reinterpret_cast<const uint8_t*>(element.key().data()) -
                                  owner_.view().data() - 1);
}

Value::Value(const bson::Element& element)
    : owner_(holder([&](bson::Builder& b) { b.append("", element); })), offset_(kFirstElement) {}
Value::Value(bool value)
    : owner_(holder([&](bson::Builder& b) { b.append("", value); })), offset_(kFirstElement) {}
Value::Value(int32_t value)
    : owner_(holder([&](bson::Builder& b) { b.append("", value); })), offset_(kFirstElement) {}
Value::Value(int64_t value)
    : owner_(holder([&](bson::Builder& b) { b.append("", value); })), offset_(kFirstElement) {}
Value::Value(double value)
    : owner_(holder([&](bson::Builder& b) { b.append("", value); })), offset_(kFirstElement) {}
Value::Value(std::string_view text)
    : owner_(holder([&](bson::Builder& b) { b.append("", text); })), offset_(kFirstElement) {}
Value::Value(const bson_decimal128_t& value)
    : owner_(holder([&](bson::Builder& b) { bson_append_decimal128(b.raw(), "", 0, &value); })),
      offset_(kFirstElement) {}

Value Value::null() {
  static const Value value = [] {
    bson::Builder builder;
    builder.append_null("");
    const bson::Document document = builder.finish();
    return Value(document, *document.view().begin());
  }();
  return value;
}

Value Value::date(int64_t ms) {
  const bson::Document document = holder([&](bson::Builder& b) { b.append_date("", ms); });
  return Value(document, *document.view().begin());
}

Value Value::timestamp(bson::Timestamp time) {
  const bson::Document document =
      holder([&](bson::Builder& b) { b.append_timestamp("", time.seconds, time.increment); });
  return Value(document, *document.view().begin());
}

Value Value::document(bson::View document) {
  const bson::Document owner = holder([&](bson::Builder& b) { b.append("", document); });
  return Value(owner, *owner.view().begin());
}

Value Value::array(bson::View items) {
  const bson::Document owner = holder([&](bson::Builder& b) { b.append_array("", items); });
  return Value(owner, *owner.view().begin());
}

Value Value::array(std::span<const Value> items) {
  bson::Builder array;
  uint32_t index = 0;
  for (const Value& item : items) {
    char buffer[16];
    const char* key = nullptr;
    bson_uint32_to_string(index++, &key, buffer, sizeof buffer);
    if (item.missing())
      array.append_null(key);
    else
      array.append(key, item.element());
  }
  return Value::array(array.view());
}

bool Value::nullish() const { return missing() || type() == BSON_TYPE_NULL || type() == BSON_TYPE_UNDEFINED; }

bool Value::is_number() const {
  const bson_type_t t = type();
  return t == BSON_TYPE_INT32 || t == BSON_TYPE_INT64 || t == BSON_TYPE_DOUBLE || t == BSON_TYPE_DECIMAL128;
}

bson::Element Value::element() const {
  const bson::View view = owner_.view();
  return view.at(offset_);
}

double Value::number() const {
  const bson::Element e = element();
  switch (e.type()) {
    case BSON_TYPE_INT32:
      return bson_iter_int32(&e.iter());
    case BSON_TYPE_INT64:
      return static_cast<double>(bson_iter_int64(&e.iter()));
    case BSON_TYPE_DOUBLE:
      return bson_iter_double(&e.iter());
    default: {
      bson_decimal128_t decimal;
      bson_iter_decimal128(&e.iter(), &decimal);
      char text[BSON_DECIMAL128_STRING];
      bson_decimal128_to_string(&decimal, text);
      return std::strtod(text, nullptr);
    }
  }
}

std::vector<Value> Value::items() const {
  std::vector<Value> result;
  for (const bson::Element item : element().document()) result.emplace_back(owner_, item);
  return result;
}

Value Value::field(std::string_view name) const {
  if (!is_document()) return {};
  const auto found = element().document().find(name);
  return found ? Value(owner_, *found) : Value();
}

void Value::append_to(bson::Builder& builder, std::string_view key) const {
  if (!missing()) builder.append(key, element());
}

int compare(const Value& a, const Value& b) {
  if (a.missing() || b.missing()) return static_cast<int>(b.missing()) - static_cast<int>(a.missing());
  return bson::compare(a.element(), b.element());
}

std::string_view type_name(bson_type_t type) {
  switch (type) {
    case BSON_TYPE_EOD:
      return "missing";
    case BSON_TYPE_DOUBLE:
      return "double";
    case BSON_TYPE_UTF8:
      return "string";
    case BSON_TYPE_DOCUMENT:
      return "object";
    case BSON_TYPE_ARRAY:
      return "array";
    case BSON_TYPE_BINARY:
      return "binData";
    case BSON_TYPE_UNDEFINED:
      return "undefined";
    case BSON_TYPE_OID:
      return "objectId";
    case BSON_TYPE_BOOL:
      return "bool";
    case BSON_TYPE_DATE_TIME:
      return "date";
    case BSON_TYPE_NULL:
      return "null";
    case BSON_TYPE_REGEX:
      return "regex";
    case BSON_TYPE_DBPOINTER:
      return "dbPointer";
    case BSON_TYPE_CODE:
      return "javascript";
    case BSON_TYPE_SYMBOL:
      return "symbol";
    case BSON_TYPE_CODEWSCOPE:
      return "javascriptWithScope";
    case BSON_TYPE_INT32:
      return "int";
    case BSON_TYPE_TIMESTAMP:
      return "timestamp";
    case BSON_TYPE_INT64:
      return "long";
    case BSON_TYPE_DECIMAL128:
      return "decimal";
    case BSON_TYPE_MINKEY:
      return "minKey";
    case BSON_TYPE_MAXKEY:
      return "maxKey";
  }
  return "unknown";
}

std::string_view type_name(const Value& value) { return type_name(value.type()); }

}  // namespace tidemark::sandbox
