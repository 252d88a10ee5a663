// Arrays: $size, $arrayElemAt, $first, $last, $slice, $concatArrays, $in, $indexOfArray, $isArray, $range,
// $reverseArray.
#include <algorithm>

#include "sandbox/store/expr_node.h"
#include "sandbox/store/numbers.h"

namespace tidemark::sandbox {
namespace {

using Arguments = std::span<const Value>;
constexpr int64_t kRangeMax = 1'000'000;

std::string name_of(const Value& value) { return std::string(type_name(value)); }

Reply<Value> size(const Scope&, Arguments a) {
  if (!a[0].is_array())
    return command_error(17124, "The argument to $size must be an array, but was of type: " + name_of(a[0]));
  return Value(static_cast<int32_t>(a[0].items().size()));
}

Value item_at(const Value& array, int64_t index) {
  const auto items = array.items();
  const auto count = static_cast<int64_t>(items.size());
  if (index < 0) index += count;
  return index >= 0 && index < count ? items[static_cast<size_t>(index)] : Value();
}

Reply<Value> array_elem_at(const Scope&, Arguments a) {
  if (a[0].nullish() || a[1].nullish()) return Value::null();
  if (!a[0].is_array())
    return command_error(28689, "$arrayElemAt's first argument must be an array, but is " + name_of(a[0]));
  if (!a[1].is_number())
    return command_error(28690,
                         "$arrayElemAt's second argument must be a numeric value, but is " + name_of(a[1]));
  const auto index = whole_number(a[1]);
  if (!index)
    return command_error(28691, "$arrayElemAt's second argument must be representable as a 32-bit integer");
  return item_at(a[0], *index);
}

template <int kIndex>
Reply<Value> end_of_array(const Scope&, Arguments a) {
  if (a[0].nullish()) return Value::null();
  if (!a[0].is_array())
    return command_error(28689, std::string(kIndex == 0 ? "$first" : "$last") +
                                    "'s argument must be an array, but is " + name_of(a[0]));
  return item_at(a[0], kIndex);
}

Reply<Value> slice(const Scope&, Arguments a) {
  for (const Value& value : a) {
    if (value.nullish()) return Value::null();
  }
  if (!a[0].is_array())
    return command_error(28724,
                         "First argument to $slice must be an array, but is of type: " + name_of(a[0]));
  const auto second = whole_number(a[1]);
  if (!second)
    return command_error(
        28725, "Second argument to $slice must be a numeric value, but is of type: " + name_of(a[1]));
  const auto items = a[0].items();
  const auto count = static_cast<int64_t>(items.size());
  int64_t from = 0;
  int64_t to = count;
  if (a.size() == 2) {
    if (*second >= 0)
      to = std::min(count, *second);
    else
      from = std::max<int64_t>(0, count + std::max(*second, -count));
  } else {
    const auto length = whole_number(a[2]);
    if (!length)
      return command_error(28727,
                           "Third argument to $slice must be numeric, but is of type: " + name_of(a[2]));
    if (*length <= 0)
      return command_error(28729, "Third argument to $slice must be positive: " + std::to_string(*length));
    from = *second < 0 ? std::max<int64_t>(0, count + std::max(*second, -count)) : std::min(*second, count);
    to = *length > count - from ? count : from + *length;
  }
  return Value::array(std::span(items).subspan(static_cast<size_t>(from), static_cast<size_t>(to - from)));
}

Reply<Value> concat_arrays(const Scope&, Arguments arguments) {
  std::vector<Value> result;
  for (const Value& value : arguments) {
    if (value.nullish()) return Value::null();
    if (!value.is_array())
      return command_error(28664, "$concatArrays only supports arrays, not " + name_of(value));
    const auto items = value.items();
    result.insert(result.end(), items.begin(), items.end());
  }
  return Value::array(result);
}

Reply<Value> in(const Scope&, Arguments a) {
  if (!a[1].is_array())
    return command_error(40081, "$in requires an array as a second argument, found: " + name_of(a[1]));
  const auto items = a[1].items();
  return Value(
      std::any_of(items.begin(), items.end(), [&](const Value& item) { return compare(item, a[0]) == 0; }));
}

Reply<Value> index_of_array(const Scope&, Arguments a) {
  if (a[0].nullish()) return Value::null();
  if (!a[0].is_array())
    return command_error(40090,
                         "$indexOfArray requires an array as a first argument, found: " + name_of(a[0]));
  const auto items = a[0].items();
  int64_t from = 0;
  auto to = static_cast<int64_t>(items.size());
  if (a.size() > 2) {
    const auto start = whole_number(a[2]);
    if (!start || *start < 0)
      return command_error(40097, "$indexOfArray requires a nonnegative starting index");
    from = *start;
  }
  if (a.size() > 3) {
    const auto end = whole_number(a[3]);
    if (!end || *end < 0) return command_error(40097, "$indexOfArray requires a nonnegative ending index");
    to = std::min(to, *end);
  }
  for (int64_t i = from; i < to; ++i) {
    if (compare(items[static_cast<size_t>(i)], a[1]) == 0) return Value(static_cast<int32_t>(i));
  }
  return Value(int32_t{-1});
}

Reply<Value> is_array(const Scope&, Arguments a) { return Value(a[0].is_array()); }

Reply<Value> range(const Scope&, Arguments a) {
  const auto start = whole_number(a[0]);
  const auto end = whole_number(a[1]);
  const auto step = a.size() > 2 ? whole_number(a[2]) : std::optional<int64_t>(1);
  if (!start)
    return command_error(34443,
                         "$range requires a numeric starting value, found value of type:" + name_of(a[0]));
  if (!end)
    return command_error(34445,
                         "$range requires a numeric ending value, found value of type:" + name_of(a[1]));
  if (!step)
    return command_error(34447, "$range requires a numeric step value, found value of type:" + name_of(a[2]));
  if (*step == 0) return command_error(34449, "$range requires a non-zero step value");
  for (const int64_t value : {*start, *end, *step}) {
    if (value < INT32_MIN || value > INT32_MAX)
      return command_error(34444, "$range requires values that can be represented as 32-bit integers");
  }
  if ((*end - *start) / *step > kRangeMax) return command_error(146, "$range would use too much memory");
  std::vector<Value> items;
  for (int64_t i = *start; *step > 0 ? i < *end : i > *end; i += *step)
    items.emplace_back(static_cast<int32_t>(i));
  return Value::array(items);
}

Reply<Value> reverse_array(const Scope&, Arguments a) {
  if (a[0].nullish()) return Value::null();
  if (!a[0].is_array())
    return command_error(34435,
                         "The argument to $reverseArray must be an array, but was of type: " + name_of(a[0]));
  auto items = a[0].items();
  std::reverse(items.begin(), items.end());
  return Value::array(items);
}

}  // namespace

void add_array_operators(OperatorTable& table) {
  table["$size"] = {size, 1, 1};
  table["$arrayElemAt"] = {array_elem_at, 2, 2};
  table["$first"] = {end_of_array<0>, 1, 1};
  table["$last"] = {end_of_array<-1>, 1, 1};
  table["$slice"] = {slice, 2, 3};
  table["$concatArrays"] = {concat_arrays, 0, -1};
  table["$in"] = {in, 2, 2};
  table["$indexOfArray"] = {index_of_array, 2, 4};
  table["$isArray"] = {is_array, 1, 1};
  table["$range"] = {range, 2, 3};
  table["$reverseArray"] = {reverse_array, 1, 1};
}

}  // namespace tidemark::sandbox
