// An HTTP/1.1 client of the tests' own, on a plain socket: it can also send what no client would. One thread.
//
// The connection is kept from one exchange to the next, and made anew where the server has closed it.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tidemark::e2e {

struct HttpResponse {
  int status = 0;
  std::string head;  // the status line and the header fields
  std::string body;

  // The value of a header field; empty when it isn't there.
  std::string header(std::string_view name) const;
};

class HttpClient {
 public:
  using Milliseconds = std::chrono::milliseconds;
  static constexpr Milliseconds kPatience{20'000};

  explicit HttpClient(int port, Milliseconds patience = kPatience) : port_(port), patience_(patience) {}
  ~HttpClient() { disconnect(); }
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // One exchange. kRetry: no whole answer came, and whether the server did what was asked is unknown. `headers` are
  // whole lines, each with its "\r\n".
  Result<HttpResponse> get(const std::string& path, const std::string& headers = "");
  Result<HttpResponse> post(const std::string& path, std::string_view content_type, std::string_view body,
                            const std::string& headers = "");

  // The parts of an exchange, for what is no exchange. connect() does nothing on an open connection.
  bool connect();
  void disconnect();
  // False once the other end has closed or the patience is over. kUntilAnswer stops early, with true, when the other
  // end has begun to say something.
  enum SendMode { kUntilAnswer, kAll };
  bool send(std::string_view bytes, SendMode mode = kUntilAnswer);
  Result<HttpResponse> receive();
  // What comes until the other end closes or `patience` passes; `closed` says which it was.
  std::string drain(Milliseconds patience, bool& closed);

 private:
  bool wait(short events, Milliseconds patience) const;
  bool read_more(Milliseconds patience);

  const int port_;
  const Milliseconds patience_;
  int fd_ = -1;
  std::string buffer_;  // received and not yet used
};

// A batch of CloudEvents as one body.
std::string batch_body(const std::vector<std::string>& events);

}  // namespace tidemark::e2e
