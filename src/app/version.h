// The program's version, as CMake's project() has it.
#pragma once

namespace tidemark::app {

inline constexpr const char* kVersion = TIDEMARK_VERSION;

}  // namespace tidemark::app
