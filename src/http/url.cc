#include "http/url.h"

#include <algorithm>

namespace tidemark::http {
namespace {

bool is_host_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
         c == '_';
}

bool is_ipv6_char(char c) {
  return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || (c >= '0' && c <= '9') || c == ':' || c == '.';
}

std::optional<uint16_t> parse_port(std::string_view text) {
  if (text.empty() || text.size() > 5) return std::nullopt;
  uint32_t port = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    port = port * 10 + static_cast<uint32_t>(c - '0');
  }
  if (port > 65535) return std::nullopt;
  return static_cast<uint16_t>(port);
}

}  // namespace

std::string Url::authority() const {
  const bool brackets = host.find(':') != std::string::npos;
  return (brackets ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::optional<std::pair<std::string, uint16_t>> parse_authority(std::string_view text) {
  std::string_view host;
  std::string_view rest;
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    host = text.substr(1, end - 1);
    rest = text.substr(end + 1);
    if (!std::all_of(host.begin(), host.end(), is_ipv6_char)) return std::nullopt;
  } else {
    const size_t colon = text.find(':');
    host = text.substr(0, colon);
    rest = colon == std::string_view::npos ? std::string_view() : text.substr(colon);
    if (!std::all_of(host.begin(), host.end(), is_host_char)) return std::nullopt;
  }
  if (host.empty() || host.size() > 253 || !rest.starts_with(':')) return std::nullopt;
  const auto port = parse_port(rest.substr(1));
  if (!port) return std::nullopt;
  return std::make_pair(std::string(host), *port);
}

std::optional<Url> parse_url(std::string_view text) {
  Url url;
  url.text = std::string(text);
  if (text.starts_with("https://")) {
    url.tls = true;
    text.remove_prefix(8);
  } else if (text.starts_with("http://")) {
    text.remove_prefix(7);
  } else {
    return std::nullopt;
  }
  if (text.ends_with('/')) text.remove_suffix(1);
  std::string authority(text);
  const bool has_port = text.rfind(':') != std::string_view::npos && !text.ends_with(']');
  if (!has_port) authority += url.tls ? ":443" : ":80";
  auto parsed = parse_authority(authority);
  if (!parsed || parsed->second == 0) return std::nullopt;
  url.host = std::move(parsed->first);
  url.port = parsed->second;
  return url;
}

std::optional<Endpoint> parse_endpoint(std::string_view text) {
  constexpr size_t kTextMax = 4096;
  const auto plain = [](char c) { return c > ' ' && c < 0x7f && c != '#'; };
  if (text.size() > kTextMax || !std::all_of(text.begin(), text.end(), plain)) return std::nullopt;
  const size_t scheme = text.find("://");
  if (scheme == std::string_view::npos) return std::nullopt;
  const size_t end = text.find_first_of("/?", scheme + 3);
  auto server = parse_url(text.substr(0, end));
  if (!server) return std::nullopt;
  Endpoint endpoint{.server = std::move(*server), .target = "/"};
  if (end == std::string_view::npos) return endpoint;
  endpoint.target = text[end] == '/' ? "" : "/";
  endpoint.target += text.substr(end);
  return endpoint;
}

}  // namespace tidemark::http
