// The modifiers of arrays: $push, $addToSet, $pop, $pull, $pullAll.
#include <algorithm>

#include "sandbox/store/filter.h"
#include "sandbox/store/shell_text.h"
#include "sandbox/store/sort.h"
#include "sandbox/store/update_tree.h"

namespace tidemark::sandbox {
namespace {

std::string id_text(const UpdateEnv& env) {
  const auto id = env.before.find("_id");
  return id ? shell_field(*id) : "{}";
}

void append(std::vector<MutableNode>& nodes, size_t at, const Value& value) {
  nodes.insert(nodes.begin() + static_cast<ptrdiff_t>(at), MutableNode("", value));
}

// The order that $push's $sort gives: of whole items, or of fields of items.
class PushSort {
 public:
  static Reply<PushSort> parse(const bson::Element& spec) {
    PushSort sort;
    const std::string usage =
        "The $sort is invalid: use 1/-1 to sort the whole element, or {field:1/-1} to sort embedded fields";
    if (spec.is_number()) {
      const auto direction = spec.integer();
      if (direction != 1 && direction != -1)
        return command_error(kBadValue, "The $sort element value must be either 1 or -1");
      sort.descending_ = *direction == -1;
      return sort;
    }
    if (!spec.is_document()) return command_error(kBadValue, usage);
    if (spec.document().empty())
      return command_error(kBadValue, "The $sort pattern is empty when it should be a set of fields.");
    SANDBOX_ASSIGN(sort.fields_, SortOrder::parse(spec.document()));
    sort.by_fields_ = true;
    return sort;
  }

  void apply(std::vector<MutableNode>& nodes) const {
    std::stable_sort(nodes.begin(), nodes.end(), [this](const MutableNode& a, const MutableNode& b) {
      const Value x = a.freeze();
      const Value y = b.freeze();
      if (!by_fields_) return descending_ ? compare(y, x) < 0 : compare(x, y) < 0;
      return fields_.less(document_of(x), document_of(y));
    });
  }

 private:
  // An item that is no document has none of the fields.
  static bson::View document_of(const Value& value) {
    static const bson::Document kNone = bson::Builder().finish();
    return value.is_document() ? value.view() : kNone.view();
  }

  bool descending_ = false;
  bool by_fields_ = false;
  SortOrder fields_;
};

class PushModifier final : public Modifier {
 public:
  static Reply<std::unique_ptr<const Modifier>> parse(const bson::Element& argument) {
    auto push = std::make_unique<PushModifier>();
    const bool clauses = argument.is_document() && argument.document().find("$each");
    if (!clauses) {
      push->values_.emplace_back(argument);
      return push;
    }
    for (const bson::Element clause : argument.document()) SANDBOX_TRY(push->clause(clause));
    return push;
  }

  Reply<NodeChange> update(MutableNode& node, const std::string& path, const UpdateEnv& env) const override {
    if (!node.is_array())
      return command_error(kBadValue, "The field '" + path + "' must be an array but is of type " +
                                          std::string(type_name(node.type())) + " in document " +
                                          id_text(env));
    const Value before = slice_ || sort_ ? node.freeze() : Value();
    const NodeChange change = perform(node.children());
    if (before.missing() || change == NodeChange::kNone) return change;
    return compare(before, node.freeze()) == 0 ? NodeChange::kNone : change;
  }

  Reply<Value> create(const std::string&, const UpdateEnv&) const override {
    MutableNode node("", Value::array(std::span<const Value>()));
    perform(node.children());
    return node.freeze();
  }

