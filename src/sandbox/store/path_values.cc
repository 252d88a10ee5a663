#include "sandbox/store/path_values.h"

namespace tidemark::sandbox {
namespace {

bool is_index(std::string_view name) {
  return !name.empty() && name.find_first_not_of("0123456789") == name.npos;
}

}  // namespace

void visit_path(bson::View document, std::string_view path, bool expand_last,
                const std::function<void(const bson::Element*)>& visit, bool* through_array) {
  const size_t dot = path.find('.');
  const std::string_view name = path.substr(0, dot);
  const auto element = document.find(name);
  if (!element) return visit(nullptr);
  if (dot == path.npos) {
    if (!element->is_array() || !expand_last) return visit(&*element);
    if (through_array != nullptr) *through_array = true;
    for (const bson::Element item : element->document()) visit(&item);
    return;
  }
  const std::string_view rest = path.substr(dot + 1);
  if (element->is_document()) return visit_path(element->document(), rest, expand_last, visit, through_array);
  if (!element->is_array()) return visit(nullptr);
  if (is_index(rest.substr(0, rest.find('.'))))
    return visit_path(element->document(), rest, expand_last, visit, through_array);
  if (through_array != nullptr) *through_array = true;
  for (const bson::Element item : element->document()) {
    if (item.is_document())
      visit_path(item.document(), rest, expand_last, visit, through_array);
    else
      visit(nullptr);
  }
}

}  // namespace tidemark::sandbox
