// What a server takes for a document that came from outside: every length fits, strings end in a NUL, a boolean is 0 or 1,
// nothing is nested deeper than 200. It doesn't look into texts and binaries (UTF-8, subtypes, the keys of arrays), so a
// client that sends such bytes finds them stored as they came.
//
// Written apart from src/bson on purpose: this is the other side's judgement.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"

namespace tidemark::sandbox::wire {

// Error::code of a document that isn't one: the server's InvalidBSON.
inline constexpr int kInvalidBson = 22;

// `bytes` are exactly one document. The error names the field.
Status check_bson(std::span<const uint8_t> bytes);

}  // namespace tidemark::sandbox::wire
