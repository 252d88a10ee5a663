#include "golden/wire_client.h"

#include <cstring>
#include <utility>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace tidemark::golden {
namespace {

constexpr int32_t kOpMsg = 2013;
constexpr size_t kHeaderBytes = 16;
constexpr int32_t kReplyBytesMax = 48'000'000;
constexpr int kReplySecondsMax = 30;

void append_int32(int32_t value, std::string& out) {
  char bytes[4];
  std::memcpy(bytes, &value, sizeof bytes);  // little-endian hosts only, like the wire
  out.append(bytes, sizeof bytes);
}

}  // namespace

Result<WireClient> WireClient::connect(uint16_t port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  if (socket < 0) return fail(React::kFatal, "no socket");
  WireClient client(socket);
  const int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const timeval patience{kReplySecondsMax, 0};
  setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return fail(React::kRetry, "nobody listens on port " + std::to_string(port));
  }
  return client;
}

WireClient::WireClient(WireClient&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)), request_(other.request_) {}

WireClient::~WireClient() {
  if (socket_ >= 0) ::close(socket_);
}

Status WireClient::send_all(const std::string& bytes) {
  for (size_t sent = 0; sent < bytes.size();) {
    const ssize_t n = ::send(socket_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) return fail(React::kRetry, "the connection broke while sending");
    sent += static_cast<size_t>(n);
  }
  return {};
}

Status WireClient::receive_all(char* to, size_t size) {
  for (size_t got = 0; got < size;) {
    const ssize_t n = ::recv(socket_, to + got, size - got, 0);
    if (n <= 0)
      return fail(React::kRetry, "the connection broke, or nothing came, while waiting for a reply");
    got += static_cast<size_t>(n);
  }
  return {};
}

Result<bson::Document> WireClient::run(const std::string& database, bson::View command) {
  bson::Builder full;
  full.concat(command).append("$db", database);
  const bson::View body = full.view();
  std::string message;
  append_int32(static_cast<int32_t>(kHeaderBytes + 4 + 1 + body.size()), message);
  append_int32(++request_, message);
  append_int32(0, message);
  append_int32(kOpMsg, message);
  append_int32(0, message);  // flags
  message.push_back('\0');   // section of kind 0: the body
  message.append(reinterpret_cast<const char*>(body.data()), body.size());
  TIDEMARK_TRY(send_all(message));

  char header[kHeaderBytes];
  TIDEMARK_TRY(receive_all(header, sizeof header));
  int32_t length = 0;
  std::memcpy(&length, header, sizeof length);
  if (length < static_cast<int32_t>(kHeaderBytes + 5) || length > kReplyBytesMax) {
    return fail(React::kFatal, "a reply of " + std::to_string(length) + " bytes");
  }
  std::string reply(static_cast<size_t>(length) - kHeaderBytes, '\0');
  TIDEMARK_TRY(receive_all(reply.data(), reply.size()));
  constexpr size_t kBefore = 5;  // flags and the section's kind
  TIDEMARK_ASSIGN(
      const bson::View document,
      bson::View::parse({reinterpret_cast<const uint8_t*>(reply.data()) + kBefore, reply.size() - kBefore}));
  return bson::Document(document);
}

}  // namespace tidemark::golden
