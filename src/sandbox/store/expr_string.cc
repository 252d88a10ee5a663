// Strings: $concat, case, substrings, lengths, $split, $trim, $indexOf.., $replace.., $regexMatch,
// $strcasecmp.
#include <algorithm>

#include "bson/regex.h"
#include "sandbox/store/expr_node.h"
#include "sandbox/store/numbers.h"

namespace tidemark::sandbox {
namespace {

using Arguments = std::span<const Value>;

std::string name_of(const Value& value) { return std::string(type_name(value)); }

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// The byte at which code point `index` begins; the size of the text when there are fewer.
size_t byte_of(std::string_view text, size_t index) {
  size_t at = 0;
  for (; at < text.size() && index > 0; --index) {
    ++at;
    while (at < text.size() && continues(text[at])) ++at;
  }
  return at;
}

size_t code_points(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return !continues(c); }));
}

// What $toLower, $substr and the like take for a string: null is empty, numbers and dates are printed.
Reply<std::string> coerced(const Value& value) {
  if (value.nullish()) return std::string();
  if (value.is_string()) return std::string(value.string());
  if (const auto number = whole_number(value); number && value.type() != BSON_TYPE_DOUBLE)
    return std::to_string(*number);
  return command_error(16007, "can't convert from BSON type " + name_of(value) + " to String");
}

Reply<Value> concat(const Scope&, Arguments arguments) {
  std::string result;
  for (const Value& value : arguments) {
    if (value.nullish()) return Value::null();
    if (!value.is_string())
      return command_error(16702, "$concat only supports strings, not " + name_of(value));
    result += value.string();
  }
  return Value(result);
}

template <char kFrom, char kTo>
Reply<Value> change_case(const Scope&, Arguments a) {
  SANDBOX_ASSIGN(std::string text, coerced(a[0]));
  for (char& c : text) {
    if (c >= kFrom && c <= kFrom + 25) c = static_cast<char>(c - kFrom + kTo);
  }
  return Value(text);
}

Reply<Value> substr_bytes(const Scope&, Arguments a) {
  SANDBOX_ASSIGN(const std::string text, coerced(a[0]));
  const auto start = whole_number(a[1]);
  const auto length = whole_number(a[2]);
  if (!start)
    return command_error(
        16034, "$substrBytes:  starting index must be a numeric type (is BSON type " + name_of(a[1]) + ")");
  if (!length)
    return command_error(16035,
                         "$substrBytes:  length must be a numeric type (is BSON type " + name_of(a[2]) + ")");
  if (*start < 0)
    return command_error(
        50752, "$substrBytes:  starting index must be non-negative (got: " + std::to_string(*start) + ")");
  const auto from = static_cast<size_t>(*start);
  if (from >= text.size()) return Value("");
  const size_t count = *length < 0 ? text.npos : static_cast<size_t>(*length);
  const std::string part = text.substr(from, count);
  if (continues(text[from]))
    return command_error(28656, "$substrBytes:  Invalid range, starting index is a UTF-8 continuation byte.");
  if (from + part.size() < text.size() && continues(text[from + part.size()]))
    return command_error(28657,
                         "$substrBytes:  Invalid range, ending index is in the middle of a UTF-8 character.");
  return Value(part);
}

Reply<Value> substr_cp(const Scope&, Arguments a) {
  SANDBOX_ASSIGN(const std::string text, coerced(a[0]));
  const auto start = whole_number(a[1]);
  const auto length = whole_number(a[2]);
  if (!start || *start < 0)
    return command_error(34450, "$substrCP: starting index must be a non-negative numeric type");
  if (!length || *length < 0)
    return command_error(34452, "$substrCP: length must be a non-negative numeric type");
  const size_t from = byte_of(text, static_cast<size_t>(*start));
  const std::string_view rest = std::string_view(text).substr(from);
  return Value(rest.substr(0, byte_of(rest, static_cast<size_t>(*length))));
}

