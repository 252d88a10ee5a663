#include "http/guard.h"

#include <algorithm>
#include <array>

#include <openssl/crypto.h>

namespace tidemark::http {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

std::string host_of(std::string_view authority) {
  if (const auto parsed = parse_authority(authority)) return lower(parsed->first);
  if (const auto parsed = parse_authority(std::string(authority) + ":80")) return lower(parsed->first);
  return {};
}

}  // namespace

Guard::Guard(const ServerOptions& options)
    : asks_token_(!options.token.empty()),
      token_(sha256(options.token)),
      host_(lower(options.host)),
      tls_(options.tls()) {
  for (const std::string& origin : options.allowed_origins) origins_.push_back(lower(origin));
}

bool Guard::is_token(std::string_view given) const {
  const Sha256 hash = sha256(given);
  return CRYPTO_memcmp(hash.data(), token_.data(), hash.size()) == 0;
}

bool Guard::bears_token(const Request& request) const {
  constexpr std::string_view kScheme = "bearer ";
  const std::string* field = request.header("authorization");
  if (field == nullptr || lower(std::string_view(*field).substr(0, kScheme.size())) != kScheme) return false;
  return is_token(std::string_view(*field).substr(kScheme.size()));
}

std::optional<Response> Guard::check_host(const Request& request) const {
  for (const std::string_view name : {"host", "authorization", "origin", "content-type"}) {
    if (request.count(name) > 1)
      return problem(400, "there is more than one " + std::string(name) + " header");
  }
  const std::string* host = request.header("host");
  if (host == nullptr) {
    if (request.http_1_0 && asks_token_) return std::nullopt;
    return problem(400, "there is no Host header");
  }
  const std::string name = host_of(*host);
  if (name.empty()) return problem(400, "the Host header names no host");
  if (asks_token_ || name == host_ || is_loopback(name)) return std::nullopt;
  return problem(
      421, "this server answers under this machine's own name alone; set a token to reach it under another");
}

std::optional<Response> Guard::check_token(const Request& request) const {
  if (!asks_token_ || bears_token(request)) return std::nullopt;
  Response refusal = problem(401, request.header("authorization") == nullptr
                                      ? "a token is needed: Authorization: Bearer TOKEN"
                                      : "this is not the token");
  refusal.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"tidemark\"");
  return refusal;
}

std::optional<Response> Guard::check_origin(const Request& request) const {
  const std::string* field = request.header("origin");
  if (field == nullptr) return std::nullopt;
  const std::string origin = lower(*field);
  if (std::find(origins_.begin(), origins_.end(), origin) != origins_.end()) return std::nullopt;
  const std::string* host = request.header("host");
  if (host != nullptr && origin == (tls_ ? "https://" : "http://") + lower(*host)) return std::nullopt;
  return problem(403, "a page of another origin may not ask this; see allowed_origins");
}

std::optional<Response> Guard::check_command(const Request& request) const {
  if (request.header("x-tidemark-request") == nullptr)
    return problem(403, "the header X-Tidemark-Request: 1 is missing");
  if (request.media_type() != "application/json") return problem(415, "the body must be application/json");
  return std::nullopt;
}

std::optional<Response> Guard::check_websocket(const Request& request) const {
  bool speaks = false;
  bool allowed = !asks_token_ || bears_token(request);
  constexpr std::string_view kBearer = "bearer.";
  for (const auto& [name, value] : request.headers) {
    if (name != "sec-websocket-protocol") continue;
    for (const std::string& protocol : split_list(value)) {
      speaks = speaks || protocol == kSubprotocol;
      if (allowed || !protocol.starts_with(kBearer)) continue;
      const auto token = decode_base64url(std::string_view(protocol).substr(kBearer.size()));
      allowed = token && is_token(*token);
    }
  }
  if (!allowed) return check_token(request);
  if (!speaks) return problem(400, "the subprotocol tidemark.v1 is needed");
  return std::nullopt;
}

}  // namespace tidemark::http
