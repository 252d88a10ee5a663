#include "e2e/http_client.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace tidemark::e2e {
namespace {

constexpr size_t kSendBytes = 64 << 10;
constexpr size_t kHeadEndBytes = 4;  // "\r\n\r\n"

bool same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

std::string authority(int port) { return "127.0.0.1:" + std::to_string(port); }

}  // namespace

std::string HttpResponse::header(std::string_view name) const {
  size_t begin = head.find("\r\n");
  while (begin != std::string::npos && begin + 2 < head.size()) {
    begin += 2;
    const size_t end = std::min(head.find("\r\n", begin), head.size());
    const std::string_view line = std::string_view(head).substr(begin, end - begin);
    const size_t colon = line.find(':');
    if (colon != std::string_view::npos && same_name(line.substr(0, colon), name)) {
      const size_t value = line.find_first_not_of(" \t", colon + 1);
      return value == std::string_view::npos ? "" : std::string(line.substr(value));
    }
    begin = end;
  }
  return "";
}

bool HttpClient::wait(short events, Milliseconds patience) const {
  pollfd fd = {fd_, events, 0};
  return poll(&fd, 1, static_cast<int>(patience.count())) > 0;
}

bool HttpClient::connect() {
  if (fd_ >= 0) return true;
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd_ < 0) return false;
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port_));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int error = 0;
  socklen_t size = sizeof error;
  const bool begun =
      ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 || errno == EINPROGRESS;
  if (begun && wait(POLLOUT, patience_) && getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size) == 0 &&
      error == 0) {
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return true;
  }
  disconnect();
  return false;
}

void HttpClient::disconnect() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
  buffer_.clear();
}

bool HttpClient::send(std::string_view bytes, SendMode mode) {
  const short awaited = mode == kUntilAnswer ? POLLOUT | POLLIN : POLLOUT;
  while (!bytes.empty()) {
    if (mode == kUntilAnswer && wait(POLLIN, Milliseconds(0)))
      return true;  // an answer, or the end: receive() tells
    const ssize_t count =
        ::send(fd_, bytes.data(), std::min(bytes.size(), kSendBytes), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count > 0) {
      bytes.remove_prefix(static_cast<size_t>(count));
    } else if (errno == EAGAIN || errno == EINTR) {
      if (!wait(awaited, patience_)) return false;
    } else {
      return false;
    }
  }
  return true;
}

bool HttpClient::read_more(Milliseconds patience) {
  char bytes[65536];
  if (!wait(POLLIN, patience)) return false;
  const ssize_t count = recv(fd_, bytes, sizeof bytes, 0);
  if (count <= 0) return false;
  buffer_.append(bytes, static_cast<size_t>(count));
  return true;
}

Result<HttpResponse> HttpClient::receive() {
  HttpResponse response;
  size_t end;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (!read_more(patience_)) return fail(React::kRetry, "no answer: \"" + buffer_ + "\"");
  }
  response.head = buffer_.substr(0, end);
  const size_t space = response.head.find(' ');
  if (space == std::string::npos) return fail(React::kRetry, "no answer in HTTP: " + response.head);
  std::from_chars(response.head.data() + space + 1, response.head.data() + response.head.size(),
                  response.status);
  const size_t length =
      static_cast<size_t>(std::strtoull(response.header("content-length").c_str(), nullptr, 10));
  while (buffer_.size() < end + kHeadEndBytes + length) {
    if (!read_more(patience_)) return fail(React::kRetry, "the answer ends within its body");
  }
  response.body = buffer_.substr(end + kHeadEndBytes, length);
  buffer_.erase(0, end + kHeadEndBytes + length);
  if (same_name(response.header("connection"), "close")) disconnect();
  return response;
}

std::string HttpClient::drain(Milliseconds patience, bool& closed) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  closed = false;
  while (!closed) {
    const auto left = std::chrono::duration_cast<Milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0 || !wait(POLLIN, left)) break;
    closed = !read_more(Milliseconds(0));
  }
  return buffer_;
}

Result<HttpResponse> HttpClient::get(const std::string& path, const std::string& headers) {
  // A connection that was kept may have been closed meanwhile; a GET can be asked again.
  for (const bool kept : {true, false}) {
    if (!kept) disconnect();
    if (!connect()) return fail(React::kRetry, "no connection to " + authority(port_));
    if (!send("GET " + path + " HTTP/1.1\r\nHost: " + authority(port_) + "\r\n" + headers + "\r\n")) continue;
    if (auto response = receive()) return response;
  }
  disconnect();
  return fail(React::kRetry, "no answer to GET " + path);
}

Result<HttpResponse> HttpClient::post(const std::string& path, std::string_view content_type,
                                      std::string_view body, const std::string& headers) {
  if (!connect()) return fail(React::kRetry, "no connection to " + authority(port_));
  std::string request = "POST " + path + " HTTP/1.1\r\nHost: " + authority(port_) + "\r\n";
  if (!content_type.empty()) request += "Content-Type: " + std::string(content_type) + "\r\n";
  request += "Content-Length: " + std::to_string(body.size()) + "\r\n" + headers + "\r\n";
  request += body;
  if (send(request)) {
    if (auto response = receive()) return response;
  }
  disconnect();
  return fail(React::kRetry, "no answer to POST " + path);
}

std::string batch_body(const std::vector<std::string>& events) {
  std::string body = "[";
  for (const std::string& event : events) {
    if (body.size() > 1) body += ',';
    body += event;
  }
  return body + "]";
}

}  // namespace tidemark::e2e
