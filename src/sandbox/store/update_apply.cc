#include <algorithm>

#include "bson/compare.h"
#include "sandbox/store/shell_text.h"
#include "sandbox/store/update_tree.h"

namespace tidemark::sandbox {
namespace {

constexpr size_t kDocumentBytesMax = 16 * 1024 * 1024;
constexpr size_t kBackfillMax = 1500000;  // nulls that a far index may add

class Applier {
 public:
  Applier(const ModifierUpdate& update, UpdateEnv& env) : update_(update), env_(env) {}

  // True when something below `node` changed. `log` is null where the caller logs `node` as a whole.
  Reply<bool> children(const OperationNode& operation, MutableNode& node, const std::string& path,
                       DeltaNode* log) {
    if (operation.is_array_filter()) return array_filter(operation, node, path, log);
    bool changed = false;
    std::optional<std::string> positional_name;
    for (const auto& [name, child] : operation.children) {
      std::string resolved = name;
      if (name == "$") {
        if (!env_.positional)
          return command_error(kBadValue,
                               "The positional operator did not find the match needed from the query.");
        resolved = std::to_string(*env_.positional);
        if (operation.children.contains(resolved))
          return command_error(kConflictingUpdateOperators, "Updating the path '" + joined(path, resolved) +
                                                                "' would create a conflict at '" +
                                                                joined(path, resolved) + "'");
      }
      SANDBOX_ASSIGN(const bool one, step(*child, node, resolved, joined(path, resolved), log));
      changed |= one;
    }
    return changed;
  }

 private:
  Reply<bool> step(const OperationNode& operation, MutableNode& parent, const std::string& name,
                   const std::string& path, DeltaNode* log) {
    MutableNode* target = parent.child(name);
    if (target == nullptr) return create_child(operation, parent, name, path, log);
    if (operation.is_leaf()) return leaf(*operation.modifier, parent, *target, name, path, log);
    if (target->is_document() || target->is_array()) {
      if (log == nullptr) return children(operation, *target, path, nullptr);
      DeltaNode& sub = log->sub(name, target->is_array());
      return children(operation, *target, path, &sub);
    }
    if (operation.is_array_filter())
      return command_error(kBadValue, "Cannot apply array updates to non-array element " + name + ": " +
                                          shell_text(target->freeze()));
    if (!operation.may_create(env_)) return false;
    return command_error(kPathNotViable, "Cannot create field '" + operation.children.begin()->first +
                                             "' in element {" + name + ": " + shell_text(target->freeze()) +
                                             "}");
  }

  Reply<bool> leaf(const Modifier& modifier, MutableNode& parent, MutableNode& target,
                   const std::string& name, const std::string& path, DeltaNode* log) {
    const size_t size_before = target.is_array() ? target.children().size() : 0;
    SANDBOX_ASSIGN(const NodeChange change, modifier.update(target, path, env_));
    switch (change) {
      case NodeChange::kNone:
        return false;
      case NodeChange::kRemoved:
        if (parent.is_array()) {
          target.set(Value::null());
          log_update(log, name, path, Value::null());
        } else {
          parent.remove_child(name);
          if (log != nullptr) log->remove(name);
          if (log != nullptr && env_.paths != nullptr) env_.paths->unsets.push_back(path);
        }
        return true;
      case NodeChange::kUpdated:
        log_update(log, name, path, target.freeze());
        return true;
      case NodeChange::kAppended: {
        if (log == nullptr) return true;
        DeltaNode& sub = log->sub(name, true);
        for (size_t i = size_before; i < target.children().size(); ++i) {
          const std::string index = std::to_string(i);
          log_update(&sub, index, joined(path, index), target.children()[i].freeze());
        }
        return true;
      }
    }
    return false;
  }

  void log_update(DeltaNode* log, const std::string& name, const std::string& path, Value value) {
    if (log == nullptr) return;
    if (env_.paths != nullptr) env_.paths->sets.emplace_back(path, value);
    log->update(name, std::move(value));
  }

