// The loopback sockets of the demo: free ports, and a client for the servers that it has started itself. One thread each.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tidemark::demo {

// `wanted` when nothing listens there, else a free port; 0 takes any.
Result<int> free_port(int wanted);
// So many different ones.
Result<std::vector<int>> free_ports(size_t count);
// Whether an AMQP broker answers there within a second.
bool broker_answers(int port);

struct HttpReply {
  int status = 0;
  std::chrono::seconds retry_after{0};  // 0 = it doesn't say
  std::string body;
};

// An HTTP/1.1 client of one server, on one connection that is made again after an error. Blocks at most `timeout` for
// each step.
class LoopbackHttp {
 public:
  LoopbackHttp(int port, std::chrono::milliseconds timeout) : port_(port), timeout_(timeout) {}
  ~LoopbackHttp() { disconnect(); }
  LoopbackHttp(const LoopbackHttp&) = delete;
  LoopbackHttp& operator=(const LoopbackHttp&) = delete;

  // kRetry when no whole answer came: whether the server did what it was asked is then unknown.
  Result<HttpReply> get(const std::string& path);
  Result<HttpReply> post(const std::string& path, std::string_view content_type, std::string_view body);

 private:
  Result<HttpReply> exchange(const std::string& request);
  Status connect();
  void disconnect();
  Status send(std::string_view bytes);
  // Reads until `buffer_` holds more; an error at the end of the connection.
  Status receive();

  const int port_;
  const std::chrono::milliseconds timeout_;
  int fd_ = -1;
  std::string buffer_;
};

}  // namespace tidemark::demo
