// A request as the routes see it: plain text, no socket. A value, one thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidemark::http {

struct Request {
  std::string method;
  std::string target;  // as sent
  std::string path;    // before "?"; not decoded: no path of ours needs it
  std::string query;   // after "?"
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case, in the order sent
  std::optional<uint64_t> content_length;
  bool chunked = false;
  bool upgrade = false;  // asks for a WebSocket, correctly
  bool keep_alive = true;
  bool http_1_0 = false;
  std::string body;

  void set_target(std::string_view text);
  // The first of that name (in lower case); null when absent.
  const std::string* header(std::string_view name) const;
  // How many of that name there are.
  size_t count(std::string_view name) const;
  // "application/json" of "Application/JSON; charset=utf-8"; empty when absent.
  std::string media_type() const;
};

// Decodes "a=1&b=%20x"; empty for a broken escape, or for more than 16 fields.
std::optional<std::map<std::string, std::string>> parse_query(std::string_view query);

// Base64 with the URL's alphabet, padding left out or there; empty for anything else.
std::optional<std::string> decode_base64url(std::string_view text);

// The items of a list header: "a, b" -> a, b.
std::vector<std::string> split_list(std::string_view text);

}  // namespace tidemark::http
