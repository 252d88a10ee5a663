#include "bson/doubled_name.h"

#include <algorithm>
#include <array>
#include <vector>

namespace tidemark::bson {
namespace {

// Up to here each name is compared with all before it, which is faster than sorting and allocates nothing.
constexpr size_t kComparedPairwiseMax = 16;

std::optional<std::string_view> doubled_in_many(View document) {
  std::vector<std::string_view> names;
  for (const Element field : document) names.push_back(field.key());
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  return twice == names.end() ? std::nullopt : std::optional(*twice);
}

std::optional<std::string_view> doubled_in(View document) {
  std::array<std::string_view, kComparedPairwiseMax> names;
  size_t count = 0;
  for (const Element field : document) {
    const std::string_view name = field.key();
    if (std::find(names.begin(), names.begin() + count, name) != names.begin() + count) return name;
    if (count == names.size()) return doubled_in_many(document);
    names[count++] = name;
  }
  return std::nullopt;
}

std::string step(std::string_view name) {
  std::string shown(name);
  for (char& c : shown)
    if (c < ' ' || c > '~') c = '?';
  return shown;
}

std::optional<std::string> find(View document, bool array) {
  if (!array)
    if (const auto name = doubled_in(document)) return step(*name);
  uint32_t position = 0;
  for (const Element field : document) {
    const uint32_t here = position++;
    std::optional<std::string> below;
    if (field.is_document() || field.is_array())
      below = find(field.document(), field.is_array());
    else if (field.type() == BSON_TYPE_CODEWSCOPE)
      below = find(field.scoped_code().scope, false);
    if (below) return (array ? std::to_string(here) : step(field.key())) + "." + *below;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> first_doubled_name(View document) { return find(document, false); }

}  // namespace tidemark::bson
