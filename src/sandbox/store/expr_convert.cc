// Conversions: $convert and its short forms, $type, $isNumber.
#include <cmath>
#include <cstdlib>

#include "sandbox/store/date_text.h"
#include "sandbox/store/expr_node.h"
#include "sandbox/store/shell_text.h"

namespace tidemark::sandbox {
namespace {

using Arguments = std::span<const Value>;

tl::unexpected<CommandError> unsupported(const Value& value, std::string_view to) {
  return command_error(kConversionFailure, "Unsupported conversion from " + std::string(type_name(value)) +
                                               " to " + std::string(to) +
                                               " in $convert with no onError value");
}

tl::unexpected<CommandError> bad_text(const Value& value, std::string_view what, std::string_view why) {
  return command_error(kConversionFailure, "Failed to parse " + std::string(what) + " '" +
                                               std::string(value.string()) +
                                               "' in $convert with no onError value: " + std::string(why));
}

int64_t date_ms(const Value& value) { return bson_iter_date_time(&value.element().iter()); }

Reply<int64_t> to_integer(const Value& value, int64_t low, int64_t high, std::string_view to) {
  const auto too_big = command_error(
      kConversionFailure,
      "Conversion would overflow target type in $convert with no onError value: " + shell_text(value));
  if (value.type() == BSON_TYPE_BOOL) return value.truthy() ? 1 : 0;
  if (value.type() == BSON_TYPE_DATE_TIME && high == INT64_MAX) return date_ms(value);
  if (value.is_number()) {
    const double number = std::trunc(value.number());
    if (std::isnan(number))
      return command_error(kConversionFailure,
                           "Attempt to convert NaN value to integer type in $convert with no onError value");
    if (value.type() != BSON_TYPE_DOUBLE && value.type() != BSON_TYPE_DECIMAL128) {
      const int64_t whole = *value.integer();
      return whole < low || whole > high ? Reply<int64_t>(too_big) : whole;
    }
    if (number < static_cast<double>(low) || number >= static_cast<double>(high) + 1) return too_big;
    return static_cast<int64_t>(number);
  }
  if (!value.is_string()) return unsupported(value, to);
  const std::string text(value.string());
  char* end = nullptr;
  errno = 0;
  const long long number = std::strtoll(text.c_str(), &end, 10);
  if (text.empty()) return bad_text(value, "number", "No digits");
  if (*end != '\0' || text[0] == ' ') return bad_text(value, "number", "Did not consume whole string.");
  if (errno != 0 || number < low || number > high) return bad_text(value, "number", "Overflow");
  return number;
}

Reply<Value> to_int(const Value& value) {
  SANDBOX_ASSIGN(const int64_t number, to_integer(value, INT32_MIN, INT32_MAX, "int"));
  return Value(static_cast<int32_t>(number));
}
Reply<Value> to_long(const Value& value) {
  SANDBOX_ASSIGN(const int64_t number, to_integer(value, INT64_MIN, INT64_MAX, "long"));
  return Value(number);
}

Reply<Value> to_double(const Value& value) {
  if (value.is_number()) return Value(value.number());
  if (value.type() == BSON_TYPE_BOOL) return Value(value.truthy() ? 1.0 : 0.0);
  if (value.type() == BSON_TYPE_DATE_TIME) return Value(static_cast<double>(date_ms(value)));
  if (!value.is_string()) return unsupported(value, "double");
  const std::string text(value.string());
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  if (text.empty()) return bad_text(value, "number", "Empty string");
  if (*end != '\0' || text[0] == ' ') return bad_text(value, "number", "Did not consume whole string.");
  return Value(number);
}

Reply<Value> to_decimal(const Value& value) {
  if (value.type() == BSON_TYPE_DECIMAL128) return value;
  std::string text;
  if (value.is_string()) {
    text = value.string();
  } else if (value.type() == BSON_TYPE_DOUBLE) {
    char buffer[64];
    std::snprintf(buffer, sizeof buffer, "%.15g", value.number());
    text = buffer;
  } else if (value.type() == BSON_TYPE_BOOL) {
    text = value.truthy() ? "1" : "0";
  } else if (value.type() == BSON_TYPE_DATE_TIME) {
    text = std::to_string(date_ms(value));
  } else if (value.is_number()) {
    text = std::to_string(*value.integer());
  } else {
    return unsupported(value, "decimal");
  }
  bson_decimal128_t decimal;
  if (!bson_decimal128_from_string(text.c_str(), &decimal))
    return bad_text(value, "number", "Failed to parse string to decimal");
  return Value(decimal);
}

Reply<Value> to_bool(const Value& value) { return Value(value.truthy()); }

Reply<Value> to_date(const Value& value) {
  switch (value.type()) {
    case BSON_TYPE_DATE_TIME:
      return value;
    case BSON_TYPE_INT64:
    case BSON_TYPE_DOUBLE:
    case BSON_TYPE_DECIMAL128: {
      SANDBOX_ASSIGN(const int64_t ms, to_integer(value, INT64_MIN, INT64_MAX, "date"));
      return Value::date(ms);
    }
    case BSON_TYPE_OID:
      return Value::date(static_cast<int64_t>(bson_oid_get_time_t(bson_iter_oid(&value.element().iter()))) *
                         1000);
    case BSON_TYPE_TIMESTAMP: {
      const bson::Element element = value.element();
      uint32_t seconds = 0;
      uint32_t increment = 0;
      bson_iter_timestamp(&element.iter(), &seconds, &increment);
      return Value::date(int64_t{seconds} * 1000);
    }
    case BSON_TYPE_UTF8:
      if (const auto ms = parse_iso_date(value.string())) return Value::date(*ms);
      return command_error(kConversionFailure,
                           "Error parsing date string '" + std::string(value.string()) + "'");
    default:
      return unsupported(value, "date");
  }
}

Reply<Value> to_object_id(const Value& value) {
  if (value.type() == BSON_TYPE_OID) return value;
  if (!value.is_string()) return unsupported(value, "objectId");
  const std::string text(value.string());
  if (!bson_oid_is_valid(text.c_str(), text.size()) || text.size() != 24)
    return bad_text(
        value, "objectId",
        "Invalid string length for parsing to OID, expected 24 but found " + std::to_string(text.size()));
  bson_oid_t oid;
  bson_oid_init_from_string(&oid, text.c_str());
  bson::Builder builder;
  bson_append_oid(builder.raw(), "", 0, &oid);
  return Value(*builder.view().begin());
}

// Doubles as the server prints them: the shortest form that reads back.
std::string double_text(double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number > 0 ? "Infinity" : "-Infinity";
  char text[64];
  for (int precision = 1; precision <= 17; ++precision) {
    std::snprintf(text, sizeof text, "%.*g", precision, number);
    if (std::strtod(text, nullptr) == number) break;
  }
  return text;
}

Reply<Value> to_string(const Value& value) {
  switch (value.type()) {
    case BSON_TYPE_UTF8:
      return value;
    case BSON_TYPE_DOUBLE:
      return Value(double_text(value.number()));
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
    case BSON_TYPE_DECIMAL128:
    case BSON_TYPE_BOOL:
      return Value(shell_text(value));
    case BSON_TYPE_DATE_TIME:
      return Value(iso_text(date_ms(value)));
    case BSON_TYPE_OID: {
      char text[25];
      const bson::Element element = value.element();
      bson_oid_to_string(bson_iter_oid(&element.iter()), text);
      return Value(text);
    }
    default:
      return unsupported(value, "string");
  }
}

template <Reply<Value> (*kConversion)(const Value&)>
Reply<Value> short_form(const Scope&, Arguments a) {
  return a[0].nullish() ? Reply<Value>(Value::null()) : kConversion(a[0]);
}

Reply<Value> convert_to(const Value& value, const Value& target) {
  std::string name = target.is_string() ? std::string(target.string()) : std::string();
  if (target.is_number()) {
    const auto code = target.integer().value_or(-100);
    name = type_name(static_cast<bson_type_t>(code));
  }
  if (name == "int") return to_int(value);
  if (name == "long") return to_long(value);
  if (name == "double") return to_double(value);
  if (name == "decimal") return to_decimal(value);
  if (name == "bool") return to_bool(value);
  if (name == "date") return to_date(value);
  if (name == "objectId") return to_object_id(value);
  if (name == "string") return to_string(value);
  if (type_name(BSON_TYPE_DOCUMENT) == name || name == "array" || name == "null" || name == "regex")
    return unsupported(value, name);
  return command_error(kBadValue, "Unknown type name: " + name);
}

// input, to, onError, onNull: the last two are evaluated only when they are needed.
class ConvertExpression final : public ExpressionNode {
 public:
  ExpressionPtr input, to, on_error, on_null;
  Reply<Value> evaluate(const Scope& scope) const override {
    SANDBOX_ASSIGN(const Value value, input->evaluate(scope));
    SANDBOX_ASSIGN(const Value target, to->evaluate(scope));
    if (value.nullish()) return on_null ? on_null->evaluate(scope) : Reply<Value>(Value::null());
    if (target.nullish()) return Value::null();
    auto result = convert_to(value, target);
    if (!result && result.error().code == kConversionFailure && on_error) return on_error->evaluate(scope);
    return result;
  }
};

Reply<ExpressionPtr> parse_convert(ExpressionParser& parser, const bson::Element& argument) {
  if (!argument.is_document())
    return command_error(kFailedToParse, "$convert expects an object of named arguments but found: " +
                                             std::string(type_name(argument.type())));
  auto node = std::make_shared<ConvertExpression>();
  for (const bson::Element item : argument.document()) {
    const std::string_view name = item.key();
    ExpressionPtr* slot = name == "input"     ? &node->input
                          : name == "to"      ? &node->to
                          : name == "onError" ? &node->on_error
                          : name == "onNull"  ? &node->on_null
                                              : nullptr;
    if (slot == nullptr)
      return command_error(kFailedToParse, "$convert found an unknown argument: " + std::string(name));
    SANDBOX_ASSIGN(*slot, parser.parse(item));
  }
  if (!node->input) return command_error(kFailedToParse, "Missing 'input' parameter to $convert");
  if (!node->to) return command_error(kFailedToParse, "Missing 'to' parameter to $convert");
  return node;
}

Reply<Value> type(const Scope&, Arguments a) { return Value(type_name(a[0])); }
Reply<Value> is_number(const Scope&, Arguments a) { return Value(a[0].is_number()); }

}  // namespace

void add_conversion_operators(OperatorTable& table) {
  table["$convert"].form = parse_convert;
  table["$toInt"] = {short_form<to_int>, 1, 1};
  table["$toLong"] = {short_form<to_long>, 1, 1};
  table["$toDouble"] = {short_form<to_double>, 1, 1};
  table["$toDecimal"] = {short_form<to_decimal>, 1, 1};
  table["$toBool"] = {short_form<to_bool>, 1, 1};
  table["$toDate"] = {short_form<to_date>, 1, 1};
  table["$toObjectId"] = {short_form<to_object_id>, 1, 1};
  table["$toString"] = {short_form<to_string>, 1, 1};
  table["$type"] = {type, 1, 1};
  table["$isNumber"] = {is_number, 1, 1};
}

}  // namespace tidemark::sandbox
