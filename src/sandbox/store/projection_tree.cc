#include "sandbox/store/projection_tree.h"

#include <algorithm>

#include "sandbox/store/filter.h"
#include "sandbox/store/shell_text.h"

namespace tidemark::sandbox {

using Node = ProjectionTree::Node;

Node* ProjectionTree::Node::child(std::string_view name) const {
  const auto found =
      std::find_if(children.begin(), children.end(), [name](const auto& item) { return item.first == name; });
  return found == children.end() ? nullptr : found->second.get();
}

bool ProjectionTree::Node::computes() const {
  return action == Action::kCompute || std::any_of(children.begin(), children.end(),
                                                   [](const auto& item) { return item.second->computes(); });
}

class ProjectionParser {
 public:
  ProjectionParser(ProjectionTree& tree, bool find, bool add_fields, const PipelineContext& context)
      : tree_(tree), find_(find), add_fields_(add_fields), parser_(context) {}

  Reply<void> parse(bson::View spec) {
    for (const bson::Element field : spec) SANDBOX_TRY(this->field(std::string(field.key()), field));
    if (add_fields_) {
      tree_.kind_ = ProjectionKind::kAddFields;
      return {};
    }
    const bool inclusion = included_.has_value() || (computed_ && !excluded_) || elem_match_ ||
                           tree_.positional_ || (id_kept_ && !excluded_ && !slice_);
    tree_.kind_ = inclusion ? ProjectionKind::kInclusion : ProjectionKind::kExclusion;
    if (inclusion && !id_set_) SANDBOX_TRY(add("_id", Node::Action::kKeep));
    return {};
  }

 private:
  Reply<void> field(const std::string& path, const bson::Element& value) {
    if (path.starts_with("$"))
      return command_error(
          16410, "FieldPath field names may not start with '$'. Consider using $getField or $setField.");
    if (add_fields_) return value.is_document() ? object(path, value) : compute(path, value);
    if (path.ends_with(".$") && find_) {
      if (!value.truthy()) return command_error(31395, "positional projection cannot be used with exclusion");
      SANDBOX_TRY(include(path.substr(0, path.size() - 2), Node::Action::kPositional));
      tree_.positional_ = true;
      return {};
    }
    if (value.is_number() || value.type() == BSON_TYPE_BOOL) {
      if (value.truthy()) return include(path, Node::Action::kKeep);
      return exclude(path);
    }
    if (value.is_document()) return object(path, value);
    return compute(path, value);
  }

  Reply<void> object(const std::string& path, const bson::Element& value) {
    const bson::View document = value.document();
    if (document.empty()) {
      if (add_fields_) return compute(path, value);
      return command_error(51270, "An empty sub-projection is not a valid value. Found empty object at path");
    }
    const bson::Element first = *document.begin();
    const std::string_view name = first.key();
    if (find_ && name == "$slice" && !is_expression_slice(first)) return slice(path, first);
    if (find_ && name == "$elemMatch") return elem_match(path, first);
    if (name == "$meta") return command_error(kNotImplemented, "$meta is not implemented by the sandbox");
    if (name.starts_with("$")) return compute(path, value);
    for (const bson::Element field : document)
      SANDBOX_TRY(this->field(path + "." + std::string(field.key()), field));
    return {};
  }

  // {$slice: [array expression, n]} is the expression, [skip, limit] with numbers the projection's own.
  static bool is_expression_slice(const bson::Element& argument) {
    return argument.is_array() && !argument.document().empty() && !(*argument.document().begin()).is_number();
  }

  Reply<void> slice(const std::string& path, const bson::Element& argument) {
    ProjectionTree::Slice slice;
    if (argument.is_array()) {
      std::vector<int64_t> numbers;
      for (const bson::Element item : argument.document())
        numbers.push_back(item.integer().value_or(INT64_MIN));
      if (numbers.size() != 2 || numbers[1] <= 0)
        return command_error(28724, "First argument to $slice must be an array, but is of type: int");
      slice = {numbers[0], numbers[1], numbers[0] < 0};
    } else {
      const auto count = argument.is_number() ? argument.integer() : std::nullopt;
      if (!count)
        return command_error(28667, "Invalid $slice syntax. The given syntax { $slice: " +
                                        shell_text(argument) + " } did not match the find() syntax");
      slice = *count < 0 ? ProjectionTree::Slice{*count, -std::max(*count, -int64_t{INT32_MAX}), true}
                         : ProjectionTree::Slice{0, *count, false};
    }
    SANDBOX_TRY(add(path, Node::Action::kSlice));
    find_node(path)->slice = slice;
    slice_ = true;
    return {};
  }

