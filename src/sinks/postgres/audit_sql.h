// The statements of an audit, as texts, and their answers' numbers. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/audit.h"

namespace tidemark::postgres {

// $1 to $3 are everywhere what time_paths() says of the bucket's field.

// Rows of (id, the document's text, its milliseconds or NULL), after $4 and in the order of the table's own index, at most
// `limit`.
std::string page_sql(const std::string& table, size_t limit);
// The same rows of the leaves $4, in no order.
std::string leaves_sql(const std::string& table);
// (id, text) of the ids $1, its only parameter.
std::string lookup_sql(const std::string& table);
// (bucket or NULL, documents).
std::string counts_sql(const std::string& table, int64_t width_ms);
// (1 for a bucket and 0 for a leaf, bucket or NULL, leaf, documents, sum of the low halves, sum of the high halves). The
// sums are of signed numbers, and therefore to be taken modulo 2^64.
std::string sums_sql(const std::string& table, int64_t width_ms);

// An array of texts as PostgreSQL reads it.
std::string array_text(std::span<const std::string> items);
// Where a date's milliseconds, an ObjectId and a timestamp's seconds stand if they stand at "a.b", as arrays for the
// operator #>>.
std::vector<std::string> time_paths(std::string_view dotted);

std::optional<int64_t> number_or_null(const std::string& text);  // NULL is the empty string
// The whole number modulo 2^64. REQUIRES a magnitude below that.
uint64_t modulo_2_64(const std::string& text);

}  // namespace tidemark::postgres