 private:
  Reply<void> clause(const bson::Element& clause) {
    const std::string_view name = clause.key();
    if (name == "$each") {
      if (!clause.is_array())
        return command_error(kBadValue,
                             "The argument to $each in $push must be an array but it was of type: " +
                                 std::string(type_name(clause.type())));
      for (const bson::Element item : clause.document()) values_.emplace_back(item);
      return {};
    }
    if (name == "$slice" || name == "$position") {
      const auto number = clause.is_number() ? clause.integer() : std::nullopt;
      if (!number)
        return command_error(kBadValue,
                             "The value for " + std::string(name) +
                                 (name == "$slice" ? " must be an integer value but was given type: "
                                                   : " must be an integer value, not of type: ") +
                                 std::string(type_name(clause.type())));
      (name == "$slice" ? slice_ : position_) = *number;
      return {};
    }
    if (name == "$sort") {
      SANDBOX_ASSIGN(sort_, PushSort::parse(clause));
      return {};
    }
    return command_error(kBadValue, "Unrecognized clause in $push: " + std::string(name));
  }

  NodeChange perform(std::vector<MutableNode>& nodes) const {
    const auto size = static_cast<int64_t>(nodes.size());
    int64_t at = position_.value_or(size);
    if (at < 0) at = std::max<int64_t>(0, size + at);
    at = std::min(at, size);
    NodeChange change = values_.empty() ? NodeChange::kNone
                        : at == size    ? NodeChange::kAppended
                                        : NodeChange::kUpdated;
    for (const Value& value : values_) append(nodes, static_cast<size_t>(at++), value);
    if (sort_) {
      sort_->apply(nodes);
      change = NodeChange::kUpdated;
    }
    if (slice_) {
      const auto keep = static_cast<size_t>(std::min<uint64_t>(
          static_cast<uint64_t>(*slice_ < 0 ? -(*slice_ + 1) : *slice_) + (*slice_ < 0 ? 1 : 0),
          nodes.size()));
      if (keep < nodes.size()) change = NodeChange::kUpdated;
      if (*slice_ >= 0)
        nodes.resize(keep);
      else
        nodes.erase(nodes.begin(), nodes.end() - static_cast<ptrdiff_t>(keep));
    }
    return change;
  }

  std::vector<Value> values_;
  std::optional<int64_t> slice_;
  std::optional<int64_t> position_;
  std::optional<PushSort> sort_;
};

class AddToSetModifier final : public Modifier {
 public:
  static Reply<std::unique_ptr<const Modifier>> parse(const bson::Element& argument) {
    auto add = std::make_unique<AddToSetModifier>();
    const bool each = argument.is_document() && !argument.document().empty() &&
                      (*argument.document().begin()).key() == "$each";
    if (!each) {
      add->insert(Value(argument));
      return add;
    }
    for (const bson::Element clause : argument.document()) {
      if (clause.key() != "$each")
        return command_error(kBadValue, "Found unexpected fields after $each in $addToSet: " +
                                            shell_text(argument.document()));
      if (!clause.is_array())
        return command_error(kTypeMismatch,
                             "The argument to $each in $addToSet must be an array but it was of type " +
                                 std::string(type_name(clause.type())));
      for (const bson::Element item : clause.document()) add->insert(Value(item));
    }
    return add;
  }

  Reply<NodeChange> update(MutableNode& node, const std::string& path, const UpdateEnv&) const override {
    if (!node.is_array())
      return command_error(kBadValue, "Cannot apply $addToSet to non-array field. Field named '" +
                                          path.substr(path.rfind('.') + 1) + "' has non-array type " +
                                          std::string(type_name(node.type())));
    auto& nodes = node.children();
    bool changed = false;
    for (const Value& value : values_) {
      const bool present = std::any_of(nodes.begin(), nodes.end(), [&value](const MutableNode& item) {
        return compare(item.freeze(), value) == 0;
      });
      if (present) continue;
      append(nodes, nodes.size(), value);
      changed = true;
    }
    return changed ? NodeChange::kUpdated : NodeChange::kNone;
  }
  Reply<Value> create(const std::string&, const UpdateEnv&) const override { return Value::array(values_); }

 private:
  void insert(Value value) {
    const bool present = std::any_of(values_.begin(), values_.end(),
                                     [&value](const Value& item) { return compare(item, value) == 0; });
    if (!present) values_.push_back(std::move(value));
  }