Reply<Value> str_len_bytes(const Scope&, Arguments a) {
  if (!a[0].is_string())
    return command_error(34473, "$strLenBytes requires a string argument, found: " + name_of(a[0]));
  return Value(static_cast<int32_t>(a[0].string().size()));
}
Reply<Value> str_len_cp(const Scope&, Arguments a) {
  if (!a[0].is_string())
    return command_error(34471, "$strLenCP requires a string argument, found: " + name_of(a[0]));
  return Value(static_cast<int32_t>(code_points(a[0].string())));
}

Reply<Value> split(const Scope&, Arguments a) {
  if (a[0].nullish() || a[1].nullish()) return Value::null();
  if (!a[0].is_string())
    return command_error(
        40085, "$split requires an expression that evaluates to a string as a first argument, found: " +
                   name_of(a[0]));
  if (!a[1].is_string())
    return command_error(
        40086, "$split requires an expression that evaluates to a string as a second argument, found: " +
                   name_of(a[1]));
  const std::string separator(a[1].string());
  if (separator.empty()) return command_error(40087, "$split requires a non-empty separator");
  const std::string text(a[0].string());
  std::vector<Value> parts;
  size_t from = 0;
  for (size_t at = text.find(separator); at != text.npos; at = text.find(separator, from)) {
    parts.emplace_back(std::string_view(text).substr(from, at - from));
    from = at + separator.size();
  }
  parts.emplace_back(std::string_view(text).substr(from));
  return Value::array(parts);
}

template <bool kLeft, bool kRight>
Reply<Value> trim(const Scope&, Arguments a) {
  if (a[0].nullish()) return Value::null();
  if (!a[0].is_string())
    return command_error(50699, "$trim requires its input to be a string, got " + name_of(a[0]));
  if (a.size() > 1 && !a[1].missing() && !a[1].is_string())
    return a[1].nullish()
               ? Reply<Value>(Value::null())
               : command_error(50700, "$trim requires 'chars' to be a string, got " + name_of(a[1]));
  const std::string chars =
      a.size() > 1 && a[1].is_string() ? std::string(a[1].string()) : std::string(" \t\n\v\f\r\0", 7);
  std::string_view text = a[0].string();
  const auto in_chars = [&chars](std::string_view c) { return chars.find(c) != chars.npos; };
  while (kLeft && !text.empty() && in_chars(text.substr(0, byte_of(text, 1))))
    text.remove_prefix(byte_of(text, 1));
  while (kRight && !text.empty()) {
    const size_t last = byte_of(text, code_points(text) - 1);
    if (!in_chars(text.substr(last))) break;
    text.remove_suffix(text.size() - last);
  }
  return Value(text);
}

template <bool kCodePoints>
Reply<Value> index_of(const Scope&, Arguments a) {
  if (a[0].nullish()) return Value::null();
  if (!a[0].is_string())
    return command_error(kCodePoints ? 40093 : 40091,
                         "$indexOf requires a string as the first argument, found: " + name_of(a[0]));
  if (!a[1].is_string())
    return command_error(kCodePoints ? 40094 : 40092,
                         "$indexOf requires a string as the second argument, found: " + name_of(a[1]));
  const std::string text(a[0].string());
  const auto at_index = [&text](size_t index) {
    return kCodePoints ? byte_of(text, index) : std::min(index, text.size());
  };
  const auto start = a.size() > 2 ? whole_number(a[2]) : std::optional<int64_t>(0);
  const auto end = a.size() > 3 ? whole_number(a[3]) : std::optional<int64_t>(INT32_MAX);
  if (!start || !end || *start < 0 || *end < 0)
    return command_error(40097, "$indexOf requires nonnegative integral indexes");
  const size_t from = at_index(static_cast<size_t>(*start));
  const size_t to = at_index(static_cast<size_t>(*end));
  const size_t found = from > to ? text.npos : std::string_view(text).substr(0, to).find(a[1].string(), from);
  if (found == text.npos || (static_cast<size_t>(*start) > text.size())) return Value(int32_t{-1});
  return Value(
      static_cast<int32_t>(kCodePoints ? code_points(std::string_view(text).substr(0, found)) : found));
}

