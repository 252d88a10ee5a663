// The modifiers that change one value: $set, $unset, $inc, $mul, $min, $max, $rename, $setOnInsert,
// $currentDate, $bit.
#include <cstring>

#include "sandbox/store/numbers.h"
#include "sandbox/store/shell_text.h"
#include "sandbox/store/update_tree.h"

namespace tidemark::sandbox {
namespace {

bool identical(const Value& a, const Value& b) {
  if (a.type() != b.type()) return false;
  const bson::Element x = a.element();
  const bson::Element y = b.element();
  const auto left = x.value_bytes();
  const auto right = y.value_bytes();
  return left.size() == right.size() &&
         (left.empty() || std::memcmp(left.data(), right.data(), left.size()) == 0);
}

std::string id_text(const UpdateEnv& env) {
  const auto id = env.before.find("_id");
  return id ? shell_field(*id) : "{}";
}

std::string last_name(const std::string& path) { return path.substr(path.rfind('.') + 1); }

class SetModifier : public Modifier {
 public:
  explicit SetModifier(Value value) : value_(std::move(value)) {}
  Reply<NodeChange> update(MutableNode& node, const std::string&, const UpdateEnv&) const override {
    if (identical(node.freeze(), value_)) return NodeChange::kNone;
    node.set(value_);
    return NodeChange::kUpdated;
  }
  Reply<Value> create(const std::string&, const UpdateEnv&) const override { return value_; }

 private:
  Value value_;
};

class SetOnInsertModifier final : public SetModifier {
 public:
  using SetModifier::SetModifier;
  bool creates(const UpdateEnv& env) const override { return env.is_insert; }
  Reply<NodeChange> update(MutableNode& node, const std::string& path, const UpdateEnv& env) const override {
    return env.is_insert ? SetModifier::update(node, path, env) : Reply<NodeChange>(NodeChange::kNone);
  }
};

class UnsetModifier final : public Modifier {
 public:
  bool creates(const UpdateEnv&) const override { return false; }
  Reply<NodeChange> update(MutableNode&, const std::string&, const UpdateEnv&) const override {
    return NodeChange::kRemoved;
  }
  Reply<Value> create(const std::string&, const UpdateEnv&) const override { return Value(); }
};

class RenameSourceModifier final : public Modifier {
 public:
  explicit RenameSourceModifier(std::string source) : source_(std::move(source)) {}
  bool creates(const UpdateEnv&) const override { return false; }
  Reply<NodeChange> update(MutableNode&, const std::string&, const UpdateEnv& env) const override {
    return env.renamed.contains(source_) ? NodeChange::kRemoved : NodeChange::kNone;
  }
  Reply<Value> create(const std::string&, const UpdateEnv&) const override { return Value(); }

 private:
  std::string source_;
};

class RenameTargetModifier final : public Modifier {
 public:
  explicit RenameTargetModifier(std::string source) : source_(std::move(source)) {}
  bool creates(const UpdateEnv& env) const override { return env.renamed.contains(source_); }
  Reply<NodeChange> update(MutableNode& node, const std::string& path, const UpdateEnv& env) const override {
    const auto found = env.renamed.find(source_);
    if (found == env.renamed.end()) return NodeChange::kNone;
    return SetModifier(found->second).update(node, path, env);
  }
  Reply<Value> create(const std::string&, const UpdateEnv& env) const override {
    return env.renamed.at(source_);
  }

 private:
  std::string source_;
};

class ArithmeticModifier final : public Modifier {
 public:
  ArithmeticModifier(Arithmetic operation, Value operand)
      : operation_(operation), operand_(std::move(operand)) {}

