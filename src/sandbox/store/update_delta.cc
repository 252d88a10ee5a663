#include <algorithm>
#include <cstring>

#include "sandbox/store/update_tree.h"

namespace tidemark::sandbox {
namespace {

// type byte, name, terminator
size_t field_size(size_t name, size_t value) { return 2 + name + value; }
constexpr size_t kDocumentSize = 5;

size_t value_size(const Value& value) { return value.element().value_bytes().size(); }

bool same(const bson::Element& a, const bson::Element& b) {
  const auto left = a.value_bytes();
  const auto right = b.value_bytes();
  return a.type() == b.type() && left.size() == right.size() &&
         (left.empty() || std::memcmp(left.data(), right.data(), left.size()) == 0);
}

class DeltaMaker {
 public:
  explicit DeltaMaker(bson::Document after) : after_(std::move(after)) {}

  std::unique_ptr<DeltaNode> document(bson::View before, bson::View after, size_t overhead) {
    auto delta = std::make_unique<DeltaNode>();
    std::vector<std::string> removed;
    auto old_field = before.begin();
    auto new_field = after.begin();
    const bson::View::Iterator end;
    while (old_field != end && new_field != end) {
      const bson::Element x = *old_field;
      const bson::Element y = *new_field;
      ++old_field;
      // A field that is gone, or that now stands elsewhere: it is removed and, if need be, appended anew.
      if (x.key() != y.key()) {
        removed.emplace_back(x.key());
        continue;
      }
      ++new_field;
      if (!same(x, y)) changed(*delta, std::string(x.key()), x, y);
    }
    for (; old_field != end; ++old_field) removed.emplace_back((*old_field).key());
    for (; new_field != end; ++new_field) {
      const bson::Element y = *new_field;
      std::erase(removed, y.key());
      delta->insert(std::string(y.key()), Value(after_, y));
    }
    for (std::string& name : removed) delta->remove(std::move(name));
    if (delta->size_bytes() + overhead > after.size()) return nullptr;
    return delta;
  }

 private:
  std::unique_ptr<DeltaNode> array(bson::View before, bson::View after) {
    auto delta = std::make_unique<DeltaNode>(true);
    auto old_item = before.begin();
    auto new_item = after.begin();
    const bson::View::Iterator end;
    uint32_t size = 0;
    for (; old_item != end && new_item != end; ++old_item, ++new_item, ++size) {
      const bson::Element x = *old_item;
      const bson::Element y = *new_item;
      if (!same(x, y)) changed(*delta, std::string(y.key()), x, y);
    }
    if (old_item != end) delta->resize(size);
    for (; new_item != end; ++new_item)
      delta->update(std::string((*new_item).key()), Value(after_, *new_item));
    if (delta->size_bytes() > after.size()) return nullptr;
    return delta;
  }

  void changed(DeltaNode& delta, std::string name, const bson::Element& before, const bson::Element& after) {
    std::unique_ptr<DeltaNode> sub;
    if (before.is_document() && after.is_document()) sub = document(before.document(), after.document(), 0);
    if (before.is_array() && after.is_array()) sub = array(before.document(), after.document());
    if (sub)
      delta.add_sub(std::move(name), std::move(sub));
    else
      delta.update(std::move(name), Value(after_, after));
  }

  bson::Document after_;  // what the values of the delta share
};

}  // namespace

std::unique_ptr<DeltaNode> document_delta(bson::View before, bson::View after, size_t overhead) {
  const bson::Document owned(after);
  return DeltaMaker(owned).document(before, owned.view(), overhead);
}

DeltaNode& DeltaNode::sub(std::string_view name, bool array) {
  const auto found =
      std::find_if(subs_.begin(), subs_.end(), [name](const auto& item) { return item.first == name; });
  if (found != subs_.end()) return *found->second;
  return *subs_.emplace_back(std::string(name), std::make_unique<DeltaNode>(array)).second;
}

size_t DeltaNode::size_bytes() const {
  size_t size = kDocumentSize;
  const auto section = [&size](const auto& items, size_t header) {
    if (items.empty()) return;
    size += header;
    for (const auto& [name, value] : items) size += field_size(name.size(), value_size(value));
  };
  if (array_) {
    size += field_size(1, 1) + (new_size_ ? field_size(1, 4) : 0);
    for (const auto& [name, value] : updates_) size += field_size(name.size() + 1, value_size(value));
  } else {
    section(updates_, field_size(1, kDocumentSize));
    section(inserts_, field_size(1, kDocumentSize));
    if (!deletes_.empty()) size += field_size(1, kDocumentSize);
    for (const std::string& name : deletes_) size += field_size(name.size(), 1);
  }
  for (const auto& [name, node] : subs_) size += field_size(name.size() + 1, node->size_bytes());
  return size;
}

struct DeltaNode::Description {
  bson::Builder updated;
  bson::Builder removed;
  bson::Builder truncated;
  bson::Builder ambiguous;
  uint32_t removed_count = 0;
  uint32_t truncated_count = 0;
};

void DeltaNode::describe(std::vector<Step>& steps, Description& out) const {
  // The dotted path to `name` here; noted as ambiguous when dots or digits leave its meaning open.
  const auto path_to = [&](const std::string& name, bool index) {
    steps.push_back({name, index});
    std::string path;
    bool ambiguous = false;
    for (const Step& step : steps) {
      path = path.empty() && &step == &steps.front() ? step.name : path + "." + step.name;
      ambiguous |= !step.index && (step.name.find('.') != step.name.npos || array_index(step.name));
    }
    if (ambiguous) {
      bson::Builder parts;
      for (size_t i = 0; i < steps.size(); ++i) {
        if (steps[i].index)
          parts.append(std::to_string(i), static_cast<int32_t>(array_index(steps[i].name).value_or(0)));
        else
          parts.append(std::to_string(i), steps[i].name);
      }
      out.ambiguous.append_array(path, parts.view());
    }
    steps.pop_back();
    return path;
  };
  for (const std::string& name : deletes_)
    out.removed.append(std::to_string(out.removed_count++), path_to(name, array_));
  for (const auto& [name, value] : updates_) value.append_to(out.updated, path_to(name, array_));
  for (const auto& [name, value] : inserts_) value.append_to(out.updated, path_to(name, array_));
  for (const auto& [name, node] : subs_) {
    if (node->whole_) {
      node->whole_->append_to(out.updated, path_to(name, array_));
      continue;
    }
    if (node->new_size_) {
      bson::Builder item;
      item.append("field", path_to(name, array_)).append("newSize", static_cast<int32_t>(*node->new_size_));
      out.truncated.append(std::to_string(out.truncated_count++), item.view());
    }
    steps.push_back({name, array_});
    node->describe(steps, out);
    steps.pop_back();
  }
}

bson::Document DeltaNode::describe() const {
  Description parts;
  std::vector<Step> steps;
  describe(steps, parts);
  bson::Builder description;
  description.append("updatedFields", parts.updated.view());
  description.append_array("removedFields", parts.removed.view());
  description.append_array("truncatedArrays", parts.truncated.view());
  if (!parts.ambiguous.view().empty()) description.append("disambiguatedPaths", parts.ambiguous.view());
  return description.finish();
}

}  // namespace tidemark::sandbox
