#include "demo/net.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <utility>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace tidemark::demo {
namespace {

using std::chrono::milliseconds;

constexpr size_t kReplyBytesMax = 16 << 20;
constexpr auto kBrokerPatience = milliseconds(1'000);

struct Socket {
  int fd = -1;
  explicit Socket(int descriptor) : fd(descriptor) {}
  Socket(Socket&& other) noexcept : fd(std::exchange(other.fd, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd, other.fd);
    return *this;
  }
  ~Socket() {
    if (fd >= 0) ::close(fd);
  }
  int release() { return std::exchange(fd, -1); }
};

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

tl::unexpected<Error> socket_error(const std::string& what, React react = React::kRetry) {
  return fail(react, what + ": " + std::strerror(errno));
}

Socket open_socket() { return Socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)); }

std::optional<Socket> reserve(int port) {
  Socket socket = open_socket();
  const int on = 1;
  ::setsockopt(socket.fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in address = loopback(port);
  if (::bind(socket.fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return std::nullopt;
  if (::listen(socket.fd, 1) != 0) return std::nullopt;
  return socket;
}

int port_of(const Socket& socket) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ::getsockname(socket.fd, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

Result<Socket> connect_to(int port, milliseconds timeout) {
  Socket socket = open_socket();
  if (socket.fd < 0) return socket_error("socket");
  timeval limit{};
  limit.tv_sec = timeout.count() / 1000;
  limit.tv_usec = timeout.count() % 1000 * 1000;
  ::setsockopt(socket.fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(socket.fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  const int on = 1;
  ::setsockopt(socket.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const sockaddr_in address = loopback(port);
  if (::connect(socket.fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return socket_error(fmt::format("connect to port {}", port));
  return socket;
}

// The value of a field of the head, whose names are in any case; empty when it isn't there.
std::string_view field_of(std::string_view head, std::string_view name) {
  size_t at = head.find("\r\n");
  while (at != std::string_view::npos) {
    std::string_view line = head.substr(at + 2);
    line = line.substr(0, line.find("\r\n"));
    const bool same = line.size() > name.size() && line[name.size()] == ':' &&
                      std::equal(name.begin(), name.end(), line.begin(),
                                 [](char a, char b) { return a == b || (a ^ 0x20) == b; });
    if (same) {
      std::string_view value = line.substr(name.size() + 1);
      while (value.starts_with(' ')) value.remove_prefix(1);
      return value;
    }
    at = head.find("\r\n", at + 2);
  }
  return {};
}

std::optional<size_t> number(std::string_view text) {
  size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

Result<int> free_port(int wanted) {
  auto socket = reserve(wanted);
  if (!socket && wanted != 0) socket = reserve(0);
  if (!socket) return socket_error("no free port on the loopback interface", React::kConfig);
  return port_of(*socket);
}

Result<std::vector<int>> free_ports(size_t count) {
  std::vector<Socket> held;  // until all are chosen, so that they differ
  std::vector<int> ports;
  while (ports.size() < count) {
    auto socket = reserve(0);
    if (!socket) return socket_error("no free port on the loopback interface", React::kConfig);
    ports.push_back(port_of(*socket));
    held.push_back(std::move(*socket));
  }
  return ports;
}

// The protocol's header, which a broker answers with connection.start.
bool broker_answers(int port) {
  const auto socket = connect_to(port, kBrokerPatience);
  if (!socket) return false;
  const char header[8] = {'A', 'M', 'Q', 'P', 0, 0, 9, 1};
  char answer = 0;
  return ::send(socket->fd, header, sizeof header, MSG_NOSIGNAL) == sizeof header &&
         ::recv(socket->fd, &answer, 1, 0) == 1 && answer == 1;
}

Status LoopbackHttp::connect() {
  if (fd_ >= 0) return {};
  TIDEMARK_ASSIGN(Socket socket, connect_to(port_, timeout_));
  fd_ = socket.release();
  buffer_.clear();
  return {};
}

void LoopbackHttp::disconnect() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Status LoopbackHttp::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return socket_error("send");
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return {};
}

Status LoopbackHttp::receive() {
  char bytes[16 * 1024];
  ssize_t got = 0;
  while ((got = ::recv(fd_, bytes, sizeof bytes, 0)) < 0 && errno == EINTR) {
  }
  if (got < 0) return socket_error("no answer in time");
  if (got == 0) return fail(React::kRetry, "the server closed the connection");
  buffer_.append(bytes, static_cast<size_t>(got));
  if (buffer_.size() > kReplyBytesMax) return fail(React::kFatal, "the server's answer doesn't end");
  return {};
}

Result<HttpReply> LoopbackHttp::get(const std::string& path) {
  return exchange(fmt::format("GET {} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", path, port_));
}

Result<HttpReply> LoopbackHttp::post(const std::string& path, std::string_view content_type,
                                     std::string_view body) {
  return exchange(fmt::format(
      "POST {} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n{}", path,
      port_, content_type, body.size(), body));
}

Result<HttpReply> LoopbackHttp::exchange(const std::string& request) {
  const auto try_once = [&]() -> Result<HttpReply> {
    TIDEMARK_TRY(connect());
    TIDEMARK_TRY(send(request));
    size_t end = 0;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) TIDEMARK_TRY(receive());
    const std::string head = buffer_.substr(0, end);
    HttpReply reply;
    const auto status = head.size() > 12 ? number(std::string_view(head).substr(9, 3)) : std::nullopt;
    const auto length = number(field_of(head, "content-length"));
    if (!head.starts_with("HTTP/1.1 ") || !status || !length || *length > kReplyBytesMax)
      return fail(React::kFatal, "not an answer that this client reads: " + head.substr(0, 200));
    while (buffer_.size() < end + 4 + *length) TIDEMARK_TRY(receive());
    reply.status = static_cast<int>(*status);
    reply.retry_after = std::chrono::seconds(number(field_of(head, "retry-after")).value_or(0));
    reply.body = buffer_.substr(end + 4, *length);
    buffer_.erase(0, end + 4 + *length);
    if (field_of(head, "connection") == "close") disconnect();
    return reply;
  };
  auto reply = try_once();
  if (!reply) disconnect();
  return reply;
}

}  // namespace tidemark::demo
