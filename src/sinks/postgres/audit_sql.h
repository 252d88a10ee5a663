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

// Rows of (id, the document's text) after $1 and in the order of the table's own index, at most `limit`.
std::string page_sql(const std::string& table, size_t limit);
// Those of the whole table, in no order.
std::string rows_sql(const std::string& table);
// Those of the leaves, in no order.
std::string leaves_sql(const std::string& table, std::span<const uint16_t> leaves);
// Those of the ids $1.
std::string lookup_sql(const std::string& table);
// (bucket or NULL, documents, 1 for those in which the field may stand inside of a text, 0 for the others); the parameters are
// what time_paths() says of the bucket's field.
std::string counts_sql(const std::string& table, std::string_view field, int64_t width_ms);
// Those of the documents in which it may. Without parameters, as are all that are copied out.
std::string wrapped_sql(const std::string& table, std::string_view field);

// An array of texts as PostgreSQL reads it.
std::string array_text(std::span<const std::string> items);
// Where a date's milliseconds, an ObjectId and a timestamp's seconds stand if they stand at "a.b", as arrays for the
// operator #>>.
std::vector<std::string> time_paths(std::string_view dotted);
// Where what "a.b.c" stands in stands, below the document itself: "a" and "a.b". What Extended JSON can't say is written as
// {"$bson": ...}, and no path leads into that.
std::vector<std::string> parents_of(std::string_view dotted);

std::optional<int64_t> number_or_null(const std::string& text);  // NULL is the empty string

}  // namespace tidemark::postgres
