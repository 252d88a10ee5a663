#include "core/path_tree.h"

#include <algorithm>

namespace tidemark {
namespace {

bool is_index(std::string_view part) {
  return !part.empty() && std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

Result<std::vector<std::string>> split_path(std::string_view path) {
  std::vector<std::string> parts;
  std::string_view rest = path;
  while (true) {
    const size_t dot = rest.find('.');
    const std::string_view part = rest.substr(0, dot);
    if (part.empty() || part.starts_with('$'))
      return fail(React::kConfig, "\"" + std::string(path) + "\" is no path of a field",
                  "write the names of the fields with dots between them, as in \"customer.email\"");
    parts.emplace_back(part);
    if (dot == std::string_view::npos) return parts;
    rest.remove_prefix(dot + 1);
  }
}

bool is_under(std::string_view path, std::string_view above) {
  return path.starts_with(above) && (path.size() == above.size() || path[above.size()] == '.');
}

Result<PathTree> PathTree::make(const std::vector<std::string>& paths) {
  PathTree tree;
  for (const std::string& path : paths) {
    TIDEMARK_ASSIGN(const std::vector<std::string> parts, split_path(path));
    uint32_t at = 0;
    bool fresh = false;
    for (const std::string& part : parts) {
      if (tree.nodes_[at].ends) break;
      const auto [child, added] =
          tree.nodes_[at].children.try_emplace(part, static_cast<uint32_t>(tree.nodes_.size()));
      at = child->second;
      fresh = added;
      if (added) tree.nodes_.emplace_back();
    }
    if (!fresh)
      return fail(React::kConfig,
                  "\"" + path + "\" stands twice, or lies above or under another of the paths",
                  "name each field once");
    tree.nodes_[at].ends = true;
  }
  return tree;
}

PathTree::State PathTree::step(const State& from, std::string_view key) const {
  if (from.matched || from.nodes.empty()) return from;
  std::vector<uint32_t> here = from.nodes;
  while (true) {
    const size_t dot = key.find('.');
    const std::string_view part = key.substr(0, dot);
    std::vector<uint32_t> next;
    for (const uint32_t node : here) {
      if (const auto child = nodes_[node].children.find(part); child != nodes_[node].children.end()) {
        if (nodes_[child->second].ends) return {{}, true};
        next.push_back(child->second);
      }
      // No array lies at the top, so a number there is a name and nothing else.
      if (node != 0 && is_index(part)) next.push_back(node);
    }
    if (dot == std::string_view::npos || next.empty()) return {std::move(next), false};
    here = std::move(next);
    key.remove_prefix(dot + 1);
  }
}

void PathTree::keep_only(bson::View document, const State& state, bool is_array, bson::Builder& out) const {
  uint32_t position = 0, index = 0;
  for (const bson::Element element : document) {
    const State next = step(state, element, is_array, position++);
    if (!next.touched()) continue;
    const std::string number = is_array ? std::to_string(index) : std::string();
    const std::string_view key = is_array ? std::string_view(number) : element.key();
    if (next.matched) {
      out.append(key, element);
    } else if (element.is_document() || element.is_array()) {
      bson::Builder inner;
      keep_only(element.document(), next, element.is_array(), inner);
      if (element.is_array())
        out.append_array(key, inner.view());
      else
        out.append(key, inner.view());
    } else {
      continue;
    }
    ++index;
  }
}

}  // namespace tidemark
