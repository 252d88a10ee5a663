// The program's version, as CMake's project() has it.
#pragma once

namespace tidemark::cli {

inline constexpr const char* kVersion = TIDEMARK_VERSION;

}  // namespace tidemark::cli
