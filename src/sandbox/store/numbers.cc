#include "sandbox/store/numbers.h"

namespace tidemark::sandbox {
namespace {

bool overflows(Arithmetic operation, int64_t a, int64_t b, int64_t& result) {
  switch (operation) {
    case Arithmetic::kAdd:
      return __builtin_add_overflow(a, b, &result);
    case Arithmetic::kSubtract:
      return __builtin_sub_overflow(a, b, &result);
    case Arithmetic::kMultiply:
      return __builtin_mul_overflow(a, b, &result);
  }
  return true;
}

double real(Arithmetic operation, double a, double b) {
  switch (operation) {
    case Arithmetic::kAdd:
      return a + b;
    case Arithmetic::kSubtract:
      return a - b;
    case Arithmetic::kMultiply:
      return a * b;
  }
  return 0;
}

}  // namespace

Reply<Value> calculate(Arithmetic operation, const Value& a, const Value& b, bool strict) {
  if (a.type() == BSON_TYPE_DECIMAL128 || b.type() == BSON_TYPE_DECIMAL128)
    return command_error(kNotImplemented, "arithmetic on Decimal128 is not implemented by the sandbox");
  if (a.type() == BSON_TYPE_DOUBLE || b.type() == BSON_TYPE_DOUBLE)
    return Value(real(operation, a.number(), b.number()));
  const int64_t left = a.integer().value_or(0);
  const int64_t right = b.integer().value_or(0);
  int64_t result = 0;
  if (overflows(operation, left, right, result)) {
    if (strict) return command_error(kOverflow, "the result does not fit into a 64-bit integer");
    return Value(real(operation, static_cast<double>(left), static_cast<double>(right)));
  }
  const bool small = a.type() == BSON_TYPE_INT32 && b.type() == BSON_TYPE_INT32;
  if (small && result >= INT32_MIN && result <= INT32_MAX) return Value(static_cast<int32_t>(result));
  return Value(result);
}

std::optional<int64_t> whole_number(const Value& value) {
  return value.is_number() ? value.integer() : std::nullopt;
}

}  // namespace tidemark::sandbox
