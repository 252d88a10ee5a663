// What each SQLSTATE means for a sink: the one table (https://www.postgresql.org/docs/current/errcodes-appendix.html).
#pragma once

#include <string_view>

#include "base/result.h"

namespace tidemark::postgres {

struct Reaction {
  React react = React::kFatal;
  std::string_view hint;
};

// By the whole code where the table has it, else by its class (the first two characters); kFatal for what it doesn't name.
Reaction reaction_to(std::string_view sqlstate);

inline constexpr std::string_view kDivisionByZero = "22012";
inline constexpr std::string_view kLockNotAvailable = "55P03";
inline constexpr std::string_view kDuplicateTable = "42P07";
inline constexpr std::string_view kDuplicateSchema = "42P06";
inline constexpr std::string_view kDuplicateObject = "42710";
inline constexpr std::string_view kUniqueViolation = "23505";

}  // namespace tidemark::postgres