  // The field or item `name` is not there yet.
  Reply<bool> create_child(const OperationNode& operation, MutableNode& parent, const std::string& name,
                           const std::string& path, DeltaNode* log) {
    if (operation.is_array_filter())
      return command_error(
          kBadValue, "The path '" + path + "' must exist in the document in order to apply array updates.");
    if (!operation.may_create(env_)) return false;
    size_t index = 0;
    if (parent.is_array()) {
      const auto number = array_index(name);
      if (!number)
        return command_error(kPathNotViable, "Cannot create field '" + name + "' in element {" +
                                                 (path.size() > name.size() ? parent_name(path, name) : "") +
                                                 ": " + shell_text(parent.freeze()) + "}");
      index = *number;
      if (index > parent.children().size() + kBackfillMax)
        return command_error(kBadValue,
                             "can't backfill more than " + std::to_string(kBackfillMax) + " elements");
    }
    SANDBOX_ASSIGN(std::optional<MutableNode> created, create(operation, name, path, log != nullptr));
    if (!created) return false;
    if (log != nullptr) {
      if (parent.is_array())
        log->update(name, created->freeze());
      else
        log->insert(name, created->freeze());
    }
    auto& nodes = parent.children();
    if (parent.is_array()) {
      while (nodes.size() < index) nodes.emplace_back("", Value::null());
    }
    nodes.push_back(*std::move(created));
    return true;
  }

  static std::string parent_name(const std::string& path, const std::string& name) {
    const std::string parent = path.substr(0, path.size() - name.size() - 1);
    return parent.substr(parent.rfind('.') + 1);
  }

  // What grows below a path that did not exist; empty when nothing does.
  Reply<std::optional<MutableNode>> create(const OperationNode& operation, const std::string& name,
                                           const std::string& path, bool logged) {
    if (operation.is_leaf()) {
      if (!operation.modifier->creates(env_)) return std::optional<MutableNode>();
      SANDBOX_ASSIGN(Value value, operation.modifier->create(path, env_));
      if (logged && env_.paths != nullptr) env_.paths->sets.emplace_back(path, value);
      return std::optional<MutableNode>(MutableNode(name, std::move(value)));
    }
    if (!operation.may_create(env_)) return std::optional<MutableNode>();
    MutableNode node = MutableNode::new_document(name);
    for (const auto& [child_name, child] : operation.children) {
      const std::string child_path = joined(path, child_name);
      if (child_name == "$")
        return command_error(kBadValue,
                             "The positional operator did not find the match needed from the query.");
      if (child->is_array_filter())
        return command_error(kBadValue, "The path '" + child_path +
                                            "' must exist in the document in order to apply array updates.");
      SANDBOX_ASSIGN(std::optional<MutableNode> created, create(*child, child_name, child_path, logged));
      if (created) node.children().push_back(*std::move(created));
    }
    return std::optional<MutableNode>(std::move(node));
  }

  // The operations that apply to one item of an array under $[] and $[id].
  Reply<std::vector<const OperationNode*>> operations_of(const OperationNode& operation, const Value& item) {
    std::vector<const OperationNode*> result;
    for (const auto& [name, child] : operation.children) {
      const std::string identifier = name.substr(2, name.size() - 3);
      if (!identifier.empty()) {
        bson::Builder wrapped;
        item.append_to(wrapped, identifier);
        bson::MatchDetails details;
        const bool matches = update_.array_filters.at(identifier).matches(wrapped.view(), &details);
        if (details.error) return command_error(*details.error);
        if (!matches) continue;
      }
      result.push_back(child.get());
    }
    return result;
  }

