// Renders BSON as Extended JSON v2 straight into a caller's buffer, so that a hot path that reuses the buffer
// allocates nothing (libbson's bson_as_canonical_extended_json allocates a string for every document).
//
// Canonical keeps every type (mongodb/specifications: extended-json) and every byte: different values have different
// texts, and bson/json_reader.h reads each text back into the very bytes. What Extended JSON has no exact word for is
// written as {"$bson":{"type":"<two hex digits>","base64":"<the value's bytes>"}} in place of the value:
//   - strings, code, symbols, names and regular expressions that are not UTF-8, options that are not in order;
//   - a binary of subtype 2 without its inner length, a boolean that is neither 0 nor 1, a NaN with a payload, a Decimal128
//     that isn't in its canonical encoding;
//   - an array whose keys aren't 0, 1, 2, ...; a document with a field that is named like one of Extended JSON's own words
//     (is_extended_word), which would read as another type; what lies deeper than kDepthMax levels.
// A document with a name that can't be said is wrapped as a whole; what it holds is not looked at further.
//
// Relaxed differs in numbers and dates alone, which it writes as plain JSON where the specification allows it: their types
// don't read back, all else does, and it never stops early either.
//
// bson/json_test.cc holds both against libbson and the specification's corpus.
#pragma once

#include <string>
#include <string_view>

#include "bson/document.h"

namespace tidemark::bson {

enum class JsonMode { kCanonical, kRelaxed };

// Appends `document` to `out` as one line. U+0000 is written as the escape \u0000, which JSON allows and
// PostgreSQL's jsonb refuses: a caller that needs to know looks for it (contains_nul_escape in sinks).
void append_json(View document, JsonMode mode, std::string& out);
// The items in brackets.
void append_json_array(View array, JsonMode mode, std::string& out);
// One value alone: `{"$numberInt":"1"}`, `"text"`.
void append_json_value(const Element& element, JsonMode mode, std::string& out);
// `text` as a JSON string, in quotes, with U+FFFD for bytes that are not UTF-8: for names and messages, not for data.
void append_json_string(std::string_view text, std::string& out);

// `text` as the value of a string in canonical text: in quotes, or as the $bson of a string where it is not UTF-8, so that it
// reads back whatever it is.
void append_json_text(std::string_view text, std::string& out);

// True for the names that make an object of Extended JSON stand for another type: "$oid", "$numberInt", ..., "$bson". As
// the name of a document's own field such a word has no exact text.
bool is_extended_word(std::string_view name);

// `ms_since_epoch` as RFC 3339 in UTC: "2024-05-01T12:00:00Z", with ".mmm" when the milliseconds aren't zero.
// REQUIRES a year from 0 to 9999.
void append_rfc3339(int64_t ms_since_epoch, std::string& out);

std::string to_json(View document, JsonMode mode = JsonMode::kCanonical);

}  // namespace tidemark::bson