  Reply<void> elem_match(const std::string& path, const bson::Element& argument) {
    if (!argument.is_document())
      return command_error(31274, "elemMatch: Invalid argument, object required, but got " +
                                      std::string(type_name(argument.type())));
    if (path.find('.') != path.npos)
      return command_error(31275, "Cannot use $elemMatch projection on a nested field.");
    SANDBOX_TRY(add(path, Node::Action::kElemMatch));
    auto matcher = bson::Matcher::parse_value(argument);
    if (!matcher) return command_error(matcher.error());
    find_node(path)->elem_match = *std::move(matcher);
    elem_match_ = true;
    return {};
  }

  Reply<void> include(const std::string& path, Node::Action action) {
    if (path == "_id") {
      id_set_ = true;
      id_kept_ = true;
      return add(path, action);
    }
    if (excluded_)
      return command_error(31253, "Cannot do inclusion on field " + path + " in exclusion projection");
    included_ = path;
    return add(path, action);
  }

  Reply<void> exclude(const std::string& path) {
    if (path == "_id") {
      id_set_ = true;
      return add(path, Node::Action::kDrop);
    }
    if (included_ || computed_)
      return command_error(31254, "Cannot do exclusion on field " + path + " in inclusion projection");
    excluded_ = true;
    return add(path, Node::Action::kDrop);
  }

  Reply<void> compute(const std::string& path, const bson::Element& value) {
    if (excluded_)
      return command_error(31252, "Cannot use expression other than $meta in exclusion projection");
    if (path == "_id") id_set_ = true;
    computed_ = true;
    SANDBOX_TRY(add(path, Node::Action::kCompute));
    SANDBOX_ASSIGN(find_node(path)->expression, parser_.parse(value));
    return {};
  }

  Node* find_node(const std::string& path) {
    Node* node = &tree_.root_;
    std::string_view rest = path;
    while (true) {
      const size_t dot = rest.find('.');
      node = node->child(rest.substr(0, dot));
      if (dot == rest.npos) return node;
      rest.remove_prefix(dot + 1);
    }
  }

  Reply<void> add(const std::string& path, Node::Action action) {
    SANDBOX_ASSIGN(const auto parts, split_field_path(path));
    Node* node = &tree_.root_;
    for (size_t i = 0; i < parts.size(); ++i) {
      Node* child = node->child(parts[i]);
      const bool last = i + 1 == parts.size();
      if (child != nullptr && (last || child->action != Node::Action::kChildren))
        return command_error(last ? 31250 : 31249, "Path collision at " + path);
      if (child == nullptr)
        child = node->children.emplace_back(parts[i], std::make_unique<Node>()).second.get();
      node = child;
    }
    node->action = action;
    return {};
  }

