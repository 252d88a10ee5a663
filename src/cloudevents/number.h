// What a JSON number becomes in BSON: the value that it says, to the last digit, or nothing. Pure functions; any thread.
//
// JSON's numbers are decimal and have no limit. An integer becomes int64 where it fits. What has a point or an exponent becomes
// a double where the double says the same: where its shortest text, or all of its digits, are the number that was written.
// Everything else becomes a Decimal128 (34 digits, exponents to 6144), and what that can't hold either is refused: a number that
// comes out as another one is a change that nobody sees.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

#include <bson/bson.h>

namespace tidemark::cloudevents {

using Number = std::variant<int64_t, double, bson_decimal128_t>;

// `token` is a JSON number and nothing else; empty when it isn't one.
bool is_number(std::string_view token);
// REQUIRES is_number(token). Empty when no type holds it.
std::optional<Number> exact_number(std::string_view token);

}  // namespace tidemark::cloudevents
