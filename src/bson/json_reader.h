// Reads canonical Extended JSON, as append_json(kCanonical) writes it, back into the very bytes it was written from.
//
// Strict, because an audit compares what it reads: each of Extended JSON's own words (is_extended_word) has one shape, and
// any other is an error; so is a number that stands outside of such a word, a name of a known word among other fields, text
// that isn't UTF-8, U+0000 in a name, and more than kDepthMax levels. Names that begin with `$` and aren't such words are
// names. The order of fields and doubled names are kept; blanks between tokens and the members of a word in any order are
// taken, because PostgreSQL's jsonb writes them so.
//
// Pure; any thread. Nothing is allocated for each value: one buffer of the thread's own and the result.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/result.h"
#include "bson/document.h"

namespace tidemark::bson {

// A server's document has at most 16 MiB, and its text at most six times that.
inline constexpr size_t kJsonBytesMax = 256 << 20;

// kReject, with the byte, for anything but one document.
Result<Document> read_json(std::string_view json);

// {key: the value}, for the text of a value alone, as of an _id. REQUIRES a key without U+0000.
Result<Document> read_json_value(std::string_view json, std::string_view key);

}  // namespace tidemark::bson
