// The server version that the sandbox behaves as. A plain value.
#pragma once

#include <compare>

namespace tidemark::sandbox {

struct ServerVersion {
  int major = 7;
  int minor = 0;
  friend auto operator<=>(const ServerVersion&, const ServerVersion&) = default;
};

}  // namespace tidemark::sandbox
