#include "sinks/postgres/jsonb_values.h"

#include <cstring>
#include <vector>

#include "bson/json.h"

namespace tidemark::postgres {
namespace {

std::vector<std::string_view> path_of(std::string_view name) {
  std::vector<std::string_view> path;
  while (true) {
    const size_t dot = name.find('.');
    path.push_back(name.substr(0, dot));
    if (dot == std::string_view::npos) return path;
    name.remove_prefix(dot + 1);
  }
}

}  // namespace

bool contains_nul_escape(std::string_view json) {
  for (size_t at = json.find("\\u0000"); at != std::string_view::npos; at = json.find("\\u0000", at + 1)) {
    size_t before = at;
    while (before > 0 && json[before - 1] == '\\') --before;
    if ((at - before) % 2 == 0) return true;
  }
  return false;
}

bool may_hold_nul(bson::View document) {
  for (const bson::Element field : document)
    if (may_hold_nul(field)) return true;
  return false;
}

bool may_hold_nul(const bson::Element& value) {
  switch (value.type()) {
    case BSON_TYPE_UTF8:
    case BSON_TYPE_SYMBOL:
    case BSON_TYPE_CODE: {
      // Its size in four bytes, the text, a zero byte.
      const auto bytes = value.value_bytes();
      return bytes.size() < 5 || std::memchr(bytes.data() + 4, 0, bytes.size() - 5) != nullptr;
    }
    case BSON_TYPE_DOCUMENT:
    case BSON_TYPE_ARRAY:
      return may_hold_nul(value.document());
    case BSON_TYPE_CODEWSCOPE:
    case BSON_TYPE_DBPOINTER:
      return true;  // rare, and put together of several: their JSON tells
    default:
      return false;
  }
}

std::optional<std::string> field_with_nul(bson::View document) {
  for (const bson::Element field : document) {
    const std::string name(field.key());
    if (field.is_string() && field.string().find('\0') != std::string_view::npos) return name;
    if (!field.is_document() && !field.is_array()) continue;
    if (const auto inner = field_with_nul(field.document())) return name + "." + *inner;
  }
  return std::nullopt;
}

void append_conditions(bson::View key, std::string& has, std::string& lacks) {
  has = lacks = "[";
  std::string value;
  for (const bson::Element field : key) {
    if (field.key() == "_id") continue;
    const auto path = path_of(field.key());
    std::string& out = field.is_null() ? lacks : has;
    if (out.size() > 1) out.push_back(',');
    if (field.is_null()) {
      out.push_back('[');
      for (size_t i = 0; i < path.size(); ++i) {
        if (i > 0) out.push_back(',');
        bson::append_json_string(path[i], out);
      }
      out.push_back(']');
      continue;
    }
    value.clear();
    bson::append_json_value(field, bson::JsonMode::kCanonical, value);
    // No row of jsonb has such a value.
    if (contains_nul_escape(value)) value = R"({"$":false})";
    for (const std::string_view step : path) {
      out.push_back('{');
      bson::append_json_string(step, out);
      out.push_back(':');
    }
    out.append(value).append(path.size(), '}');
  }
  has.push_back(']');
  lacks.push_back(']');
}

}  // namespace tidemark::postgres
