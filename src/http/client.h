// One HTTP request to another server, and its answer. Blocks; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "http/url.h"

namespace tidemark::http {

struct ClientRequest {
  std::string method = "GET";
  std::string target = "/";
  std::string token;  // sent as a bearer token when it isn't empty
  std::string body;   // JSON when it isn't empty, with the header that changing requests need
  std::chrono::milliseconds timeout{2000};
  uint64_t body_bytes_max = 16 << 20;                             // of the answer
  std::vector<std::pair<std::string, std::string>> headers = {};  // beside the usual ones
};

struct ClientAnswer {
  int status = 0;
  std::string body;
};

// The answer, whatever its status. kRetry when there is none, kCancelled once `stop` was requested. No redirect is
// followed: the token is for the server that was named.
Result<ClientAnswer> ask(const Url& server, const ClientRequest& request, std::stop_token stop = {});

}  // namespace tidemark::http
