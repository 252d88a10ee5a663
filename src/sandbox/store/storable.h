// What a server stores as it comes and what it changes or refuses on the way: names that begin with "$", the order of a
// DBRef's fields, timestamps that mean "now". Pure functions.
#pragma once

#include <functional>

#include "bson/document.h"
#include "sandbox/store/command_error.h"

namespace tidemark::sandbox {

// As a server before 5.0 checks what an update leaves behind: 52 for a name that begins with "$", at any depth, but for
// those of a DBRef ($ref, a string; right behind it $id; right behind that $db, a string), else 55.
Reply<void> check_storable(bson::View document);
// The same for the values alone: the names at the top are paths.
Reply<void> check_storable_values(bson::View fields);

// `document` with each top-level Timestamp(0, 0), but for an _id, replaced by another `now`; the very document when it has
// none.
bson::Document with_timestamps(const bson::Document& document, const std::function<bson::Timestamp()>& now);

}  // namespace tidemark::sandbox
