// Which rows are one document. To MongoDB `_id` 1, NumberLong(1), 1.0 and NumberDecimal("1.00") are the same, and a
// replacement may turn one into another, so that a row's key (the text of `_id`) isn't the document's identity. On a
// sharded collection, neither is `_id`: a document that moves to another shard is inserted there and deleted here, and the
// two events come in either order. Pure functions: any thread may call them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bson/document.h"
#include "core/event.h"

namespace tidemark {

// Equal for all values that the server takes for the same `_id`; allocates nothing.
uint64_t hash_id(const bson::Element& id);
// Whether the server takes them for the same `_id`.
bool same_id(const bson::Element& a, const bson::Element& b);

// False for types that have one form alone (ObjectId, binary, date, ...).
bool has_other_forms(const bson::Element& id);
// The row keys (canonical Extended JSON) of all other values that the server takes for the same `_id`, as far as they can
// be listed: every numeric type, and Decimal128 with every number of trailing zeros. With several numbers in a document
// `_id` each takes its types, but Decimal128 in its shortest form alone; kFormsMax bounds the list.
inline constexpr size_t kFormsMax = 256;
std::vector<std::string> other_forms(const bson::Element& id);

// True when a documentKey says more than `_id`: the fields of the shard key.
bool has_shard_key(bson::View key);
// Whether `document` has the shard key values of the documentKey `key`: the same types and bytes, null also where the field
// is missing. Names with dots are paths; of a value that is a document the fields that it names are compared.
bool matches_shard_key(bson::View key, bson::View document);
// The shard key of a documentKey as one text, whichever way the server nests it: {"a.b":{"$numberInt":"1"}}.
void append_shard_key(bson::View key, std::string& out);

// What guards a row: the event's token; and where the document no longer shows its shard key, because a transform took it
// away, the shard key behind a space. (A space sorts before every digit, so that such guards are ordered as tokens are.)
void append_row_token(const Event& event, std::string& out);
// The shard key that a guard carries, or nothing.
std::string_view shard_key_of_token(std::string_view token);

// Whether the row of the document `put` is the one that a delete with the documentKey `key` means.
bool is_row_of(bson::View key, const Event& put);

}  // namespace tidemark
