// The values that a dotted path leads to, as index keys, sorts and `distinct` see them: through every array
// on the way. Pure functions.
#pragma once

#include <functional>
#include <string_view>

#include "bson/document.h"

namespace tidemark::sandbox {

// Calls `visit` for each value; null stands for "missing here". An array at the end of the path is visited
// item by item when `expand_last`, and an empty one not at all; `through_array` (may be null) becomes true
// when an array was met.
void visit_path(bson::View document, std::string_view path, bool expand_last,
                const std::function<void(const bson::Element*)>& visit, bool* through_array = nullptr);

}  // namespace tidemark::sandbox
