// The server's half of one SCRAM-SHA-256 conversation (RFC 5802, RFC 7677). Used by its connection's thread alone.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sandbox/server/command.h"

namespace tidemark::sandbox {

// Who says so in the client's first message; empty when that is malformed.
std::optional<std::string> scram_user(std::string_view message);

struct ScramConversation {
 public:
  // Of one user; `nonce` is this side's part of the nonce.
  ScramConversation(std::string user, std::string password, std::string salt, std::string nonce,
                    bool skip_empty_exchange)
      : user_(std::move(user)),
        password_(std::move(password)),
        salt_(std::move(salt)),
        nonce_(std::move(nonce)),
        skip_empty_exchange_(skip_empty_exchange) {}

  // The answer to the client's first message; empty when it is malformed or of another user.
  std::optional<std::string> first(std::string_view message);
  // The answer to the client's proof; empty when it is wrong.
  std::optional<std::string> last(std::string_view message);
  bool proven() const { return proven_; }
  bool skips_empty_exchange() const { return skip_empty_exchange_; }

 private:
  const std::string user_, password_, salt_;
  std::string nonce_;
  const bool skip_empty_exchange_;
  std::string client_first_bare_, server_first_;
  bool proven_ = false;
};

}  // namespace tidemark::sandbox
