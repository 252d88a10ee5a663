// The simulated stream is a list of entries 1, 2, 3 ...; a place in it is the number of entries before it. Tokens carry the
// number where a change stream's token carries its time, so that the program can show it and nothing else. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "core/position.h"

namespace tidemark::sim {

using Index = uint32_t;

std::string id_of(Index index);
// 0 for anything that is no id.
Index index_of(std::string_view id);

Position position_of(Index index);
// 0 for the empty position, which stands before everything.
inline Index index_of(const Position& position) {
  return position.empty() ? 0 : index_of(token_data(position.token()));
}

}  // namespace tidemark::sim
