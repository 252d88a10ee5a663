// Comparisons, logic, conditions, variables: $eq .. $cmp, $and, $or, $not, $cond, $switch, $ifNull, $let,
// $literal, $rand.
#include <algorithm>

#include "sandbox/store/expr_node.h"
#include "sandbox/store/shell_text.h"

namespace tidemark::sandbox {
namespace {

using Arguments = std::span<const Value>;

class LogicExpression final : public ExpressionNode {
 public:
  LogicExpression(bool any, std::vector<ExpressionPtr> children)
      : any_(any), children_(std::move(children)) {}
  Reply<Value> evaluate(const Scope& scope) const override {
    for (const auto& child : children_) {
      SANDBOX_ASSIGN(const Value value, child->evaluate(scope));
      if (value.truthy() == any_) return Value(any_);
    }
    return Value(!any_);
  }

 private:
  bool any_;
  std::vector<ExpressionPtr> children_;
};

Reply<std::vector<ExpressionPtr>> parse_list(ExpressionParser& parser, const bson::Element& argument) {
  std::vector<ExpressionPtr> nodes;
  if (!argument.is_array()) {
    SANDBOX_ASSIGN(ExpressionPtr node, parser.parse(argument));
    nodes.push_back(std::move(node));
    return nodes;
  }
  for (const bson::Element item : argument.document()) {
    SANDBOX_ASSIGN(ExpressionPtr node, parser.parse(item));
    nodes.push_back(std::move(node));
  }
  return nodes;
}

template <bool kAny>
Reply<ExpressionPtr> parse_logic(ExpressionParser& parser, const bson::Element& argument) {
  SANDBOX_ASSIGN(auto nodes, parse_list(parser, argument));
  return std::make_shared<const LogicExpression>(kAny, std::move(nodes));
}

// The first branch whose condition holds.
class BranchExpression final : public ExpressionNode {
 public:
  struct Branch {
    ExpressionPtr when;
    ExpressionPtr then;
  };
  BranchExpression(std::vector<Branch> branches, ExpressionPtr otherwise)
      : branches_(std::move(branches)), otherwise_(std::move(otherwise)) {}
  Reply<Value> evaluate(const Scope& scope) const override {
    for (const Branch& branch : branches_) {
      SANDBOX_ASSIGN(const Value condition, branch.when->evaluate(scope));
      if (condition.truthy()) return branch.then->evaluate(scope);
    }
    if (otherwise_) return otherwise_->evaluate(scope);
    return command_error(
        40066, "$switch could not find a matching branch for an input, and no default was specified.");
  }

 private:
  std::vector<Branch> branches_;
  ExpressionPtr otherwise_;
};

Reply<ExpressionPtr> parse_cond(ExpressionParser& parser, const bson::Element& argument) {
  std::vector<ExpressionPtr> nodes(3);
  if (argument.is_document()) {
    for (const bson::Element item : argument.document()) {
      const std::string_view name = item.key();
      const int index = name == "if" ? 0 : name == "then" ? 1 : name == "else" ? 2 : -1;
      if (index < 0) return command_error(17083, "Unrecognized parameter to $cond: " + std::string(name));
      SANDBOX_ASSIGN(nodes[static_cast<size_t>(index)], parser.parse(item));
    }
    if (!nodes[0]) return command_error(17080, "Missing 'if' parameter to $cond");
    if (!nodes[1]) return command_error(17081, "Missing 'then' parameter to $cond");
    if (!nodes[2]) return command_error(17082, "Missing 'else' parameter to $cond");
  } else {
    SANDBOX_ASSIGN(nodes, parse_list(parser, argument));
    if (nodes.size() != 3)
      return command_error(16020, "Expression $cond takes exactly 3 arguments. " +
                                      std::to_string(nodes.size()) + " were passed in.");
  }
  return std::make_shared<const BranchExpression>(std::vector<BranchExpression::Branch>{{nodes[0], nodes[1]}},
                                                  nodes[2]);
}

Reply<ExpressionPtr> parse_switch(ExpressionParser& parser, const bson::Element& argument) {
  if (!argument.is_document())
    return command_error(40060, "$switch requires an object as an argument, found: " +
                                    std::string(type_name(argument.type())));
  std::vector<BranchExpression::Branch> branches;
  ExpressionPtr otherwise;
  for (const bson::Element item : argument.document()) {
    if (item.key() == "default") {
      SANDBOX_ASSIGN(otherwise, parser.parse(item));
      continue;
    }
    if (item.key() != "branches")
      return command_error(40067, "$switch found an unknown argument: " + std::string(item.key()));
    if (!item.is_array())
      return command_error(
          40061, "$switch expected an array for 'branches', found: " + std::string(type_name(item.type())));
    for (const bson::Element branch : item.document()) {
      if (!branch.is_document())
        return command_error(40062, "$switch expected each branch to be an object, found: " +
                                        std::string(type_name(branch.type())));
      const auto when = branch.document().find("case");
      const auto then = branch.document().find("then");
      if (!when) return command_error(40064, "$switch requires each branch have a 'case' expression");
      if (!then) return command_error(40065, "$switch requires each branch have a 'then' expression.");
      BranchExpression::Branch parsed;
      SANDBOX_ASSIGN(parsed.when, parser.parse(*when));
      SANDBOX_ASSIGN(parsed.then, parser.parse(*then));
      branches.push_back(std::move(parsed));
    }
  }
  if (branches.empty()) return command_error(40068, "$switch requires at least one branch.");
  return std::make_shared<const BranchExpression>(std::move(branches), std::move(otherwise));
}

class IfNullExpression final : public ExpressionNode {
 public:
  explicit IfNullExpression(std::vector<ExpressionPtr> children) : children_(std::move(children)) {}
  Reply<Value> evaluate(const Scope& scope) const override {
    for (size_t i = 0; i + 1 < children_.size(); ++i) {
      SANDBOX_ASSIGN(Value value, children_[i]->evaluate(scope));
      if (!value.nullish()) return value;
    }
    return children_.back()->evaluate(scope);
  }

