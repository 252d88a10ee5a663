#include "sandbox/store/shell_text.h"

#include <array>
#include <cmath>
#include <cstdio>

#include "base/digest.h"

namespace tidemark::sandbox {
namespace {

std::string upper_hex(std::span<const uint8_t> bytes) {
  std::string text = to_hex(bytes);
  for (char& c : text) c = c >= 'a' ? static_cast<char>(c - 32) : c;
  return text;
}

std::string binary_text(const bson::Element& value) {
  const bson::Binary binary = value.binary();
  if (binary.subtype == BSON_SUBTYPE_UUID && binary.bytes.size() == 16) {
    std::string hex = to_hex(binary.bytes);
    for (const size_t at : {20U, 16U, 12U, 8U}) hex.insert(at, "-");
    return "UUID(\"" + hex + "\")";
  }
  return "BinData(" + std::to_string(binary.subtype) + ", " + upper_hex(binary.bytes) + ")";
}

std::string double_text(double value) {
  if (std::isnan(value)) return "nan.0";
  if (std::isinf(value)) return value > 0 ? "inf.0" : "-inf.0";
  std::array<char, 64> text;
  std::snprintf(text.data(), text.size(), "%.16g", value);
  std::string result = text.data();
  if (result.find_first_of(".e") == result.npos) result += ".0";
  return result;
}

std::string array_text(bson::View array) {
  std::string text = "[";
  bool first = true;
  for (const bson::Element item : array) {
    text += first ? " " : ", ";
    first = false;
    text += shell_text(item);
  }
  return first ? "[]" : text + " ]";
}

}  // namespace

std::string shell_text(bson::View document) {
  std::string text = "{";
  bool first = true;
  for (const bson::Element field : document) {
    text += first ? " " : ", ";
    first = false;
    text += std::string(field.key()) + ": " + shell_text(field);
  }
  return first ? "{}" : text + " }";
}

std::string shell_text(const bson::Element& value) {
  const bson_iter_t* iter = &value.iter();
  switch (value.type()) {
    case BSON_TYPE_DOUBLE:
      return double_text(bson_iter_double(iter));
    case BSON_TYPE_UTF8:
      return "\"" + std::string(value.string()) + "\"";
    case BSON_TYPE_DOCUMENT:
      return shell_text(value.document());
    case BSON_TYPE_ARRAY:
      return array_text(value.document());
    case BSON_TYPE_BINARY:
      return binary_text(value);
    case BSON_TYPE_UNDEFINED:
      return "undefined";
    case BSON_TYPE_OID: {
      char text[25];
      bson_oid_to_string(bson_iter_oid(iter), text);
      return std::string("ObjectId('") + text + "')";
    }
    case BSON_TYPE_BOOL:
      return bson_iter_bool(iter) ? "true" : "false";
    case BSON_TYPE_DATE_TIME:
      return "new Date(" + std::to_string(bson_iter_date_time(iter)) + ")";
    case BSON_TYPE_NULL:
      return "null";
    case BSON_TYPE_REGEX: {
      const bson::RegexValue regex = value.regex();
      return "/" + std::string(regex.pattern) + "/" + std::string(regex.options);
    }
    case BSON_TYPE_INT32:
      return std::to_string(bson_iter_int32(iter));
    case BSON_TYPE_INT64:
      return std::to_string(bson_iter_int64(iter));
    case BSON_TYPE_TIMESTAMP: {
      uint32_t seconds = 0;
      uint32_t increment = 0;
      bson_iter_timestamp(iter, &seconds, &increment);
      return "Timestamp(" + std::to_string(seconds) + ", " + std::to_string(increment) + ")";
    }
    case BSON_TYPE_DECIMAL128: {
      bson_decimal128_t decimal;
      bson_iter_decimal128(iter, &decimal);
      char text[BSON_DECIMAL128_STRING];
      bson_decimal128_to_string(&decimal, text);
      return text;
    }
    case BSON_TYPE_MINKEY:
      return "MinKey";
    case BSON_TYPE_MAXKEY:
      return "MaxKey";
    default:
      return std::string(type_name(value.type()));
  }
}

std::string shell_text(const Value& value) {
  return value.missing() ? "missing" : shell_text(value.element());
}

std::string shell_field(const bson::Element& element) {
  return "{" + std::string(element.key()) + ": " + shell_text(element) + "}";
}

}  // namespace tidemark::sandbox
