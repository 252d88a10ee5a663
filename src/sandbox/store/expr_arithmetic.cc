// $add, $subtract, $multiply, $divide, $mod, rounding, powers and logarithms; $sum, $avg, $min, $max of
// lists.
#include <cmath>

#include "sandbox/store/expr_node.h"
#include "sandbox/store/numbers.h"

namespace tidemark::sandbox {
namespace {

using Arguments = std::span<const Value>;

bool any_nullish(Arguments values) {
  for (const Value& value : values) {
    if (value.nullish()) return true;
  }
  return false;
}

std::string name_of(const Value& value) { return std::string(type_name(value)); }

tl::unexpected<CommandError> not_a_number(std::string_view name, const Value& value, int code) {
  return command_error(code, std::string(name) + " only supports numeric types, not " + name_of(value));
}

tl::unexpected<CommandError> no_decimals(std::string_view name) {
  return command_error(kNotImplemented,
                       std::string(name) + " of Decimal128 is not implemented by the sandbox");
}

int64_t date_ms(const Value& value) { return bson_iter_date_time(&value.element().iter()); }

// Milliseconds that a number adds to a date.
int64_t as_ms(const Value& value) {
  return value.type() == BSON_TYPE_DOUBLE ? std::llround(value.number()) : value.integer().value_or(0);
}

Reply<Value> add(const Scope&, Arguments arguments) {
  Value total(int32_t{0});
  std::optional<int64_t> date;
  for (const Value& value : arguments) {
    if (value.nullish()) return Value::null();
    if (value.type() == BSON_TYPE_DATE_TIME) {
      if (date) return command_error(16612, "only one date allowed in an $add expression");
      date = date_ms(value);
      continue;
    }
    if (!value.is_number())
      return command_error(kTypeMismatch, "$add only supports numeric or date types, not " + name_of(value));
    SANDBOX_ASSIGN(total, calculate(Arithmetic::kAdd, total, value, false));
  }
  return date ? Value::date(*date + as_ms(total)) : total;
}

Reply<Value> subtract(const Scope&, Arguments a) {
  if (any_nullish(a)) return Value::null();
  if (a[0].is_number() && a[1].is_number()) return calculate(Arithmetic::kSubtract, a[0], a[1], false);
  if (a[0].type() == BSON_TYPE_DATE_TIME && a[1].type() == BSON_TYPE_DATE_TIME)
    return Value(date_ms(a[0]) - date_ms(a[1]));
  if (a[0].type() == BSON_TYPE_DATE_TIME && a[1].is_number()) return Value::date(date_ms(a[0]) - as_ms(a[1]));
  return command_error(kTypeMismatch, "can't $subtract " + name_of(a[1]) + " from " + name_of(a[0]));
}

Reply<Value> multiply(const Scope&, Arguments arguments) {
  Value product(int32_t{1});
  for (const Value& value : arguments) {
    if (value.nullish()) return Value::null();
    if (!value.is_number()) return not_a_number("$multiply", value, kTypeMismatch);
    SANDBOX_ASSIGN(product, calculate(Arithmetic::kMultiply, product, value, false));
  }
  return product;
}

bool has_decimal(Arguments arguments) {
  for (const Value& value : arguments) {
    if (value.type() == BSON_TYPE_DECIMAL128) return true;
  }
  return false;
}

Reply<Value> divide(const Scope&, Arguments a) {
  if (any_nullish(a)) return Value::null();
  if (!a[0].is_number() || !a[1].is_number())
    return command_error(
        kTypeMismatch, "$divide only supports numeric types, not " + name_of(a[0]) + " and " + name_of(a[1]));
  if (has_decimal(a)) return no_decimals("$divide");
  if (a[1].number() == 0) return command_error(kBadValue, "can't $divide by zero");
  return Value(a[0].number() / a[1].number());
}

Reply<Value> modulo(const Scope&, Arguments a) {
  if (any_nullish(a)) return Value::null();
  if (!a[0].is_number() || !a[1].is_number())
    return command_error(16611,
                         "$mod only supports numeric types, not " + name_of(a[0]) + " and " + name_of(a[1]));
  if (has_decimal(a)) return no_decimals("$mod");
  if (a[1].number() == 0) return command_error(16610, "can't $mod by zero");
  if (a[0].type() == BSON_TYPE_DOUBLE || a[1].type() == BSON_TYPE_DOUBLE)
    return Value(std::fmod(a[0].number(), a[1].number()));
  const int64_t divisor = *a[1].integer();
  const int64_t rest = divisor == -1 ? 0 : *a[0].integer() % divisor;
  if (a[0].type() == BSON_TYPE_INT32 && a[1].type() == BSON_TYPE_INT32)
    return Value(static_cast<int32_t>(rest));
  return Value(rest);
}

Reply<Value> absolute(const Scope&, Arguments a) {
  if (a[0].nullish()) return Value::null();
  if (!a[0].is_number()) return not_a_number("$abs", a[0], 28765);
  if (has_decimal(a)) return no_decimals("$abs");
  if (a[0].type() == BSON_TYPE_DOUBLE) return Value(std::fabs(a[0].number()));
  const int64_t value = *a[0].integer();
  if (value == INT64_MIN) return command_error(28680, "can't take $abs of long long min");
  const int64_t result = value < 0 ? -value : value;
  if (a[0].type() == BSON_TYPE_INT32 && result <= INT32_MAX) return Value(static_cast<int32_t>(result));
  return Value(result);
}

// $ceil, $floor and the like leave integers as they are.
template <double (*kFunction)(double), bool kKeepsIntegers>
Reply<Value> real_function(const Scope&, Arguments a) {
  if (a[0].nullish()) return Value::null();
  if (!a[0].is_number()) return not_a_number("the operator", a[0], 28765);
  if (has_decimal(a)) return no_decimals("this operator");
  if (kKeepsIntegers && a[0].type() != BSON_TYPE_DOUBLE) return a[0];
  return Value(kFunction(a[0].number()));
}

double ceil_of(double x) { return std::ceil(x); }
double floor_of(double x) { return std::floor(x); }
double exp_of(double x) { return std::exp(x); }
double sqrt_of(double x) { return std::sqrt(x); }

Reply<Value> square_root(const Scope& scope, Arguments a) {
  if (a[0].is_number() && a[0].number() < 0)
    return command_error(28714, "$sqrt's argument must be greater than or equal to 0");
  return real_function<sqrt_of, false>(scope, a);
}

template <double (*kLogarithm)(double)>
Reply<Value> logarithm(const Scope& scope, Arguments a) {
  if (a[0].is_number() && a[0].number() <= 0)
    return command_error(28766, "$ln's argument must be a positive number");
  return real_function<kLogarithm, false>(scope, a);
}
double ln_of(double x) { return std::log(x); }
double log10_of(double x) { return std::log10(x); }

Reply<Value> log_to_base(const Scope&, Arguments a) {
  if (any_nullish(a)) return Value::null();
  if (!a[0].is_number() || a[0].number() <= 0)
    return command_error(28758, "$log's argument must be a positive number");
  if (!a[1].is_number() || a[1].number() <= 0 || a[1].number() == 1)
    return command_error(28759, "$log's base must be a positive number not equal to 1");
  return Value(std::log(a[0].number()) / std::log(a[1].number()));
}

Reply<Value> power(const Scope&, Arguments a) {
  if (any_nullish(a)) return Value::null();
  if (!a[0].is_number()) return command_error(28762, "$pow's base must be numeric, not " + name_of(a[0]));
  if (!a[1].is_number()) return command_error(28763, "$pow's exponent must be numeric, not " + name_of(a[1]));
  if (has_decimal(a)) return no_decimals("$pow");
  const double result = std::pow(a[0].number(), a[1].number());
  const bool integers = a[0].type() != BSON_TYPE_DOUBLE && a[1].type() != BSON_TYPE_DOUBLE;
  if (!integers || a[1].number() < 0 || std::fabs(result) >= 0x1p53) return Value(result);
  const auto whole = static_cast<int64_t>(result);
  const bool small = a[0].type() == BSON_TYPE_INT32 && a[1].type() == BSON_TYPE_INT32;
  return small && whole >= INT32_MIN && whole <= INT32_MAX ? Value(static_cast<int32_t>(whole))
                                                           : Value(whole);
}

// Half to even, as the server rounds.
template <bool kTruncate>
Reply<Value> round_number(const Scope&, Arguments a) {
  const std::string name = kTruncate ? "$trunc" : "$round";
  if (any_nullish(a)) return Value::null();
  if (!a[0].is_number()) return not_a_number(name, a[0], 51081);
  if (has_decimal(a)) return no_decimals(name);
  const int64_t place = a.size() > 1 ? whole_number(a[1]).value_or(INT64_MAX) : 0;
  if (place < -20 || place > 100)
    return command_error(51083, "cannot apply " + name + " with precision value outside of -20 to 100");
  if (a[0].type() != BSON_TYPE_DOUBLE && place >= 0) return a[0];
  const double scale = std::pow(10.0, static_cast<double>(place < 0 ? -place : place));
  const double scaled = place < 0 ? a[0].number() / scale : a[0].number() * scale;
  const double cut = kTruncate ? std::trunc(scaled) : std::nearbyint(scaled);
  const double result = place < 0 ? cut * scale : cut / scale;
  if (!std::isfinite(scaled)) return a[0];
  if (a[0].type() == BSON_TYPE_DOUBLE) return Value(result);
  return a[0].type() == BSON_TYPE_INT32 && std::fabs(result) < 0x1p31 ? Value(static_cast<int32_t>(result))
                                                                      : Value(static_cast<int64_t>(result));
}

// With one argument that is an array, its items; else the arguments themselves.
std::vector<Value> listed(Arguments a) {
  if (a.size() == 1 && a[0].is_array()) return a[0].items();
  return {a.begin(), a.end()};
}

Reply<Value> sum(const Scope&, Arguments a) { return sum_of(listed(a)); }
Reply<Value> average(const Scope&, Arguments a) { return average_of(listed(a)); }
Reply<Value> minimum(const Scope&, Arguments a) { return extreme_of(listed(a), false); }
Reply<Value> maximum(const Scope&, Arguments a) { return extreme_of(listed(a), true); }

}  // namespace

Reply<Value> sum_of(std::span<const Value> values) {
  Value total(int32_t{0});
  for (const Value& value : values) {
    if (!value.is_number()) continue;
    SANDBOX_ASSIGN(total, calculate(Arithmetic::kAdd, total, value, false));
  }
  return total;
}

Reply<Value> average_of(std::span<const Value> values) {
  double total = 0;
  size_t count = 0;
  for (const Value& value : values) {
    if (!value.is_number()) continue;
    if (value.type() == BSON_TYPE_DECIMAL128) return no_decimals("$avg");
    total += value.number();
    ++count;
  }
  return count == 0 ? Value::null() : Value(total / static_cast<double>(count));
}

Value extreme_of(std::span<const Value> values, bool greatest) {
  const Value* best = nullptr;
  for (const Value& value : values) {
    if (value.nullish()) continue;
    if (best == nullptr || (greatest ? compare(*best, value) < 0 : compare(value, *best) < 0)) best = &value;
  }
  return best == nullptr ? Value::null() : *best;
}

void add_arithmetic_operators(OperatorTable& table) {
  table["$add"] = {add, 0, -1};
  table["$subtract"] = {subtract, 2, 2};
  table["$multiply"] = {multiply, 0, -1};
  table["$divide"] = {divide, 2, 2};
  table["$mod"] = {modulo, 2, 2};
  table["$abs"] = {absolute, 1, 1};
  table["$ceil"] = {real_function<ceil_of, true>, 1, 1};
  table["$floor"] = {real_function<floor_of, true>, 1, 1};
  table["$exp"] = {real_function<exp_of, false>, 1, 1};
  table["$sqrt"] = {square_root, 1, 1};
  table["$ln"] = {logarithm<ln_of>, 1, 1};
  table["$log10"] = {logarithm<log10_of>, 1, 1};
  table["$log"] = {log_to_base, 2, 2};
  table["$pow"] = {power, 2, 2};
  table["$round"] = {round_number<false>, 1, 2};
  table["$trunc"] = {round_number<true>, 1, 2};
  table["$sum"] = {sum, 0, -1};
  table["$avg"] = {average, 0, -1};
  table["$min"] = {minimum, 0, -1};
  table["$max"] = {maximum, 0, -1};
}

}  // namespace tidemark::sandbox