  ProjectionTree& tree_;
  bool find_;
  bool add_fields_;
  ExpressionParser parser_;
  std::optional<std::string> included_;
  bool excluded_ = false;
  bool computed_ = false;
  bool elem_match_ = false;
  bool slice_ = false;
  bool id_set_ = false;
  bool id_kept_ = false;
};

Reply<std::shared_ptr<const ProjectionTree>> ProjectionTree::parse_find(bson::View spec,
                                                                        const PipelineContext& context) {
  auto tree = std::make_shared<ProjectionTree>();
  tree->context_ = context;
  SANDBOX_TRY(ProjectionParser(*tree, true, false, context).parse(spec));
  return tree;
}

Reply<std::shared_ptr<const ProjectionTree>> ProjectionTree::parse_stage(bson::View spec, ProjectionKind kind,
                                                                         const PipelineContext& context) {
  auto tree = std::make_shared<ProjectionTree>();
  tree->context_ = context;
  const bool add_fields = kind == ProjectionKind::kAddFields;
  if (spec.empty() && !add_fields)
    return command_error(
        51272, "Invalid $project :: caused by :: projection specification must have at least one field");
  auto parsed = ProjectionParser(*tree, false, add_fields, context).parse(spec);
  if (!parsed) {
    parsed.error().message = std::string("Invalid ") + (add_fields ? "$addFields" : "$project") +
                             " :: caused by :: " + parsed.error().message;
    return tl::unexpected(std::move(parsed).error());
  }
  return tree;
}

namespace {

// The items that {$slice: ..} keeps.
void append_slice(const ProjectionTree::Slice& slice, const bson::Element& array, bson::Builder& out) {
  const auto items = Value(array).items();
  const auto count = static_cast<int64_t>(items.size());
  const int64_t from = slice.from_end ? std::max<int64_t>(0, count + std::max(slice.skip, -count))
                                      : std::min(slice.skip, count);
  const int64_t length = std::min(slice.limit, count - from);
  Value::array(std::span(items).subspan(static_cast<size_t>(from), static_cast<size_t>(length)))
      .append_to(out, array.key());
}

void append_first_match(const bson::Matcher& matcher, const bson::Element& array, bson::Builder& out) {
  for (const bson::Element item : array.document()) {
    if (!matcher.matches_value(item)) continue;
    bson::Builder one;
    one.append("0", item);
    out.append_array(array.key(), one.view());
    return;
  }
}

Reply<void> append_position(std::optional<uint32_t> position, const bson::Element& field,
                            bson::Builder& out) {
  if (!field.is_array()) {
    out.append(field.key(), field);
    return {};
  }
  const auto item = position ? field.document().find(std::to_string(*position)) : std::nullopt;
  if (!item)
    return command_error(51246,
                         "Executor error during find command :: caused by :: positional operator '.$' "
                         "couldn't find a matching element in the array");
  bson::Builder one;
  one.append("0", *item);
  out.append_array(field.key(), one.view());
  return {};
}

}  // namespace

Reply<void> ProjectionTree::project(const Node& node, bson::View fields, std::optional<uint32_t> position,
                                    bson::Builder& out) const {
  const bool inclusion = kind_ == ProjectionKind::kInclusion;
  for (const bson::Element field : fields) {
    const Node* child = node.child(field.key());
    if (child == nullptr) {
      if (!inclusion) out.append(field.key(), field);
      continue;
    }
    switch (child->action) {
      case Node::Action::kKeep:
        out.append(field.key(), field);
        break;
      case Node::Action::kDrop:
        break;
      case Node::Action::kCompute:  // set in a second step; $addFields replaces in place
        if (!inclusion) out.append(field.key(), field);
        break;
      case Node::Action::kSlice:
        if (field.is_array())
          append_slice(child->slice, field, out);
        else
          out.append(field.key(), field);
        break;
      case Node::Action::kElemMatch:
        if (field.is_array()) append_first_match(*child->elem_match, field, out);
        break;
      case Node::Action::kPositional:
        SANDBOX_TRY(append_position(position, field, out));
        break;
      case Node::Action::kChildren: {
        bson::Builder inner;
        if (field.is_document()) {
          SANDBOX_TRY(project(*child, field.document(), position, inner));
          out.append(field.key(), inner.view());
        } else if (field.is_array()) {
          SANDBOX_TRY(project_array(*child, field.document(), position, inner));
          out.append_array(field.key(), inner.view());
        } else if (!inclusion || child->computes()) {
          out.append(field.key(), field);
        }
      }
    }
  }
  return {};
}

Reply<void> ProjectionTree::project_array(const Node& node, bson::View items,
                                          std::optional<uint32_t> position, bson::Builder& out) const {
  uint32_t index = 0;
  for (const bson::Element item : items) {
    const std::string key = std::to_string(index);
    bson::Builder inner;
    if (item.is_document()) {
      SANDBOX_TRY(project(node, item.document(), position, inner));
      out.append(key, inner.view());
    } else if (item.is_array()) {
      SANDBOX_TRY(project_array(node, item.document(), position, inner));
      out.append_array(key, inner.view());
    } else if (kind_ != ProjectionKind::kInclusion || node.computes()) {
      out.append(key, item);
    } else {
      continue;  // an inclusion keeps no plain items of an array
    }
    ++index;
  }
  return {};
}

Reply<void> ProjectionTree::compute(const Node& node, const Scope& scope, MutableNode& target) const {
  if (target.is_array()) {
    for (MutableNode& item : target.children()) SANDBOX_TRY(compute(node, scope, item));
    return {};
  }
  if (!target.is_document()) {
    // A plain value gives way to the computed fields below it.
    target.set(Value::document(bson::Builder().view()));
  }
  for (const auto& [name, child] : node.children) {
    if (!child->computes()) continue;
    if (child->action == Node::Action::kChildren) {
      MutableNode* existing = target.child(name);
      if (existing == nullptr) {
        target.children().push_back(MutableNode::new_document(name));
        existing = &target.children().back();
      }
      SANDBOX_TRY(compute(*child, scope, *existing));
      continue;
    }
    SANDBOX_ASSIGN(Value value, child->expression->evaluate(scope));
    MutableNode* existing = target.child(name);
    if (value.missing())
      target.remove_child(name);
    else if (existing != nullptr)
      existing->set(std::move(value));
    else
      target.children().emplace_back(name, std::move(value));
  }
  return {};
}

Reply<bson::Document> ProjectionTree::apply(const bson::Document& document,
                                            const bson::Matcher* query) const {
  std::optional<uint32_t> position;
  if (positional_ && query != nullptr) {
    bson::MatchDetails details;
    query->matches(document.view(), &details);
    position = details.array_index;
  }
  bson::Document projected = document;
  if (kind_ != ProjectionKind::kAddFields) {
    bson::Builder builder;
    SANDBOX_TRY(project(root_, document.view(), position, builder));
    projected = builder.finish();
  }
  if (!root_.computes()) return projected;
  MutableNode target = MutableNode::root(projected);
  SANDBOX_TRY(compute(root_, Scope{&context_, &document}, target));
  return target.freeze_document();
}

}  // namespace tidemark::sandbox
