#include "sandbox/store/update_tree.h"

#include <algorithm>
#include <charconv>

namespace tidemark::sandbox {

std::optional<uint32_t> array_index(std::string_view name) {
  if (name.empty() || name.size() > 9 || (name.size() > 1 && name[0] == '0')) return std::nullopt;
  uint32_t index = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), index);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return index;
}

std::string joined(std::string_view path, std::string_view name) {
  if (path.empty()) return std::string(name);
  std::string result;
  result.reserve(path.size() + 1 + name.size());
  result.append(path).append(".").append(name);
  return result;
}

bool FieldNameLess::operator()(std::string_view a, std::string_view b) const {
  const auto left = array_index(a);
  const auto right = array_index(b);
  if (left && right) return *left < *right;
  return a < b;
}

MutableNode MutableNode::root(const bson::Document& document) {
  MutableNode node = new_document("");
  for (const bson::Element field : document.view())
    node.children_.emplace_back(std::string(field.key()), Value(document, field));
  return node;
}

MutableNode MutableNode::new_document(std::string key) {
  MutableNode node;
  node.key_ = std::move(key);
  node.expanded_ = true;
  node.expanded_type_ = BSON_TYPE_DOCUMENT;
  return node;
}

void MutableNode::set(Value value) {
  value_ = std::move(value);
  expanded_ = false;
  children_.clear();
}

std::vector<MutableNode>& MutableNode::children() {
  if (!expanded_) {
    expanded_type_ = value_.type();
    expanded_ = true;
    const bool array = expanded_type_ == BSON_TYPE_ARRAY;
    for (const bson::Element field : value_.view())
      children_.emplace_back(array ? std::string() : std::string(field.key()), Value(value_.owner(), field));
    value_ = Value();
  }
  return children_;
}

MutableNode* MutableNode::child(std::string_view name) {
  auto& nodes = children();
  if (expanded_type_ == BSON_TYPE_ARRAY) {
    const auto index = array_index(name);
    return index && *index < nodes.size() ? &nodes[*index] : nullptr;
  }
  const auto found =
      std::find_if(nodes.begin(), nodes.end(), [name](const MutableNode& n) { return n.key_ == name; });
  return found == nodes.end() ? nullptr : &*found;
}

void MutableNode::remove_child(std::string_view name) {
  auto& nodes = children();
  const auto found =
      std::find_if(nodes.begin(), nodes.end(), [name](const MutableNode& n) { return n.key_ == name; });
  if (found != nodes.end()) nodes.erase(found);
}

void MutableNode::append_children(bson::Builder& builder) const {
  uint32_t index = 0;
  for (const MutableNode& node : children_) {
    if (expanded_type_ == BSON_TYPE_ARRAY)
      node.append_to(builder, std::to_string(index++));
    else
      node.append_to(builder, node.key_);
  }
}

void MutableNode::append_to(bson::Builder& builder, std::string_view key) const {
  if (!expanded_) return value_.append_to(builder, key);
  bson::Builder inner;
  append_children(inner);
  if (expanded_type_ == BSON_TYPE_ARRAY)
    builder.append_array(key, inner.view());
  else
    builder.append(key, inner.view());
}

Value MutableNode::freeze() const {
  if (!expanded_) return value_;
  bson::Builder inner;
  append_children(inner);
  return expanded_type_ == BSON_TYPE_ARRAY ? Value::array(inner.view()) : Value::document(inner.view());
}

bson::Document MutableNode::freeze_document() const {
  if (!expanded_) return bson::Document(value_.view());
  bson::Builder builder;
  append_children(builder);
  return builder.finish();
}

bool OperationNode::may_create(const UpdateEnv& env) const {
  if (modifier) return modifier->creates(env);
  return std::any_of(children.begin(), children.end(),
                     [&env](const auto& item) { return item.second->may_create(env); });
}

bson::Document PathLog::describe() const {
  bson::Builder updated;
  for (const auto& [path, value] : sets) value.append_to(updated, path);
  bson::Builder removed;
  for (size_t i = 0; i < unsets.size(); ++i) removed.append(std::to_string(i), unsets[i]);
  const bson_t none = BSON_INITIALIZER;
  bson::Builder description;
  description.append("updatedFields", updated.view());
  description.append_array("removedFields", removed.view());
  description.append_array("truncatedArrays", bson::View(&none));
  return description.finish();
}

}  // namespace tidemark::sandbox
