#include "config/value.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/uri.h"
#include "config/diagnostic.h"
#include "config/units.h"

namespace tidemark::config {
namespace {

tl::unexpected<Error> wrong(std::string what, std::string hint = {}) {
  return fail(React::kConfig, std::move(what), std::move(hint));
}

std::string shown(const FieldSpec& field, std::string_view text) {
  if (field.secret) return "***";
  constexpr size_t kShownMax = 60;
  std::string out = "\"" + std::string(text.substr(0, kShownMax));
  return out + (text.size() > kShownMax ? "...\"" : "\"");
}

Result<Settings::Value> number_from_text(const FieldSpec& field, std::string_view text,
                                         std::optional<int64_t> (*parse)(std::string_view)) {
  const auto number = parse(text);
  if (!number) return wrong(shown(field, text) + " is not " + describe_type(field));
  return checked_number(field, *number);
}

Result<Settings::Value> choice_from_text(const FieldSpec& field, std::string_view text) {
  if (std::find(field.choices.begin(), field.choices.end(), text) != field.choices.end())
    return Settings::Value(std::string(text));
  const std::string near = nearest(text, field.choices);
  return wrong(shown(field, text) + " is not " + describe_type(field),
               near.empty() ? "" : "did you mean \"" + near + "\"?");
}

Result<Settings::Value> quantity_from_text(const FieldSpec& field, std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_number = error == std::errc() && end == text.data() + text.size() && std::isfinite(number);
  if (!is_number && !parse_duration_ms(text))
    return wrong(shown(field, text) + " is not " + describe_type(field));
  if (is_number && number < 0) return wrong(shown(field, text) + " is below zero");
  return Settings::Value(std::string(text));
}

constexpr const char* kTooLarge = "has a number that neither a 64-bit integer nor a double holds";
constexpr const char* kTooLargeHint = R"(write it as {"$numberDecimal": "18446744073709551616"})";

// Of a valid JSON text: an integer that int64 doesn't hold.
bool has_long_integer(std::string_view text) {
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && in_string) {
      ++i;
    } else if (text[i] == '"') {
      in_string = !in_string;
    } else if (!in_string && text[i] >= '0' && text[i] <= '9') {
      const size_t end = std::min(text.find_first_not_of("0123456789", i), text.size());
      const bool integer = end == text.size() || (text[end] != '.' && text[end] != 'e' && text[end] != 'E');
      int64_t value = 0;
      const char* begin = text.data() + (i > 0 && text[i - 1] == '-' ? i - 1 : i);
      if (integer && std::from_chars(begin, text.data() + end, value).ec != std::errc()) return true;
      // The rest of it: a fraction, an exponent.
      i = std::min(text.find_first_not_of("0123456789.eE+-", i), text.size()) - 1;
    }
  }
  return false;
}

Result<Settings::Value> json_from_text(const FieldSpec& field, std::string_view text) {
  try {
    const auto parsed = nlohmann::json::parse(text);
    // To whoever reads it next it would be another number.
    if (has_long_integer(text)) return wrong(kTooLarge, kTooLargeHint);
    if (parsed.is_object() || parsed.is_array()) return Settings::Value(std::string(text));
    return wrong("is not a JSON object or array");
  } catch (const nlohmann::json::out_of_range&) {
    return wrong(kTooLarge, kTooLargeHint);
  } catch (const nlohmann::json::parse_error& error) {
    // The library's message quotes the text around the place.
    if (field.secret) return wrong("is not JSON");
    return wrong("is not JSON, at byte " + std::to_string(error.byte) + " of the text",
                 "quote every key and operator, as in { \"operationType\": { \"$in\": [\"insert\"] } }");
  }
}

}  // namespace

std::string describe_type(const FieldSpec& field) {
  switch (field.type) {
    case FieldType::kString:
      return "a string";
    case FieldType::kInteger:
      return "an integer";
    case FieldType::kBoolean:
      return "true or false";
    case FieldType::kDuration:
      return "a duration such as \"250ms\", \"30s\", \"10m\" or \"2h\"";
    case FieldType::kBytes:
      return "a size such as 4096, \"64KiB\" or \"8MiB\"";
    case FieldType::kEnum: {
      std::string text = "one of";
      for (const std::string& choice : field.choices)
        text += (&choice == &field.choices.front() ? " \"" : ", \"") + choice + "\"";
      return text;
    }
    case FieldType::kStringList:
      return "a list of strings";
    case FieldType::kStringMap:
      return "a table of strings";
    case FieldType::kQuantity:
      return "a number, or a duration such as \"30s\"";
    case FieldType::kJson:
      return "Extended JSON in a string";
  }
  return "a value";
}

std::string format_value(const FieldSpec& field, int64_t value) {
  if (field.type == FieldType::kDuration) return format_duration_ms(value);
  if (field.type == FieldType::kBytes) return format_bytes(value);
  return std::to_string(value);
}

Result<Settings::Value> checked_number(const FieldSpec& field, int64_t value) {
  if (value < field.min)
    return wrong(format_value(field, value) + " is below the least, " + format_value(field, field.min));
  if (value > field.max)
    return wrong(format_value(field, value) + " is above the most, " + format_value(field, field.max));
  return Settings::Value(value);
}

Result<Settings::Value> value_from_text(const FieldSpec& field, std::string_view text) {
  switch (field.type) {
    case FieldType::kString:
      if (const auto flaw = field.secret ? uri_flaw(text) : std::nullopt)
        return wrong(*flaw + " (it isn't shown, as it may hold a password)",
                     "percent-encode : / ? # [ ] @ and % in the user and the password: @ is %40, : is %3A, / "
                     "is %2F, % is %25");
      return Settings::Value(std::string(text));
    case FieldType::kInteger:
      return number_from_text(field, text, parse_integer);
    case FieldType::kDuration:
      return number_from_text(field, text, parse_duration_ms);
    case FieldType::kBytes:
      return number_from_text(field, text, parse_bytes);
    case FieldType::kBoolean:
      if (text == "true") return Settings::Value(true);
      if (text == "false") return Settings::Value(false);
      return wrong(shown(field, text) + " is not true or false");
    case FieldType::kEnum:
      return choice_from_text(field, text);
    case FieldType::kQuantity:
      return quantity_from_text(field, text);
    case FieldType::kJson:
      return json_from_text(field, text);
    case FieldType::kStringList:
    case FieldType::kStringMap:
      break;
  }
  return wrong("is not " + describe_type(field));
}

void set_default(const FieldSpec& field, Settings& settings) {
  if (field.default_text.empty()) return;
  auto value = value_from_text(field, field.default_text);
  TIDEMARK_CHECK(value.has_value(), "the default of a field spec does not fit the spec");
  settings.set(field.name, std::move(*value));
}

Settings default_settings(const ComponentSpec& spec) {
  Settings settings;
  for (const FieldSpec& field : spec.fields) set_default(field, settings);
  return settings;
}

}  // namespace tidemark::config
