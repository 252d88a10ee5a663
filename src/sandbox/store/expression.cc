#include "sandbox/store/expression.h"

#include <algorithm>

#include "sandbox/store/expr_node.h"
#include "sandbox/store/filter.h"
#include "sandbox/store/shell_text.h"

namespace tidemark::sandbox {
namespace {

constexpr int kDepthMax = 150;

const OperatorTable& operators() {
  static const OperatorTable table = [] {
    OperatorTable t;
    add_arithmetic_operators(t);
    add_array_operators(t);
    add_array_forms(t);
    add_control_operators(t);
    add_conversion_operators(t);
    add_date_operators(t);
    add_object_operators(t);
    add_set_operators(t);
    add_string_operators(t);
    return t;
  }();
  return table;
}

// Operators of the server that the sandbox refuses as not implemented, rather than as unknown.
bool exists_in_server(std::string_view name) {
  static const std::set<std::string_view> kNames{"$accumulator",
                                                 "$acos",
                                                 "$acosh",
                                                 "$asin",
                                                 "$asinh",
                                                 "$atan",
                                                 "$atan2",
                                                 "$atanh",
                                                 "$avg",
                                                 "$bitAnd",
                                                 "$bitNot",
                                                 "$bitOr",
                                                 "$bitXor",
                                                 "$cos",
                                                 "$cosh",
                                                 "$degreesToRadians",
                                                 "$firstN",
                                                 "$function",
                                                 "$lastN",
                                                 "$maxN",
                                                 "$meta",
                                                 "$minN",
                                                 "$median",
                                                 "$percentile",
                                                 "$radiansToDegrees",
                                                 "$regexFind",
                                                 "$regexFindAll",
                                                 "$sampleRate",
                                                 "$sin",
                                                 "$sinh",
                                                 "$stdDevPop",
                                                 "$stdDevSamp",
                                                 "$tan",
                                                 "$tanh",
                                                 "$tsIncrement",
                                                 "$tsSecond",
                                                 "$zip",
                                                 "$dateToParts",
                                                 "$isoDayOfWeek",
                                                 "$isoWeek",
                                                 "$isoWeekYear",
                                                 "$week"};
  return kNames.contains(name);
}

class ConstantExpression final : public ExpressionNode {
 public:
  explicit ConstantExpression(Value value) : value_(std::move(value)) {}
  Reply<Value> evaluate(const Scope&) const override { return value_; }
  const Value* constant() const override { return &value_; }

 private:
  Value value_;
};

class PathExpression final : public ExpressionNode {
 public:
  explicit PathExpression(std::vector<std::string> path) : path_(std::move(path)) {}
  Reply<Value> evaluate(const Scope& scope) const override {
    return path_value(*scope.root, scope.root->view(), path_);
  }

 private:
  std::vector<std::string> path_;
};

// $$name or $$name.path
class VariableExpression final : public ExpressionNode {
 public:
  VariableExpression(std::string name, std::vector<std::string> path)
      : name_(std::move(name)), path_(std::move(path)) {}

  Reply<Value> evaluate(const Scope& scope) const override {
    if ((name_ == "ROOT" || name_ == "CURRENT") && !path_.empty())
      return path_value(*scope.root, scope.root->view(), path_);
    SANDBOX_ASSIGN(const Value value, lookup(scope));
    if (path_.empty()) return value;
    if (value.is_document()) return path_value(value.owner(), value.view(), path_);
    if (!value.is_array()) return Value();
    // A path into an array collects from its items.
    bson::Builder wrapper;
    value.append_to(wrapper, "v");
    std::vector<std::string> path = path_;
    path.insert(path.begin(), "v");
    const bson::Document owner = wrapper.finish();
    return path_value(owner, owner.view(), path);
  }

