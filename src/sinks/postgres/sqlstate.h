// What each SQLSTATE means for a sink: the one table (https://www.postgresql.org/docs/current/errcodes-appendix.html).
#pragma once

#include <string_view>

#include "base/result.h"

namespace tidemark::postgres {

struct Reaction {
  React react = React::kRetry;
  std::string_view hint;
  bool unknown = false;
};

// By the whole code where the table has it, else by its class (the first two characters). What it doesn't name is kRetry and unknown: it
// waits, and says so.
Reaction reaction_to(std::string_view sqlstate);

// What libpq says without a SQLSTATE while it connects: by its text, which is in English where no locale is set. Files of
// certificates that aren't there and servers that aren't trusted are refusals; anything else is the network.
Reaction reaction_without_code(std::string_view message);

inline constexpr std::string_view kQueryCanceled = "57014";
inline constexpr std::string_view kOutOfMemory = "53200";
inline constexpr std::string_view kTooComplex = "54001";
inline constexpr std::string_view kDivisionByZero = "22012";
inline constexpr std::string_view kLockNotAvailable = "55P03";
inline constexpr std::string_view kDuplicateTable = "42P07";
inline constexpr std::string_view kDuplicateSchema = "42P06";
inline constexpr std::string_view kDuplicateObject = "42710";
inline constexpr std::string_view kUniqueViolation = "23505";

}  // namespace tidemark::postgres