  Reply<NodeChange> update(MutableNode& node, const std::string& path, const UpdateEnv& env) const override {
    const std::string name = operation_ == Arithmetic::kAdd ? "$inc" : "$mul";
    const Value before = node.freeze();
    if (!before.is_number())
      return command_error(kTypeMismatch, "Cannot apply " + name + " to a value of non-numeric type. " +
                                              id_text(env) + " has the field '" + last_name(path) +
                                              "' of non-numeric type " + std::string(type_name(before)));
    auto after = calculate(operation_, before, operand_, true);
    if (!after && after.error().code == kOverflow)
      return command_error(kBadValue, "Failed to apply " + name +
                                          " operations to current value ((NumberLong)" + shell_text(before) +
                                          ") for document " + id_text(env));
    if (!after) return tl::unexpected(std::move(after).error());
    if (identical(before, *after)) return NodeChange::kNone;
    node.set(*std::move(after));
    return NodeChange::kUpdated;
  }
  Reply<Value> create(const std::string&, const UpdateEnv&) const override {
    if (operation_ == Arithmetic::kAdd) return operand_;
    return calculate(Arithmetic::kMultiply, operand_, Value(int32_t{0}), true);
  }

 private:
  Arithmetic operation_;
  Value operand_;
};

class ExtremeModifier final : public Modifier {
 public:
  ExtremeModifier(bool maximum, Value value) : maximum_(maximum), value_(std::move(value)) {}
  Reply<NodeChange> update(MutableNode& node, const std::string&, const UpdateEnv&) const override {
    const int order = compare(value_, node.freeze());
    if (maximum_ ? order <= 0 : order >= 0) return NodeChange::kNone;
    node.set(value_);
    return NodeChange::kUpdated;
  }
  Reply<Value> create(const std::string&, const UpdateEnv&) const override { return value_; }

 private:
  bool maximum_;
  Value value_;
};

class BitModifier final : public Modifier {
 public:
  struct Step {
    char operation;  // & | ^
    Value operand;
  };
  explicit BitModifier(std::vector<Step> steps) : steps_(std::move(steps)) {}

  Reply<NodeChange> update(MutableNode& node, const std::string& path, const UpdateEnv& env) const override {
    const Value before = node.freeze();
    if (before.type() != BSON_TYPE_INT32 && before.type() != BSON_TYPE_INT64)
      return command_error(kBadValue, "Cannot apply $bit to a value of non-integral type." + id_text(env) +
                                          " has the field " + last_name(path) + " of non-integer type " +
                                          std::string(type_name(before)));
    const Value after = apply(before);
    if (identical(before, after)) return NodeChange::kNone;
    node.set(after);
    return NodeChange::kUpdated;
  }
  Reply<Value> create(const std::string&, const UpdateEnv&) const override {
    return apply(Value(int32_t{0}));
  }

 private:
  Value apply(const Value& start) const {
    int64_t number = start.integer().value_or(0);
    bool wide = start.type() == BSON_TYPE_INT64;
    for (const Step& step : steps_) {
      const int64_t operand = step.operand.integer().value_or(0);
      wide |= step.operand.type() == BSON_TYPE_INT64;
      number = step.operation == '&'   ? number & operand
               : step.operation == '|' ? number | operand
                                       : number ^ operand;
    }
    return wide ? Value(number) : Value(static_cast<int32_t>(number));
  }