 private:
  Reply<Value> lookup(const Scope& scope) const {
    for (const Scope* at = &scope; at != nullptr; at = at->outer) {
      if (at->name == name_) return at->value;
    }
    if (name_ == "ROOT" || name_ == "CURRENT") return Value::document(scope.root->view());
    if (name_ == "NOW") return Value::date(scope.context->now_ms);
    if (name_ == "CLUSTER_TIME") return Value::timestamp(scope.context->cluster_time);
    if (name_ == "REMOVE") return Value();
    if (name_ == "KEEP") return Value("keep");
    if (name_ == "PRUNE") return Value("prune");
    if (name_ == "DESCEND") return Value("descend");
    if (const auto found = scope.context->let.view().find(name_)) return Value(scope.context->let, *found);
    return command_error(17276, "Use of undefined variable: " + name_);
  }

  std::string name_;
  std::vector<std::string> path_;
};

class ObjectExpression final : public ExpressionNode {
 public:
  explicit ObjectExpression(std::vector<std::pair<std::string, ExpressionPtr>> fields)
      : fields_(std::move(fields)) {}
  Reply<Value> evaluate(const Scope& scope) const override {
    bson::Builder builder;
    for (const auto& [name, node] : fields_) {
      SANDBOX_ASSIGN(const Value value, node->evaluate(scope));
      value.append_to(builder, name);
    }
    return Value::document(builder.view());
  }

 private:
  std::vector<std::pair<std::string, ExpressionPtr>> fields_;
};

class ArrayExpression final : public ExpressionNode {
 public:
  explicit ArrayExpression(std::vector<ExpressionPtr> items) : items_(std::move(items)) {}
  Reply<Value> evaluate(const Scope& scope) const override {
    std::vector<Value> values;
    for (const auto& node : items_) {
      SANDBOX_ASSIGN(Value value, node->evaluate(scope));
      values.push_back(std::move(value));
    }
    return Value::array(values);
  }

 private:
  std::vector<ExpressionPtr> items_;
};

class FunctionExpression final : public ExpressionNode {
 public:
  FunctionExpression(Function function, std::vector<ExpressionPtr> arguments)
      : function_(function), arguments_(std::move(arguments)) {}
  Reply<Value> evaluate(const Scope& scope) const override {
    std::vector<Value> values;
    values.reserve(arguments_.size());
    for (const auto& node : arguments_) {
      if (!node) {
        values.emplace_back();
        continue;
      }
      SANDBOX_ASSIGN(Value value, node->evaluate(scope));
      values.push_back(std::move(value));
    }
    return function_(scope, values);
  }

