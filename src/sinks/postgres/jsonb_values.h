// What jsonb can't hold, and how a row's document is compared with a shard key. Stateless.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "bson/document.h"

namespace tidemark::postgres {

// True when the text holds the escape of U+0000, which jsonb refuses.
bool contains_nul_escape(std::string_view json);
// False where no text of these is one whose JSON could hold it, so that there is no need to write it.
bool may_hold_nul(bson::View document);
bool may_hold_nul(const bson::Element& value);
// The dotted path of the first text with U+0000: to name it.
std::optional<std::string> field_with_nul(bson::View document);

// What a row's document must contain to have the shard key of this documentKey, as two jsonb arrays: `has`, of which it
// contains every part, and `lacks`, paths at which there is nothing or null.
void append_conditions(bson::View key, std::string& has, std::string& lacks);

}  // namespace tidemark::postgres
