// The text of a Decimal128 into its one encoding: the way back from bson_decimal128_to_string(). Not libbson's own
// (bson_decimal128_from_string), which near the ends of the range gives NaN for what its printer wrote. Pure; any thread.
#pragma once

#include <optional>
#include <string_view>

#include <bson/bson.h>

namespace tidemark::bson {

// "NaN", "Infinity", "-Infinity", or [-]digits[.digits][E[+-]digits]. Every digit and the exponent are kept: 1.0 and 1.00
// differ. Empty for other texts, for more than 34 digits, and for exponents beyond the range.
std::optional<bson_decimal128_t> decimal_from_text(std::string_view text);

}  // namespace tidemark::bson