  std::vector<Value> values_;
};

// What removes items and does nothing where there is no array.
class RemovingModifier : public Modifier {
 public:
  bool creates(const UpdateEnv&) const override { return false; }
  Reply<Value> create(const std::string&, const UpdateEnv&) const override { return Value(); }
};

class PopModifier final : public RemovingModifier {
 public:
  static Reply<std::unique_ptr<const Modifier>> parse(const bson::Element& argument) {
    const auto number = argument.is_number() ? argument.integer() : std::nullopt;
    if (!number)
      return command_error(kFailedToParse, "Expected a number in: " + std::string(argument.key()) + ": " +
                                               shell_text(argument));
    if (*number != 1 && *number != -1)
      return command_error(kFailedToParse, "$pop expects 1 or -1, found: " + std::to_string(*number));
    auto pop = std::make_unique<PopModifier>();
    pop->first_ = *number == -1;
    return pop;
  }
  Reply<NodeChange> update(MutableNode& node, const std::string& path, const UpdateEnv&) const override {
    if (!node.is_array())
      return command_error(kTypeMismatch, "Path '" + path + "' contains an element of non-array type '" +
                                              std::string(type_name(node.type())) + "'");
    auto& nodes = node.children();
    if (nodes.empty()) return NodeChange::kNone;
    nodes.erase(first_ ? nodes.begin() : nodes.end() - 1);
    return NodeChange::kUpdated;
  }

 private:
  bool first_ = false;
};

class PullModifier final : public RemovingModifier {
 public:
  using Condition = std::function<bool(const bson::Element&)>;
  explicit PullModifier(std::string name, Condition condition)
      : name_(std::move(name)), condition_(std::move(condition)) {}

  static Reply<std::unique_ptr<const Modifier>> parse(const bson::Element& argument) {
    auto matcher = bson::Matcher::parse_value(argument);
    if (!matcher) return command_error(matcher.error());
    return std::make_unique<const PullModifier>(
        "$pull",
        [matcher = *std::move(matcher)](const bson::Element& item) { return matcher.matches_value(item); });
  }
  static Reply<std::unique_ptr<const Modifier>> parse_all(const bson::Element& argument) {
    if (!argument.is_array())
      return command_error(kBadValue, "$pullAll requires an array argument but was given a " +
                                          std::string(type_name(argument.type())));
    return std::make_unique<const PullModifier>(
        "$pullAll", [values = Value(argument).items()](const bson::Element& item) {
          const Value value(item);
          return std::any_of(values.begin(), values.end(),
                             [&value](const Value& candidate) { return compare(candidate, value) == 0; });
        });
  }

  Reply<NodeChange> update(MutableNode& node, const std::string&, const UpdateEnv&) const override {
    if (!node.is_array()) return command_error(kBadValue, "Cannot apply " + name_ + " to a non-array value");
    auto& nodes = node.children();
    const auto removed = std::erase_if(nodes, [this](const MutableNode& item) {
      const Value value = item.freeze();
      return condition_(value.element());
    });
    return removed > 0 ? NodeChange::kUpdated : NodeChange::kNone;
  }

 private:
  std::string name_;
  Condition condition_;
};

}  // namespace

Reply<std::unique_ptr<const Modifier>> parse_array_modifier(std::string_view name,
                                                            const bson::Element& argument,
                                                            const PipelineContext&) {
  if (name == "$push") return PushModifier::parse(argument);
  if (name == "$addToSet") return AddToSetModifier::parse(argument);
  if (name == "$pop") return PopModifier::parse(argument);
  if (name == "$pull") return PullModifier::parse(argument);
  if (name == "$pullAll") return PullModifier::parse_all(argument);
  return command_error(kFailedToParse, "Unknown modifier: " + std::string(name));
}

}  // namespace tidemark::sandbox
