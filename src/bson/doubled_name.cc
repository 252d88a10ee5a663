#include "bson/doubled_name.h"

#include <algorithm>
#include <vector>

namespace tidemark::bson {
namespace {

// Up to here each name is compared with all before it, which is faster than sorting and allocates nothing.
constexpr size_t kComparedPairwiseMax = 16;

bool is_there_before(View document, const Element& field) {
  for (const Element other : document) {
    if (other.key().data() == field.key().data()) return false;
    if (other.key() == field.key()) return true;
  }
  return false;
}

std::optional<std::string_view> doubled_in(View document) {
  size_t count = 0;
  for (const Element field : document) {
    if (++count > kComparedPairwiseMax) break;
    if (is_there_before(document, field)) return field.key();
  }
  if (count <= kComparedPairwiseMax) return std::nullopt;
  std::vector<std::string_view> names;
  for (const Element field : document) names.push_back(field.key());
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  return twice == names.end() ? std::nullopt : std::optional(*twice);
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
