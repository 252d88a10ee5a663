// Who may ask: token, Host, Origin, and the header that no foreign page can send. Immutable after construction; any
// thread. Nothing it says tells a token or how near a wrong one came.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/digest.h"
#include "http/options.h"
#include "http/request.h"
#include "http/response.h"

namespace tidemark::http {

inline constexpr std::string_view kSubprotocol = "tidemark.v1";

class Guard {
 public:
  explicit Guard(const ServerOptions& options);

  // Each answers with the refusal, or nothing when all is well.
  //
  // Without a token a page of any site could reach a server on this machine under a name of its own making (DNS
  // rebinding); so the name asked for must be this machine's.
  std::optional<Response> check_host(const Request& request) const;
  std::optional<Response> check_token(const Request& request) const;
  // A browser tells where a page came from; what is no browser tells nothing.
  std::optional<Response> check_origin(const Request& request) const;
  std::optional<Response> check_command(const Request& request) const;
  // The subprotocol, and the token that a browser can only send beside it.
  std::optional<Response> check_websocket(const Request& request) const;

 private:
  bool is_token(std::string_view given) const;
  bool bears_token(const Request& request) const;

  const bool asks_token_;
  const Sha256 token_;  // hashed, so that the comparison tells not even the length
  const std::string host_;
  const bool tls_;
  std::vector<std::string> origins_;  // in lower case
};

}  // namespace tidemark::http
