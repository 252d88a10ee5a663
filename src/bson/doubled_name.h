// Finds a name that stands twice in one document. A server and Extended JSON carry both; PostgreSQL's jsonb keeps the last
// one alone, without a word. Pure; any thread.
#pragma once

#include <optional>
#include <string>

#include "bson/document.h"

namespace tidemark::bson {

// The dotted path of the first such field, on any level (array items by position), also in the scope of code; empty when
// every name is there once. Bytes that are no UTF-8 are '?' in it: it is for a message.
std::optional<std::string> first_doubled_name(View document);

}  // namespace tidemark::bson
