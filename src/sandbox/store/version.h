// The server version that the sandbox behaves as. A plain value.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>

namespace tidemark::sandbox {

struct ServerVersion {
  int major = 7;
  int minor = 0;
  // "4.2", as featureCompatibilityVersion says it.
  std::string feature() const { return std::to_string(major) + "." + std::to_string(minor); }
  // A release of this version, as buildInfo says it.
  std::array<int32_t, 4> release() const { return {major, minor, major < 5 ? 0 : 14, 0}; }
  std::string release_text() const { return feature() + "." + std::to_string(release()[2]); }
  friend auto operator<=>(const ServerVersion&, const ServerVersion&) = default;
};

}  // namespace tidemark::sandbox
