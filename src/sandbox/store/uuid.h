// The identity of a collection, which a rename keeps. A plain value.
#pragma once

#include <array>
#include <cstdint>

namespace tidemark::sandbox {

using Uuid = std::array<uint8_t, 16>;

}  // namespace tidemark::sandbox