template <bool kAll>
Reply<Value> replace(const Scope&, Arguments a) {
  for (const Value& value : a) {
    if (!value.nullish() && !value.is_string())
      return command_error(51744,
                           "$replace requires that its parameters be strings, found: " + name_of(value));
  }
  for (const Value& value : a) {
    if (value.nullish()) return Value::null();
  }
  std::string text(a[0].string());
  const std::string find(a[1].string());
  const std::string replacement(a[2].string());
  size_t at = text.find(find);
  while (at != text.npos) {
    text.replace(at, find.size(), replacement);
    if (!kAll || text.size() > (16U << 20)) break;
    const size_t next = at + replacement.size() + (find.empty() ? 1 : 0);
    if (next > text.size()) break;
    at = text.find(find, next);
  }
  return Value(text);
}

Reply<Value> regex_match(const Scope&, Arguments a) {
  if (a[0].nullish() || a[1].nullish()) return Value(false);
  if (!a[0].is_string()) return command_error(51104, "$regexMatch needs 'input' to be of type string");
  std::string pattern;
  std::string options = a.size() > 2 && a[2].is_string() ? std::string(a[2].string()) : std::string();
  if (a[1].is_string()) {
    pattern = a[1].string();
  } else if (a[1].type() == BSON_TYPE_REGEX) {
    const bson::Element element = a[1].element();
    const std::string_view own = element.regex().options;
    pattern = element.regex().pattern;
    if (!own.empty() && !options.empty())
      return command_error(
          51107, "$regexMatch: found regex option(s) specified in both 'regex' and 'option' fields");
    if (!own.empty()) options = own;
  } else {
    return command_error(51105, "$regexMatch needs 'regex' to be of type string or regex");
  }
  const auto regex = bson::Regex::parse(pattern, options);
  if (!regex) return command_error(regex.error());
  return Value(regex->search(a[0].string()));
}

Reply<Value> compare_ignoring_case(const Scope& scope, Arguments a) {
  SANDBOX_ASSIGN(const Value left, (change_case<'a', 'A'>(scope, a.subspan(0, 1))));
  SANDBOX_ASSIGN(const Value right, (change_case<'a', 'A'>(scope, a.subspan(1, 1))));
  const int order = compare(left, right);
  return Value(static_cast<int32_t>((order > 0) - (order < 0)));
}

}  // namespace

void add_string_operators(OperatorTable& table) {
  table["$concat"] = {concat, 0, -1};
  table["$toLower"] = {change_case<'A', 'a'>, 1, 1};
  table["$toUpper"] = {change_case<'a', 'A'>, 1, 1};
  table["$substr"] = {substr_bytes, 3, 3};
  table["$substrBytes"] = {substr_bytes, 3, 3};
  table["$substrCP"] = {substr_cp, 3, 3};
  table["$strLenBytes"] = {str_len_bytes, 1, 1};
  table["$strLenCP"] = {str_len_cp, 1, 1};
  table["$split"] = {split, 2, 2};
  table["$trim"] = {trim<true, true>, 1, 2, {"input", "chars"}, nullptr, 50694};
  table["$ltrim"] = {trim<true, false>, 1, 2, {"input", "chars"}, nullptr, 50694};
  table["$rtrim"] = {trim<false, true>, 1, 2, {"input", "chars"}, nullptr, 50694};
  table["$indexOfBytes"] = {index_of<false>, 2, 4};
  table["$indexOfCP"] = {index_of<true>, 2, 4};
  table["$replaceOne"] = {replace<false>, 3, 3, {"input", "find", "replacement"}, nullptr, 51750};
  table["$replaceAll"] = {replace<true>, 3, 3, {"input", "find", "replacement"}, nullptr, 51750};
  table["$regexMatch"] = {regex_match, 2, 3, {"input", "regex", "options"}, nullptr, 31024};
  table["$strcasecmp"] = {compare_ignoring_case, 2, 2};
}

}  // namespace tidemark::sandbox
