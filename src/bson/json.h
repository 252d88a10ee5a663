// Renders BSON as Extended JSON v2 straight into a caller's buffer, so that a hot path that reuses the buffer
// allocates nothing (libbson's bson_as_canonical_extended_json allocates a string for every document).
//
// Canonical keeps every type (mongodb/specifications: extended-json). Relaxed writes numbers and dates as
// plain JSON where the specification allows it. bson/json_test.cc holds both against libbson and the
// specification's corpus.
#pragma once

#include <string>

#include "bson/document.h"

namespace tidemark::bson {

enum class JsonMode { kCanonical, kRelaxed };

// Appends `document` to `out` as one line. U+0000 is written as the escape \u0000, which JSON allows and
// PostgreSQL's jsonb refuses: a caller that needs to know looks for it (contains_nul_escape in sinks).
// Bytes that are not UTF-8, which a server stores without a look, become U+FFFD: JSON has no other way to
// carry them. Anything nested deeper than 1000 levels (a server stops at 200) is written as null.
void append_json(View document, JsonMode mode, std::string& out);
// The items in brackets.
void append_json_array(View array, JsonMode mode, std::string& out);
// One value alone: `{"$numberInt":"1"}`, `"text"`.
void append_json_value(const Element& element, JsonMode mode, std::string& out);
// `text` as a JSON string, in quotes.
void append_json_string(std::string_view text, std::string& out);

// `ms_since_epoch` as RFC 3339 in UTC: "2024-05-01T12:00:00Z", with ".mmm" when the milliseconds aren't zero.
// REQUIRES a year from 0 to 9999.
void append_rfc3339(int64_t ms_since_epoch, std::string& out);

std::string to_json(View document, JsonMode mode = JsonMode::kCanonical);

}  // namespace tidemark::bson
