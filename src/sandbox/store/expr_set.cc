// Arrays as sets: $setUnion, $setIntersection, $setDifference, $setEquals, $setIsSubset, $anyElementTrue,
// $allElementsTrue.
#include <algorithm>

#include "sandbox/store/expr_node.h"

namespace tidemark::sandbox {
namespace {

using Arguments = std::span<const Value>;

// Sorted, each value once.
std::vector<Value> as_set(const Value& array) {
  auto items = array.items();
  std::sort(items.begin(), items.end(), [](const Value& a, const Value& b) { return compare(a, b) < 0; });
  items.erase(std::unique(items.begin(), items.end(),
                          [](const Value& a, const Value& b) { return compare(a, b) == 0; }),
              items.end());
  return items;
}

bool contains(const std::vector<Value>& set, const Value& value) {
  return std::binary_search(set.begin(), set.end(), value,
                            [](const Value& a, const Value& b) { return compare(a, b) < 0; });
}

tl::unexpected<CommandError> not_arrays(std::string_view name, const Value& value, int code) {
  return command_error(code,
                       "All operands of " + std::string(name) +
                           " must be arrays. One argument is of type: " + std::string(type_name(value)));
}

Reply<Value> set_union(const Scope&, Arguments arguments) {
  std::vector<Value> all;
  for (const Value& value : arguments) {
    if (value.nullish()) return Value::null();
    if (!value.is_array()) return not_arrays("$setUnion", value, 17043);
    const auto items = value.items();
    all.insert(all.end(), items.begin(), items.end());
  }
  return Value::array(as_set(Value::array(all)));
}

Reply<Value> set_intersection(const Scope&, Arguments arguments) {
  std::optional<std::vector<Value>> common;
  for (const Value& value : arguments) {
    if (value.nullish()) return Value::null();
    if (!value.is_array()) return not_arrays("$setIntersection", value, 17047);
    const auto set = as_set(value);
    if (!common)
      common = set;
    else
      std::erase_if(*common, [&set](const Value& item) { return !contains(set, item); });
  }
  return Value::array(common ? *common : std::vector<Value>());
}

Reply<Value> set_difference(const Scope&, Arguments a) {
  if (a[0].nullish() || a[1].nullish()) return Value::null();
  if (!a[0].is_array()) return not_arrays("$setDifference", a[0], 17048);
  if (!a[1].is_array()) return not_arrays("$setDifference", a[1], 17049);
  auto left = as_set(a[0]);
  const auto right = as_set(a[1]);
  std::erase_if(left, [&right](const Value& item) { return contains(right, item); });
  return Value::array(left);
}

Reply<Value> set_equals(const Scope&, Arguments arguments) {
  for (const Value& value : arguments) {
    if (!value.is_array()) return not_arrays("$setEquals", value, 17044);
  }
  const auto first = as_set(arguments[0]);
  for (const Value& value : arguments.subspan(1)) {
    const auto other = as_set(value);
    if (!std::equal(first.begin(), first.end(), other.begin(), other.end(),
                    [](const Value& a, const Value& b) { return compare(a, b) == 0; }))
      return Value(false);
  }
  return Value(true);
}

Reply<Value> set_is_subset(const Scope&, Arguments a) {
  if (!a[0].is_array()) return not_arrays("$setIsSubset", a[0], 17046);
  if (!a[1].is_array()) return not_arrays("$setIsSubset", a[1], 17042);
  const auto right = as_set(a[1]);
  const auto left = a[0].items();
  return Value(
      std::all_of(left.begin(), left.end(), [&right](const Value& item) { return contains(right, item); }));
}

template <bool kAny>
Reply<Value> elements_true(const Scope&, Arguments a) {
  if (!a[0].is_array())
    return command_error(kAny ? 17041 : 17040, std::string(kAny ? "$anyElementTrue" : "$allElementsTrue") +
                                                   "'s argument must be an array, but is " +
                                                   std::string(type_name(a[0])));
  const auto items = a[0].items();
  const bool found =
      std::any_of(items.begin(), items.end(), [](const Value& item) { return item.truthy() == kAny; });
  return Value(found == kAny);
}

}  // namespace

void add_set_operators(OperatorTable& table) {
  table["$setUnion"] = {set_union, 0, -1};
  table["$setIntersection"] = {set_intersection, 0, -1};
  table["$setDifference"] = {set_difference, 2, 2};
  table["$setEquals"] = {set_equals, 2, -1};
  table["$setIsSubset"] = {set_is_subset, 2, 2};
  table["$anyElementTrue"] = {elements_true<true>, 1, 1};
  table["$allElementsTrue"] = {elements_true<false>, 1, 1};
}

}  // namespace tidemark::sandbox