  Reply<bool> array_filter(const OperationNode& operation, MutableNode& node, const std::string& path,
                           DeltaNode* log) {
    if (!node.is_array())
      return command_error(kBadValue, "Cannot apply array updates to non-array element " +
                                          path.substr(path.rfind('.') + 1) + ": " +
                                          shell_text(node.freeze()));
    std::vector<size_t> modified;
    for (size_t i = 0; i < node.children().size(); ++i) {
      MutableNode& item = node.children()[i];
      const std::string index = std::to_string(i);
      SANDBOX_ASSIGN(const auto operations, operations_of(operation, item.freeze()));
      if (operations.size() > 1 &&
          std::any_of(operations.begin(), operations.end(), [](auto* o) { return o->is_leaf(); }))
        return command_error(kConflictingUpdateOperators,
                             "Update created a conflict at '" + joined(path, index) + "'");
      bool changed = false;
      for (const OperationNode* one : operations) {
        SANDBOX_ASSIGN(const bool done, step(*one, node, index, joined(path, index), nullptr));
        changed |= done;
      }
      if (changed) modified.push_back(i);
    }
    if (modified.empty() || log == nullptr) return !modified.empty();
    log_items(node, modified, path, *log);
    return true;
  }

  // One changed item is logged by itself, several as the whole array.
  void log_items(MutableNode& node, const std::vector<size_t>& modified, const std::string& path,
                 DeltaNode& log) {
    if (modified.size() == 1) {
      const std::string index = std::to_string(modified[0]);
      return log_update(&log, index, joined(path, index), node.children()[modified[0]].freeze());
    }
    if (env_.paths != nullptr) env_.paths->sets.emplace_back(path, node.freeze());
    log.replace_whole(node.freeze());
  }

  const ModifierUpdate& update_;
  UpdateEnv& env_;
};

// Finds what each $rename moves, before anything changes.
Reply<void> find_renamed(const ModifierUpdate& update, const bson::Document& before, UpdateEnv& env) {
  for (const auto& [source, target] : update.renames) {
    bson::View view = before.view();
    std::string_view rest = source;
    while (true) {
      const std::string_view name = rest.substr(0, rest.find('.'));
      const auto element = view.find(name);
      if (!element) break;
      if (name.size() == rest.size()) {
        env.renamed.emplace(source, Value(before, *element));
        break;
      }
      if (element->is_array()) {
        const auto id = before.view().find("_id");
        return command_error(kBadValue, "The source field cannot be an array element, '" + source +
                                            "' in doc with " + (id ? "_id: " + shell_text(*id) : "no id") +
                                            " has an array field called '" + std::string(name) + "'");
      }
      if (!element->is_document()) break;
      view = element->document();
      rest.remove_prefix(name.size() + 1);
    }
  }
  return {};
}

// _id stays equal to what it was once the document has one; it may become another type of number.
Reply<void> check_id(const ModifierUpdate& update, bson::View before, bson::View after) {
  const auto old_id = before.find("_id");
  if (!old_id) return {};
  const auto new_id = after.find("_id");
  if (new_id && bson::compare(*old_id, *new_id) == 0) return {};
  std::string path = "_id";
  const OperationNode* node = &update.root;
  if (const auto found = node->children.find(path);
      found != node->children.end() && !found->second->is_leaf())
    path += "." + found->second->children.begin()->first;
  return command_error(kImmutableField, "Performing an update on the path '" + path +
                                            "' would modify the immutable field '_id'");
}

}  // namespace

Reply<UpdateResult> apply_modifiers(const ModifierUpdate& update, bson::View before, UpdateEnv env) {
  const bson::Document owned(before);
  env.before = owned.view();
  PathLog paths;
  if (!env.deltas) env.paths = &paths;
  if (!update.renames.empty()) SANDBOX_TRY(find_renamed(update, owned, env));
  MutableNode root = MutableNode::root(owned);
  DeltaNode log;
  SANDBOX_ASSIGN(const bool changed, Applier(update, env).children(update.root, root, "", &log));
  UpdateResult result;
  result.changed = changed;
  if (!changed) {
    result.after = owned;
    return result;
  }
  result.after = root.freeze_document();
  SANDBOX_TRY(check_id(update, env.before, result.after));
  if (result.after.size() > kDocumentBytesMax)
    return command_error(
        17419, "Resulting document after update is larger than " + std::to_string(kDocumentBytesMax));
  result.description = env.deltas ? log.describe() : paths.describe();
  return result;
}

}  // namespace tidemark::sandbox
