// The barest MongoDB client: one connection, one OP_MSG at a time, the command's bytes and the reply's bytes
// as they are. A driver would add sessions, retries and its own idea of errors. Owned and used by one test;
// blocking.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "bson/document.h"

namespace tidemark::golden {

class WireClient {
 public:
  // To 127.0.0.1:`port`.
  static Result<WireClient> connect(uint16_t port);
  WireClient(WireClient&& other) noexcept;
  WireClient& operator=(WireClient&&) = delete;
  ~WireClient();

  // Sends `command` to `database` and returns the reply. REQUIRES a command without $db.
  Result<bson::Document> run(const std::string& database, bson::View command);

 private:
  explicit WireClient(int socket) : socket_(socket) {}
  Status send_all(const std::string& bytes);
  Status receive_all(char* to, size_t size);

  int socket_ = -1;
  int32_t request_ = 0;
};

}  // namespace tidemark::golden
