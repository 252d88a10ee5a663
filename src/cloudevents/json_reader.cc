#include "cloudevents/json_reader.h"

#include <algorithm>

#include "cloudevents/number.h"
#include "cloudevents/parser.h"

namespace tidemark::cloudevents {
namespace {

constexpr size_t kKeptCapacityMax = 4 << 20;
constexpr size_t kShownNameBytesMax = 64;
constexpr size_t kComparedPairwiseMax = 16;
constexpr const char* kTooLarge = "is too large";

int length(std::string_view key) { return static_cast<int>(key.size()); }

}  // namespace

bool JsonReader::open(std::string_view json) {
  failure_ = {};
  syntax_ = false;
  names_.clear();
  text_.assign(json);
  text_.append(simdjson::SIMDJSON_PADDING, ' ');
  size_ = json.size();
  if (const auto error = parser_.iterate(text_.data(), size_, text_.size()).get(document_)) {
    syntax_ = true;
    failure_.what =
        std::string("is not JSON: ") + (error == simdjson::UTF8_ERROR ? "it is not UTF-8"
                                        : error == simdjson::EMPTY    ? "it is empty"
                                                                      : simdjson::error_message(error));
    return false;
  }
  return true;
}

size_t JsonReader::offset() {
  const char* at = nullptr;
  if (document_.current_location().get(at)) return size_;
  return static_cast<size_t>(at - text_.data());
}

bool JsonReader::at_end() {
  const char* at = nullptr;
  return document_.current_location().get(at) == simdjson::OUT_OF_BOUNDS;
}

void JsonReader::shrink() {
  if (parser_.capacity() <= kKeptCapacityMax) return;
  document_ = {};
  parser_ = ondemand::parser();
  text_ = {};
  size_ = 0;
  names_ = {};
}

bool JsonReader::fail_syntax(simdjson::error_code error) {
  syntax_ = true;
  failure_.where.clear();
  failure_.what =
      "is not well-formed JSON near byte " + std::to_string(offset()) + ": " + simdjson::error_message(error);
  return false;
}

bool JsonReader::fail_value(std::string what) {
  failure_.where.clear();
  failure_.what = std::move(what);
  return false;
}

bool JsonReader::below_name(std::string_view name) {
  if (syntax_) return false;
  size_t shown = std::min(name.size(), kShownNameBytesMax);
  while (shown > 0 && shown < name.size() && (static_cast<unsigned char>(name[shown]) & 0xc0) == 0x80)
    --shown;
  std::string step(name.substr(0, shown));
  if (!failure_.where.empty() && failure_.where.front() != '[') step.push_back('.');
  failure_.where.insert(0, step);
  return false;
}

bool JsonReader::below_index(uint32_t index) {
  if (syntax_) return false;
  std::string step = "[" + std::to_string(index) + "]";
  if (!failure_.where.empty() && failure_.where.front() != '[') step.push_back('.');
  failure_.where.insert(0, step);
  return false;
}

bool JsonReader::appended(bool ok) { return ok || fail_value(kTooLarge); }

bool JsonReader::append(ondemand::value value, std::string_view key, bson_t* out, size_t depth) {
  ondemand::json_type type;
  if (const auto error = value.type().get(type)) return fail_syntax(error);
  switch (type) {
    case ondemand::json_type::object:
      return append_object(value, key, out, depth);
    case ondemand::json_type::array:
      return append_array(value, key, out, depth);
    case ondemand::json_type::string: {
      std::string_view text;
      if (const auto error = value.get_string().get(text)) return fail_syntax(error);
      return appended(bson_append_utf8(out, key.data(), length(key), text.data(), length(text)));
    }
    case ondemand::json_type::number:
      return append_number(value, key, out);
    case ondemand::json_type::boolean: {
      bool truth = false;
      if (const auto error = value.get_bool().get(truth)) return fail_syntax(error);
      return appended(bson_append_bool(out, key.data(), length(key), truth));
    }
    case ondemand::json_type::null: {
      bool null = false;
      if (const auto error = value.is_null().get(null)) return fail_syntax(error);
      if (!null) return fail_syntax(simdjson::N_ATOM_ERROR);
      return appended(bson_append_null(out, key.data(), length(key)));
    }
  }
  return fail_syntax(simdjson::TAPE_ERROR);
}

bool JsonReader::append_number(ondemand::value value, std::string_view key, bson_t* out) {
  std::string_view token = value.raw_json_token();
  token = token.substr(0, token.find_first_of(" \t\r\n"));
  if (!is_number(token)) return fail_syntax(simdjson::NUMBER_ERROR);
  const auto number = exact_number(token);
  if (!number)
    return fail_value(
        "is a number that can't be kept exactly: it has more than 34 digits, or an exponent beyond 6144");
  // simdjson knows a number as read only after it has read it itself; what it thinks of it isn't wanted.
  double ignored = 0;
  [[maybe_unused]] const auto opinion = value.get_double().get(ignored);
  if (const auto* whole = std::get_if<int64_t>(&*number))
    return appended(bson_append_int64(out, key.data(), length(key), *whole));
  if (const auto* real = std::get_if<double>(&*number))
    return appended(bson_append_double(out, key.data(), length(key), *real));
  return appended(
      bson_append_decimal128(out, key.data(), length(key), &std::get<bson_decimal128_t>(*number)));
}

bool JsonReader::append_object(ondemand::value value, std::string_view key, bson_t* out, size_t depth) {
  if (depth >= kDepthMax) return fail_value("is nested deeper than 100 levels");
  ondemand::object object;
  if (const auto error = value.get_object().get(object)) return fail_syntax(error);
  bson_t child;
  if (!bson_append_document_begin(out, key.data(), length(key), &child)) return fail_value(kTooLarge);
  const bool read = append_members(object, &child, depth + 1);
  // Also after a failure: libbson wants a child ended before its parent is used again.
  return appended(bson_append_document_end(out, &child)) && read;
}

bool JsonReader::append_members(ondemand::object object, bson_t* out, size_t depth) {
  const size_t first = names_.size();
  for (auto member : object) {
    ondemand::field field;
    if (const auto error = std::move(member).get(field)) return fail_syntax(error);
    std::string_view name;
    if (const auto error = field.unescaped_key().get(name)) return fail_syntax(error);
    if (name.find('\0') != std::string_view::npos) return fail_value("has a name with U+0000 in it");
    names_.push_back(name);
    if (!append(field.value(), name, out, depth)) return below_name(name);
  }
  const bool different = all_different(first);
  names_.resize(first);
  return different;
}

bool JsonReader::all_different(size_t first) {
  const auto begin = names_.begin() + static_cast<ptrdiff_t>(first);
  auto twice = names_.end();
  if (names_.size() - first <= kComparedPairwiseMax) {
    for (auto i = begin; i != names_.end() && twice == names_.end(); ++i)
      if (std::find(begin, i, *i) != i) twice = i;
  } else {
    std::sort(begin, names_.end());
    twice = std::adjacent_find(begin, names_.end());
  }
  if (twice == names_.end()) return true;
  const std::string_view name = *twice;
  fail_value("is there twice");
  return below_name(name);
}

bool JsonReader::append_array(ondemand::value value, std::string_view key, bson_t* out, size_t depth) {
  if (depth >= kDepthMax) return fail_value("is nested deeper than 100 levels");
  ondemand::array array;
  if (const auto error = value.get_array().get(array)) return fail_syntax(error);
  bson_t child;
  if (!bson_append_array_begin(out, key.data(), length(key), &child)) return fail_value(kTooLarge);
  const bool read = append_items(array, &child, depth + 1);
  return appended(bson_append_array_end(out, &child)) && read;
}

bool JsonReader::append_items(ondemand::array array, bson_t* out, size_t depth) {
  uint32_t index = 0;
  for (auto item : array) {
    ondemand::value value;
    if (const auto error = std::move(item).get(value)) return fail_syntax(error);
    char buffer[16];
    const char* key = nullptr;
    const size_t key_length = bson_uint32_to_string(index, &key, buffer, sizeof buffer);
    if (!append(value, {key, key_length}, out, depth)) return below_index(index);
    ++index;
  }
  return true;
}

}  // namespace tidemark::cloudevents
