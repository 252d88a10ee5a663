// Array operators with an expression per item: $map, $filter, $reduce, $sortArray.
#include <algorithm>

#include "sandbox/store/expr_node.h"
#include "sandbox/store/numbers.h"
#include "sandbox/store/sort.h"

namespace tidemark::sandbox {
namespace {

struct FormArguments {
  std::optional<bson::Element> input, as, in, cond, limit, initial, sort_by;
};

Reply<FormArguments> read_arguments(const bson::Element& argument,
                                    std::initializer_list<std::string_view> allowed, int code) {
  const std::string name(argument.key());
  if (!argument.is_document()) return command_error(code, name + " only supports an object as its argument");
  FormArguments result;
  for (const bson::Element item : argument.document()) {
    const std::string_view key = item.key();
    if (std::find(allowed.begin(), allowed.end(), key) == allowed.end())
      return command_error(code + 1, "Unrecognized parameter to " + name + ": " + std::string(key));
    (key == "input"          ? result.input
     : key == "as"           ? result.as
     : key == "in"           ? result.in
     : key == "cond"         ? result.cond
     : key == "limit"        ? result.limit
     : key == "initialValue" ? result.initial
                             : result.sort_by) = item;
  }
  if (!result.input) return command_error(code + 2, "Missing 'input' parameter to " + name);
  return result;
}

Reply<std::string> variable_name(const std::optional<bson::Element>& as) {
  if (!as) return std::string("this");
  if (!as->is_string() || as->string().empty())
    return command_error(16866, "empty variable names are not allowed");
  const std::string name(as->string());
  if (name != "CURRENT" && (name[0] < 'a' || name[0] > 'z') && static_cast<unsigned char>(name[0]) < 0x80)
    return command_error(16867, "'" + name + "' starts with an invalid character for a user variable name");
  return name;
}

class MapExpression final : public ExpressionNode {
 public:
  ExpressionPtr input, in;
  std::string as;
  Reply<Value> evaluate(const Scope& scope) const override {
    SANDBOX_ASSIGN(const Value array, input->evaluate(scope));
    if (array.nullish()) return Value::null();
    if (!array.is_array())
      return command_error(16883, "input to $map must be an array not " + std::string(type_name(array)));
    std::vector<Value> result;
    for (Value& item : array.items()) {
      SANDBOX_ASSIGN(Value value, in->evaluate(scope.with(as, std::move(item))));
      result.push_back(std::move(value));
    }
    return Value::array(result);
  }
};

class FilterExpression final : public ExpressionNode {
 public:
  ExpressionPtr input, condition, limit;
  std::string as;
  Reply<Value> evaluate(const Scope& scope) const override {
    SANDBOX_ASSIGN(const Value array, input->evaluate(scope));
    if (array.nullish()) return Value::null();
    if (!array.is_array())
      return command_error(28651, "input to $filter must be an array not " + std::string(type_name(array)));
    size_t most = SIZE_MAX;
    if (limit) {
      SANDBOX_ASSIGN(const Value value, limit->evaluate(scope));
      if (!value.nullish()) {
        const auto number = whole_number(value);
        if (!number || *number < 1)
          return command_error(327392, "$filter: limit must be a positive 32-bit integer");
        most = static_cast<size_t>(*number);
      }
    }
    std::vector<Value> result;
    for (const Value& item : array.items()) {
      if (result.size() >= most) break;
      SANDBOX_ASSIGN(const Value keep, condition->evaluate(scope.with(as, item)));
      if (keep.truthy()) result.push_back(item);
    }
    return Value::array(result);
  }
};

class ReduceExpression final : public ExpressionNode {
 public:
  ExpressionPtr input, initial, in;
  Reply<Value> evaluate(const Scope& scope) const override {
    SANDBOX_ASSIGN(const Value array, input->evaluate(scope));
    if (array.nullish()) return Value::null();
    if (!array.is_array())
      return command_error(
          40080, "$reduce requires that 'input' be an array, found: " + std::string(type_name(array)));
    SANDBOX_ASSIGN(Value total, initial->evaluate(scope));
    for (const Value& item : array.items()) {
      const Scope inner = scope.with("this", item);
      SANDBOX_ASSIGN(total, in->evaluate(inner.with("value", total)));
    }
    return total;
  }
};

class SortArrayExpression final : public ExpressionNode {
 public:
  ExpressionPtr input;
  SortOrder order;
  int direction = 0;  // 0: by `order`
  Reply<Value> evaluate(const Scope& scope) const override {
    SANDBOX_ASSIGN(const Value array, input->evaluate(scope));
    if (array.nullish()) return Value::null();
    if (!array.is_array())
      return command_error(2942504, "The input argument to $sortArray must be an array, but was of type: " +
                                        std::string(type_name(array)));
    auto items = array.items();
    std::stable_sort(items.begin(), items.end(), [this](const Value& a, const Value& b) {
      if (direction != 0) return direction > 0 ? compare(a, b) < 0 : compare(b, a) < 0;
      const bson::Document none = bson::Builder().finish();
      return order.less(a.is_document() ? a.view() : none.view(), b.is_document() ? b.view() : none.view());
    });
    return Value::array(items);
  }
};

Reply<ExpressionPtr> parse_map(ExpressionParser& parser, const bson::Element& argument) {
  SANDBOX_ASSIGN(const FormArguments arguments, read_arguments(argument, {"input", "as", "in"}, 16878));
  if (!arguments.in) return command_error(16882, "Missing 'in' parameter to $map");
  auto node = std::make_shared<MapExpression>();
  SANDBOX_ASSIGN(node->as, variable_name(arguments.as));
  SANDBOX_ASSIGN(node->input, parser.parse(*arguments.input));
  SANDBOX_ASSIGN(node->in, parser.parse_with(*arguments.in, {node->as}));
  return node;
}

Reply<ExpressionPtr> parse_filter_form(ExpressionParser& parser, const bson::Element& argument) {
  SANDBOX_ASSIGN(const FormArguments arguments,
                 read_arguments(argument, {"input", "as", "cond", "limit"}, 28646));
  if (!arguments.cond) return command_error(28650, "Missing 'cond' parameter to $filter");
  auto node = std::make_shared<FilterExpression>();
  SANDBOX_ASSIGN(node->as, variable_name(arguments.as));
  SANDBOX_ASSIGN(node->input, parser.parse(*arguments.input));
  SANDBOX_ASSIGN(node->condition, parser.parse_with(*arguments.cond, {node->as}));
  if (arguments.limit) {
    SANDBOX_ASSIGN(node->limit, parser.parse(*arguments.limit));
  }
  return node;
}

Reply<ExpressionPtr> parse_reduce(ExpressionParser& parser, const bson::Element& argument) {
  SANDBOX_ASSIGN(const FormArguments arguments,
                 read_arguments(argument, {"input", "initialValue", "in"}, 40075));
  if (!arguments.initial) return command_error(40078, "$reduce requires 'initialValue' to be specified");
  if (!arguments.in) return command_error(40079, "$reduce requires 'in' to be specified");
  auto node = std::make_shared<ReduceExpression>();
  SANDBOX_ASSIGN(node->input, parser.parse(*arguments.input));
  SANDBOX_ASSIGN(node->initial, parser.parse(*arguments.initial));
  SANDBOX_ASSIGN(node->in, parser.parse_with(*arguments.in, {"this", "value"}));
  return node;
}

Reply<ExpressionPtr> parse_sort_array(ExpressionParser& parser, const bson::Element& argument) {
  SANDBOX_ASSIGN(const FormArguments arguments, read_arguments(argument, {"input", "sortBy"}, 2942500));
  if (!arguments.sort_by) return command_error(2942503, "$sortArray requires 'sortBy' to be specified");
  auto node = std::make_shared<SortArrayExpression>();
  SANDBOX_ASSIGN(node->input, parser.parse(*arguments.input));
  if (arguments.sort_by->is_document()) {
    SANDBOX_ASSIGN(node->order, SortOrder::parse(arguments.sort_by->document()));
  } else {
    const auto direction = arguments.sort_by->is_number() ? arguments.sort_by->integer() : std::nullopt;
    if (direction != 1 && direction != -1)
      return command_error(15975, "$sort key ordering must be 1 (for ascending) or -1 (for descending)");
    node->direction = static_cast<int>(*direction);
  }
  return node;
}

}  // namespace

void add_array_forms(OperatorTable& table) {
  table["$map"].form = parse_map;
  table["$filter"].form = parse_filter_form;
  table["$reduce"].form = parse_reduce;
  table["$sortArray"].form = parse_sort_array;
}

}  // namespace tidemark::sandbox
