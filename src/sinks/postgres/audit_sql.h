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
// Those of the leaves $1, in no order.
std::string leaves_sql(const std::string& table);
// Those of the ids $1.
std::string lookup_sql(const std::string& table);
// (bucket or NULL, documents); $1 to $3 are what time_paths() says of the bucket's field.
std::string counts_sql(const std::string& table, int64_t width_ms);

// An array of texts as PostgreSQL reads it.
std::string array_text(std::span<const std::string> items);
// Where a date's milliseconds, an ObjectId and a timestamp's seconds stand if they stand at "a.b", as arrays for the
// operator #>>.
std::vector<std::string> time_paths(std::string_view dotted);

std::optional<int64_t> number_or_null(const std::string& text);  // NULL is the empty string

}  // namespace tidemark::postgres
