// Arithmetic as the server does it on BSON numbers. Decimal128 results are not implemented and refused (238).
// Pure functions.
#pragma once

#include "sandbox/store/command_error.h"
#include "sandbox/store/value.h"

namespace tidemark::sandbox {

enum class Arithmetic { kAdd, kSubtract, kMultiply };

// REQUIRES two numbers. int32 widens to int64 when it overflows. What int64 can't hold becomes a double
// (`strict` false, as in expressions) or Overflow (15; `strict`, as in updates).
Reply<Value> calculate(Arithmetic operation, const Value& a, const Value& b, bool strict);

// Converts whole doubles and decimals; empty for other values.
std::optional<int64_t> whole_number(const Value& value);

}  // namespace tidemark::sandbox