 private:
  std::vector<ExpressionPtr> children_;
};

Reply<ExpressionPtr> parse_if_null(ExpressionParser& parser, const bson::Element& argument) {
  SANDBOX_ASSIGN(auto nodes, parse_list(parser, argument));
  if (nodes.size() < 2)
    return command_error(1257300,
                         "$ifNull needs at least two arguments, had: " + std::to_string(nodes.size()));
  return std::make_shared<const IfNullExpression>(std::move(nodes));
}

class LetExpression final : public ExpressionNode {
 public:
  LetExpression(std::vector<std::pair<std::string, ExpressionPtr>> variables, ExpressionPtr in)
      : variables_(std::move(variables)), in_(std::move(in)) {}
  Reply<Value> evaluate(const Scope& scope) const override { return bind(scope, scope, 0); }

 private:
  // Each variable is evaluated in the outer scope; the inner ones form a chain on the stack.
  Reply<Value> bind(const Scope& outer, const Scope& inner, size_t index) const {
    if (index == variables_.size()) return in_->evaluate(inner);
    SANDBOX_ASSIGN(Value value, variables_[index].second->evaluate(outer));
    return bind(outer, inner.with(variables_[index].first, std::move(value)), index + 1);
  }

  std::vector<std::pair<std::string, ExpressionPtr>> variables_;
  ExpressionPtr in_;
};

Reply<ExpressionPtr> parse_let(ExpressionParser& parser, const bson::Element& argument) {
  if (!argument.is_document()) return command_error(16874, "$let only supports an object as its argument");
  const auto vars = argument.document().find("vars");
  const auto in = argument.document().find("in");
  for (const bson::Element item : argument.document()) {
    if (item.key() != "vars" && item.key() != "in")
      return command_error(16875, "Unrecognized parameter to $let: " + std::string(item.key()));
  }
  if (!vars || !vars->is_document()) return command_error(16876, "Missing 'vars' parameter to $let");
  if (!in) return command_error(16877, "Missing 'in' parameter to $let");
  std::vector<std::pair<std::string, ExpressionPtr>> variables;
  std::vector<std::string> names;
  for (const bson::Element item : vars->document()) {
    SANDBOX_ASSIGN(ExpressionPtr node, parser.parse(item));
    variables.emplace_back(std::string(item.key()), std::move(node));
    names.emplace_back(item.key());
  }
  SANDBOX_ASSIGN(ExpressionPtr body, parser.parse_with(*in, std::move(names)));
  return std::make_shared<const LetExpression>(std::move(variables), std::move(body));
}

Reply<ExpressionPtr> parse_literal(ExpressionParser&, const bson::Element& argument) {
  return make_constant(Value(argument));
}

Reply<Value> eq(const Scope&, Arguments a) { return Value(compare(a[0], a[1]) == 0); }
Reply<Value> ne(const Scope&, Arguments a) { return Value(compare(a[0], a[1]) != 0); }
Reply<Value> lt(const Scope&, Arguments a) { return Value(compare(a[0], a[1]) < 0); }
Reply<Value> lte(const Scope&, Arguments a) { return Value(compare(a[0], a[1]) <= 0); }
Reply<Value> gt(const Scope&, Arguments a) { return Value(compare(a[0], a[1]) > 0); }
Reply<Value> gte(const Scope&, Arguments a) { return Value(compare(a[0], a[1]) >= 0); }
Reply<Value> cmp(const Scope&, Arguments a) {
  const int order = compare(a[0], a[1]);
  return Value(static_cast<int32_t>((order > 0) - (order < 0)));
}
Reply<Value> negate(const Scope&, Arguments a) { return Value(!a[0].truthy()); }

Reply<Value> random_number(const Scope& scope, Arguments) {
  if (!scope.context->random) return command_error(kNotImplemented, "$rand has no source of randomness here");
  return Value(static_cast<double>(scope.context->random() >> 11) * 0x1p-53);
}

}  // namespace

void add_control_operators(OperatorTable& table) {
  table["$eq"] = {eq, 2, 2};
  table["$ne"] = {ne, 2, 2};
  table["$lt"] = {lt, 2, 2};
  table["$lte"] = {lte, 2, 2};
  table["$gt"] = {gt, 2, 2};
  table["$gte"] = {gte, 2, 2};
  table["$cmp"] = {cmp, 2, 2};
  table["$not"] = {negate, 1, 1};
  table["$rand"] = {random_number, 0, -1};
  table["$and"].form = parse_logic<false>;
  table["$or"].form = parse_logic<true>;
  table["$cond"].form = parse_cond;
  table["$switch"].form = parse_switch;
  table["$ifNull"].form = parse_if_null;
  table["$let"].form = parse_let;
  table["$literal"].form = parse_literal;
  table["$const"].form = parse_literal;
}

}  // namespace tidemark::sandbox
