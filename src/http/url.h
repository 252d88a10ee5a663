// The address of another server, "http://host:port", alone or with a path. Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace tidemark::http {

struct Url {
  bool tls = false;
  std::string host;  // without the brackets of an IPv6 address
  uint16_t port = 0;
  std::string text;  // as written

  // "host:port", as a Host field takes it.
  std::string authority() const;
};

// http:// or https://, a host, a port (80 and 443 when absent), nothing after it but one "/".
std::optional<Url> parse_url(std::string_view text);

// A place at a server. The target may hold a secret of its receiver's making: it is for the request alone, never for the
// log.
struct Endpoint {
  Url server;
  std::string target;  // "/hook?x=1"
};

// http:// or https://, a host, a port (80 and 443 when absent), a path and a query; no user, no fragment.
std::optional<Endpoint> parse_endpoint(std::string_view text);

// "127.0.0.1:8321", "[::1]:8321", "localhost:0": host (without brackets) and port. A port must be there.
std::optional<std::pair<std::string, uint16_t>> parse_authority(std::string_view text);

}  // namespace tidemark::http