 private:
  Function function_;
  std::vector<ExpressionPtr> arguments_;
};

bool is_known_variable(std::string_view name) {
  static const std::set<std::string_view> kNames{"ROOT",   "CURRENT", "NOW",   "CLUSTER_TIME",
                                                 "REMOVE", "KEEP",    "PRUNE", "DESCEND"};
  return kNames.contains(name);
}

Reply<ExpressionPtr> parse_arguments(ExpressionParser& parser, std::string_view name,
                                     const OperatorSpec& spec, const bson::Element& argument) {
  std::vector<ExpressionPtr> nodes;
  if (!spec.parameters.empty() && argument.is_document() && !argument.document().empty() &&
      !(*argument.document().begin()).key().starts_with("$")) {
    nodes.resize(spec.parameters.size());
    for (const bson::Element item : argument.document()) {
      const auto found = std::find(spec.parameters.begin(), spec.parameters.end(), item.key());
      if (found == spec.parameters.end())
        return command_error(spec.unknown_parameter_code, "Unrecognized argument to " + std::string(name) +
                                                              ": " + std::string(item.key()));
      SANDBOX_ASSIGN(nodes[static_cast<size_t>(found - spec.parameters.begin())], parser.parse(item));
    }
    for (int i = 0; i < spec.arguments_min; ++i) {
      if (!nodes[static_cast<size_t>(i)])
        return command_error(spec.unknown_parameter_code,
                             "Missing '" + std::string(spec.parameters[static_cast<size_t>(i)]) +
                                 "' parameter to " + std::string(name));
    }
    return std::make_shared<const FunctionExpression>(spec.function, std::move(nodes));
  }
  if (argument.is_array()) {
    for (const bson::Element item : argument.document()) {
      SANDBOX_ASSIGN(ExpressionPtr node, parser.parse(item));
      nodes.push_back(std::move(node));
    }
  } else {
    SANDBOX_ASSIGN(ExpressionPtr node, parser.parse(argument));
    nodes.push_back(std::move(node));
  }
  const int count = static_cast<int>(nodes.size());
  if (spec.arguments_min == spec.arguments_max && count != spec.arguments_min)
    return command_error(16020, "Expression " + std::string(name) + " takes exactly " +
                                    std::to_string(spec.arguments_min) + " arguments. " +
                                    std::to_string(count) + " were passed in.");
  if (count < spec.arguments_min || (spec.arguments_max >= 0 && count > spec.arguments_max))
    return command_error(28667, "Expression " + std::string(name) + " takes at least " +
                                    std::to_string(spec.arguments_min) + " arguments, and at most " +
                                    std::to_string(spec.arguments_max) + ", but " + std::to_string(count) +
                                    " were passed in.");
  return std::make_shared<const FunctionExpression>(spec.function, std::move(nodes));
}

}  // namespace

ExpressionPtr make_constant(Value value) {
  return std::make_shared<const ConstantExpression>(std::move(value));
}

Value path_value(const bson::Document& owner, bson::View view, std::span<const std::string> path) {
  const auto element = view.find(path[0]);
  if (!element) return {};
  if (path.size() == 1) return Value(owner, *element);
  if (element->is_document()) return path_value(owner, element->document(), path.subspan(1));
  if (!element->is_array()) return {};
  std::vector<Value> found;
  const auto collect = [&](auto& self, bson::View array, std::vector<Value>& out) -> void {
    for (const bson::Element item : array) {
      if (item.is_document()) {
        Value value = path_value(owner, item.document(), path.subspan(1));
        if (!value.missing()) out.push_back(std::move(value));
      } else if (item.is_array()) {
        std::vector<Value> inner;
        self(self, item.document(), inner);
        if (!inner.empty()) out.push_back(Value::array(inner));
      }
    }
  };
  collect(collect, element->document(), found);
  return Value::array(found);
}

Reply<std::vector<std::string>> split_field_path(std::string_view path) {
  if (path.empty()) return command_error(40352, "FieldPath cannot be constructed with empty string");
  if (path.back() == '.') return command_error(40353, "FieldPath must not end with a '.'.");
  std::vector<std::string> parts;
  while (true) {
    const size_t dot = path.find('.');
    const std::string_view part = path.substr(0, dot);
    if (part.empty()) return command_error(15998, "FieldPath field names may not be empty strings.");
    if (part[0] == '$' && part != "$id" && part != "$ref" && part != "$db")
      return command_error(
          16410, "FieldPath field names may not start with '$'. Consider using $getField or $setField.");
    parts.emplace_back(part);
    if (parts.size() > 200) return command_error(kOverflow, "FieldPath is too long");
    if (dot == path.npos) return parts;
    path.remove_prefix(dot + 1);
  }
}

Reply<ExpressionPtr> ExpressionParser::parse(const bson::Element& spec) {
  if (depth_ > kDepthMax) return command_error(kOverflow, "expressions are too deeply nested");
  ++depth_;
  Reply<ExpressionPtr> result = [&]() -> Reply<ExpressionPtr> {
    if (spec.is_string()) return parse_text(spec.string());
    if (spec.is_document()) return parse_object(spec.document());
    if (!spec.is_array()) return make_constant(Value(spec));
    std::vector<ExpressionPtr> items;
    for (const bson::Element item : spec.document()) {
      SANDBOX_ASSIGN(ExpressionPtr node, parse(item));
      items.push_back(std::move(node));
    }
    return std::make_shared<const ArrayExpression>(std::move(items));
  }();
  --depth_;
  return result;
}

Reply<ExpressionPtr> ExpressionParser::parse_with(const bson::Element& spec,
                                                  std::vector<std::string> variables) {
  const size_t before = variables_.size();
  variables_.insert(variables_.end(), variables.begin(), variables.end());
  auto result = parse(spec);
  variables_.resize(before);
  return result;
}

Reply<ExpressionPtr> ExpressionParser::parse_text(std::string_view text) {
  if (!text.starts_with("$")) return make_constant(Value(text));
  if (!text.starts_with("$$")) {
    if (text.size() == 1) return command_error(16872, "'$' by itself is not a valid FieldPath");
    SANDBOX_ASSIGN(auto path, split_field_path(text.substr(1)));
    return std::make_shared<const PathExpression>(std::move(path));
  }
  const std::string_view rest = text.substr(2);
  const size_t dot = rest.find('.');
  const std::string name(rest.substr(0, dot));
  if (name.empty()) return command_error(16869, "empty variable names are not allowed");
  const bool known = is_known_variable(name) ||
                     std::find(variables_.begin(), variables_.end(), name) != variables_.end() ||
                     context_.let.view().find(name).has_value();
  if (!known) return command_error(17276, "Use of undefined variable: " + name);
  std::vector<std::string> path;
  if (dot != rest.npos) {
    SANDBOX_ASSIGN(path, split_field_path(rest.substr(dot + 1)));
  }
  return std::make_shared<const VariableExpression>(name, std::move(path));
}

Reply<ExpressionPtr> ExpressionParser::parse_object(bson::View object) {
  if (!object.empty() && (*object.begin()).key().starts_with("$")) {
    auto second = object.begin();
    ++second;
    if (second != object.end())
      return command_error(
          15983, "An object representing an expression must have exactly one field: " + shell_text(object));
    return parse_operator(*object.begin());
  }
  std::vector<std::pair<std::string, ExpressionPtr>> fields;
  for (const bson::Element field : object) {
    const std::string name(field.key());
    if (name.starts_with("$"))
      return command_error(
          16410, "FieldPath field names may not start with '$'. Consider using $getField or $setField.");
    if (name.find('.') != name.npos)
      return command_error(
          16412, "FieldPath field names may not contain '.'. Consider using $getField or $setField.");
    SANDBOX_ASSIGN(ExpressionPtr node, parse(field));
    fields.emplace_back(name, std::move(node));
  }
  return std::make_shared<const ObjectExpression>(std::move(fields));
}

Reply<ExpressionPtr> ExpressionParser::parse_operator(const bson::Element& element) {
  const std::string name(element.key());
  const auto found = operators().find(name);
  if (found == operators().end()) {
    if (exists_in_server(name))
      return command_error(kNotImplemented,
                           "The expression '" + name + "' is not implemented by the sandbox");
    return command_error(168, "Unrecognized expression '" + name + "'");
  }
  if (found->second.form != nullptr) return found->second.form(*this, element);
  return parse_arguments(*this, name, found->second, element);
}

Reply<Expression> Expression::parse(const bson::Element& spec, const PipelineContext& context) {
  Expression expression;
  expression.context_ = context;
  ExpressionParser parser(context);
  SANDBOX_ASSIGN(expression.node_, parser.parse(spec));
  return expression;
}

Expression Expression::constant(Value value) {
  Expression expression;
  expression.node_ = make_constant(std::move(value));
  return expression;
}

Reply<Value> Expression::evaluate(const bson::Document& root) const {
  if (!node_) return Value();
  return node_->evaluate(Scope{&context_, &root});
}

Reply<bson::Matcher> parse_filter(bson::View filter, const PipelineContext& context) {
  const bson::ExprCompiler compile = [&context](const bson::Element& spec) -> Result<bson::ExprPredicate> {
    auto expression = Expression::parse(spec, context);
    if (!expression) return fail(React::kConfig, expression.error().message, {}, expression.error().code);
    return [expression = *std::move(expression)](bson::View document) -> Result<bool> {
      auto value = expression.evaluate(bson::Document(document));
      if (!value) return fail(React::kConfig, value.error().message, {}, value.error().code);
      return value->truthy();
    };
  };
  auto matcher = bson::Matcher::parse(filter, compile);
  if (!matcher) return command_error(matcher.error());
  return *std::move(matcher);
}

}  // namespace tidemark::sandbox
