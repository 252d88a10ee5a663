// Clients that speak bytes: what they send is what a test wrote, so that it can be wrong. Waits have deadlines. One thread
// per client.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace tidemark::http::testing {

using namespace std::chrono_literals;
constexpr std::chrono::milliseconds kPatience{20'000};

struct HttpAnswer {
  int status = 0;                              // 0 = the connection ended first
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

class Client {
 public:
  explicit Client(uint16_t port, int receive_buffer = 0) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    if (receive_buffer > 0) ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      ADD_FAILURE() << "can't connect";
  }
  ~Client() { end(); }
  Client(Client&& other) noexcept : fd_(std::exchange(other.fd_, -1)), buffer_(std::move(other.buffer_)) {}
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void end() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

  // False when the server took no more.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }

  HttpAnswer ask(std::string_view method, std::string_view target, std::string_view headers = "",
                 std::string_view body = "") {
    std::string text = fmt::format("{} {} HTTP/1.1\r\nHost: 127.0.0.1\r\n{}", method, target, headers);
    if (!body.empty()) text += fmt::format("Content-Length: {}\r\n", body.size());
    send(text + "\r\n" + std::string(body));
    return answer(method == "HEAD");
  }

  HttpAnswer answer(bool bare = false) {
    HttpAnswer answer;
    size_t end = 0;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
      if (!fill()) return answer;
    }
    std::string head = buffer_.substr(0, end + 2);
    buffer_.erase(0, end + 4);
    answer.status = std::stoi(head.substr(9, 3));
    size_t line = head.find("\r\n") + 2;
    while (line < head.size()) {
      const size_t stop = head.find("\r\n", line);
      const size_t colon = head.find(": ", line);
      std::string name = head.substr(line, colon - line);
      for (char& c : name) c = static_cast<char>(std::tolower(c));
      answer.headers[name] = head.substr(colon + 2, stop - colon - 2);
      line = stop + 2;
    }
    if (bare || !answer.headers.contains("content-length")) return answer;
    answer.body = take(std::stoul(answer.headers["content-length"]));
    return answer;
  }

  // Exactly `count` bytes, or what came before the end.
  std::string take(size_t count) {
    while (buffer_.size() < count && fill()) {
    }
    std::string bytes = buffer_.substr(0, count);
    buffer_.erase(0, bytes.size());
    return bytes;
  }

  // Whether the server ends the connection; what it sends before is dropped.
  bool ended(std::chrono::milliseconds patience = kPatience) {
    buffer_.clear();
    while (fill(patience)) buffer_.clear();
    return !timed_out_;
  }

 protected:
  // False at the end of the connection, or when nothing came in time.
  bool fill(std::chrono::milliseconds patience = kPatience) {
    pollfd ready{.fd = fd_, .events = POLLIN, .revents = 0};
    timed_out_ = ::poll(&ready, 1, static_cast<int>(patience.count())) == 0;
    if (timed_out_) return false;
    char bytes[64 << 10];
    const ssize_t count = ::recv(fd_, bytes, sizeof bytes, 0);
    if (count <= 0) return false;
    buffer_.append(bytes, static_cast<size_t>(count));
    return true;
  }

  int fd_;
  std::string buffer_;
  bool timed_out_ = false;
};

struct WsFrame {
  int opcode = -1;  // -1 = the connection ended; 1 text, 8 close
  std::string text;
  int close_code() const {
    return opcode == 8 && text.size() >= 2
               ? static_cast<unsigned char>(text[0]) << 8 | static_cast<unsigned char>(text[1])
               : 0;
  }
};

class WsClient : public Client {
 public:
  explicit WsClient(uint16_t port, std::string_view protocols = "tidemark.v1", int receive_buffer = 0)
      : Client(port, receive_buffer) {
    handshake_ =
        ask("GET", "/ws",
            fmt::format("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: {}\r\n",
                        protocols));
  }
  const HttpAnswer& handshake() const { return handshake_; }

  // A masked frame; `claimed` in place of the payload's true length.
  static std::string frame(std::string_view payload, int opcode = 1, std::optional<uint64_t> claimed = {},
                           bool masked = true) {
    const uint64_t length = claimed.value_or(payload.size());
    std::string bytes(1, static_cast<char>(0x80 | opcode));
    const int mask_bit = masked ? 0x80 : 0;
    if (length < 126) {
      bytes += static_cast<char>(mask_bit | static_cast<int>(length));
    } else if (length < 65536) {
      bytes += static_cast<char>(mask_bit | 126);
      for (int shift = 8; shift >= 0; shift -= 8) bytes += static_cast<char>(length >> shift & 0xff);
    } else {
      bytes += static_cast<char>(mask_bit | 127);
      for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(length >> shift & 0xff);
    }
    constexpr std::string_view kMask = "\x12\x34\x56\x78";
    if (masked) bytes += kMask;
    for (size_t i = 0; i < payload.size(); ++i)
      bytes += static_cast<char>(masked ? payload[i] ^ kMask[i % 4] : payload[i]);
    return bytes;
  }
  bool say(std::string_view text) { return send(frame(text)); }
  bool resume(std::string_view instance, std::string_view feed, uint64_t after) {
    return say(
        fmt::format(R"({{"type":"resume","instance":"{}","feed":"{}","after":{}}})", instance, feed, after));
  }

  WsFrame next() {
    WsFrame frame;
    const std::string head = take(2);
    if (head.size() < 2) return frame;
    uint64_t length = static_cast<unsigned char>(head[1]) & 0x7f;
    if (length >= 126) {
      const std::string extended = take(length == 126 ? 2 : 8);
      length = 0;
      for (const char c : extended) length = length << 8 | static_cast<unsigned char>(c);
    }
    frame.text = take(length);
    if (frame.text.size() == length) frame.opcode = head[0] & 0x0f;
    return frame;
  }
  // The next text frame of that type; what comes before it is dropped.
  std::string next_of(std::string_view type) {
    const std::string start = fmt::format(R"({{"type":"{}")", type);
    while (true) {
      WsFrame frame = next();
      if (frame.opcode != 1) {
        ADD_FAILURE() << "no " << type << " came; opcode " << frame.opcode << ", close code "
                      << frame.close_code();
        return {};
      }
      if (frame.text.starts_with(start)) return frame.text;
    }
  }
  // The code of the closing frame; what comes before it is dropped.
  int close_code() {
    WsFrame frame = next();
    while (frame.opcode == 1) frame = next();
    return frame.close_code();
  }

 private:
  HttpAnswer handshake_;
};

}  // namespace tidemark::http::testing
