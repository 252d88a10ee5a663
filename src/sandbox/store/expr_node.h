// The inside of Expression: nodes, scopes and the table of operators. Private to expr_*.cc, expression.cc and
// the stages that make nodes themselves. Nodes are immutable.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sandbox/store/pipeline_context.h"
#include "sandbox/store/value.h"

namespace tidemark::sandbox {

// The variables that an evaluation sees, innermost first; lives on the stack.
struct Scope {
  const PipelineContext* context = nullptr;
  const bson::Document* root = nullptr;
  const Scope* outer = nullptr;
  std::string_view name = {};
  Value value = {};

  Scope with(std::string_view variable, Value bound) const {
    return {context, root, this, variable, std::move(bound)};
  }
};

class ExpressionNode {
 public:
  virtual ~ExpressionNode() = default;
  virtual Reply<Value> evaluate(const Scope& scope) const = 0;
  // The value of a literal, known when parsing; null for anything else.
  virtual const Value* constant() const { return nullptr; }
};
using ExpressionPtr = std::shared_ptr<const ExpressionNode>;

class ExpressionParser {
 public:
  explicit ExpressionParser(const PipelineContext& context) : context_(context) {}

  Reply<ExpressionPtr> parse(const bson::Element& spec);
  // With variables in scope, as $let, $map and the like bring them.
  Reply<ExpressionPtr> parse_with(const bson::Element& spec, std::vector<std::string> variables);
  const PipelineContext& context() const { return context_; }

 private:
  Reply<ExpressionPtr> parse_text(std::string_view text);
  Reply<ExpressionPtr> parse_object(bson::View object);
  Reply<ExpressionPtr> parse_operator(const bson::Element& element);

  const PipelineContext& context_;
  std::vector<std::string> variables_;
  int depth_ = 0;
};

// An operator that evaluates all its arguments first.
using Function = Reply<Value> (*)(const Scope& scope, std::span<const Value> arguments);
// An operator that decides itself what to evaluate.
using Form = Reply<ExpressionPtr> (*)(ExpressionParser& parser, const bson::Element& argument);

struct OperatorSpec {
  Function function = nullptr;
  int arguments_min = 1;
  int arguments_max = 1;  // -1: any number
  std::vector<std::string_view> parameters =
      {};  // by name instead, in a document; the first `arguments_min` are required
  Form form = nullptr;
  int unknown_parameter_code = kFailedToParse;
};
using OperatorTable = std::map<std::string_view, OperatorSpec>;

void add_arithmetic_operators(OperatorTable& table);
void add_array_operators(OperatorTable& table);
void add_array_forms(OperatorTable& table);
void add_control_operators(OperatorTable& table);
void add_conversion_operators(OperatorTable& table);
void add_date_operators(OperatorTable& table);
void add_object_operators(OperatorTable& table);
void add_set_operators(OperatorTable& table);
void add_string_operators(OperatorTable& table);

// A field path through documents and arrays, as "$a.b" means it.
Value path_value(const bson::Document& owner, bson::View view, std::span<const std::string> path);
Reply<std::vector<std::string>> split_field_path(std::string_view path);
ExpressionPtr make_constant(Value value);

// $sum, $avg, $min, $max over values, the way both the accumulators and the expressions count.
Reply<Value> sum_of(std::span<const Value> values);
Reply<Value> average_of(std::span<const Value> values);
Value extreme_of(std::span<const Value> values, bool greatest);

}  // namespace tidemark::sandbox