  std::vector<Step> steps_;
};

Reply<std::unique_ptr<const Modifier>> parse_arithmetic(std::string_view name,
                                                        const bson::Element& argument) {
  if (!argument.is_number())
    return command_error(kTypeMismatch, std::string(name == "$inc" ? "Cannot increment" : "Cannot multiply") +
                                            " with non-numeric argument: " + shell_field(argument));
  return std::make_unique<const ArithmeticModifier>(name == "$inc" ? Arithmetic::kAdd : Arithmetic::kMultiply,
                                                    Value(argument));
}

Reply<std::unique_ptr<const Modifier>> parse_bit(const bson::Element& argument) {
  if (!argument.is_document())
    return command_error(
        kBadValue, "The $bit modifier is not compatible with a " + std::string(type_name(argument.type())) +
                       ". You must pass in an embedded document: {$bit: {field: {and/or/xor: #}}");
  std::vector<BitModifier::Step> steps;
  for (const bson::Element item : argument.document()) {
    const std::string_view name = item.key();
    const char operation = name == "and" ? '&' : name == "or" ? '|' : name == "xor" ? '^' : '\0';
    if (operation == '\0')
      return command_error(kBadValue, "The $bit modifier only supports 'and', 'or', and 'xor', not '" +
                                          std::string(name) +
                                          "' which is an unknown operator: " + shell_field(item));
    if (item.type() != BSON_TYPE_INT32 && item.type() != BSON_TYPE_INT64)
      return command_error(kBadValue, "The $bit modifier field must be an Integer(32/64 bit); a '" +
                                          std::string(type_name(item.type())) +
                                          "' is not supported here: " + shell_field(item));
    steps.push_back({operation, Value(item)});
  }
  if (steps.empty())
    return command_error(kBadValue,
                         "You must pass in at least one bitwise operation. The format is: "
                         "{$bit: {field: {and/or/xor: #}}");
  return std::make_unique<const BitModifier>(std::move(steps));
}

// $currentDate is a $set of the time that the update began.
class CurrentDateModifier final : public Modifier {
 public:
  explicit CurrentDateModifier(Value value) : value_(std::move(value)) {}
  Reply<NodeChange> update(MutableNode& node, const std::string&, const UpdateEnv&) const override {
    node.set(value_);
    return NodeChange::kUpdated;
  }
  Reply<Value> create(const std::string&, const UpdateEnv&) const override { return value_; }

 private:
  Value value_;
};

Reply<std::unique_ptr<const Modifier>> parse_current_date(const bson::Element& argument,
                                                          const PipelineContext& context) {
  const Value date = Value::date(context.now_ms);
  if (argument.type() == BSON_TYPE_BOOL) return std::make_unique<const CurrentDateModifier>(date);
  if (!argument.is_document())
    return command_error(kBadValue,
                         std::string(type_name(argument.type())) +
                             " is not valid type for $currentDate. Please use a boolean ('true') or a "
                             "$type expression ({$type: 'timestamp/date'}).");
  for (const bson::Element item : argument.document()) {
    if (item.key() != "$type")
      return command_error(kBadValue, "Unrecognized $currentDate option: " + std::string(item.key()));
    if (item.is_string() && item.string() == "date") return std::make_unique<const CurrentDateModifier>(date);
    if (item.is_string() && item.string() == "timestamp")
      return std::make_unique<const CurrentDateModifier>(Value::timestamp(context.cluster_time));
  }
  return command_error(
      kBadValue,
      "The '$type' string field is required to be 'date' or 'timestamp': {$currentDate: {field : "
      "{$type: 'date'}}}");
}

}  // namespace

std::unique_ptr<const Modifier> make_unset() { return std::make_unique<const UnsetModifier>(); }
std::unique_ptr<const Modifier> make_rename_source(std::string source) {
  return std::make_unique<const RenameSourceModifier>(std::move(source));
}
std::unique_ptr<const Modifier> make_rename_target(std::string source) {
  return std::make_unique<const RenameTargetModifier>(std::move(source));
}

Reply<std::unique_ptr<const Modifier>> parse_modifier(std::string_view name, const bson::Element& argument,
                                                      const PipelineContext& context) {
  if (name == "$set") return std::make_unique<const SetModifier>(Value(argument));
  if (name == "$setOnInsert") return std::make_unique<const SetOnInsertModifier>(Value(argument));
  if (name == "$unset") return make_unset();
  if (name == "$inc" || name == "$mul") return parse_arithmetic(name, argument);
  if (name == "$min" || name == "$max")
    return std::make_unique<const ExtremeModifier>(name == "$max", Value(argument));
  if (name == "$bit") return parse_bit(argument);
  if (name == "$currentDate") return parse_current_date(argument, context);
  return parse_array_modifier(name, argument, context);
}

}  // namespace tidemark::sandbox
