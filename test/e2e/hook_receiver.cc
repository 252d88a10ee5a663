#include "e2e/hook_receiver.h"

#include <algorithm>
#include <cctype>
#include <stdexcept>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace tidemark::e2e {
namespace {

constexpr int kLook_ms = 20;
constexpr int kPatience_ms = 10'000;

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

// What comes next on the connection; false at its end.
bool read_more(int connection, std::string& text) {
  pollfd waits{connection, POLLIN, 0};
  if (::poll(&waits, 1, kPatience_ms) != 1) return false;
  char bytes[16'384];
  const ssize_t count = ::read(connection, bytes, sizeof bytes);
  if (count > 0) text.append(bytes, static_cast<size_t>(count));
  return count > 0;
}

}  // namespace

std::string HookCall::header(const std::string& name) const {
  const std::string wanted = "\r\n" + lower(name) + ":";
  const size_t at = lower(head).find(wanted);
  if (at == std::string::npos) return {};
  const size_t from = head.find_first_not_of(' ', at + wanted.size());
  return head.substr(from, head.find("\r\n", from) - from);
}

HookReceiver::HookReceiver() {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 16) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw std::runtime_error("no port for a webhook");
  port_ = ntohs(address.sin_port);
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

HookReceiver::~HookReceiver() {
  thread_ = {};
  ::close(listener_);
}

std::string HookReceiver::url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/hook"; }

void HookReceiver::answer_with(int status) {
  MutexLock lock(mutex_);
  status_ = status;
}

std::vector<HookCall> HookReceiver::calls() const {
  MutexLock lock(mutex_);
  return calls_;
}

void HookReceiver::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    pollfd waits{listener_, POLLIN, 0};
    if (::poll(&waits, 1, kLook_ms) != 1) continue;
    const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) continue;
    serve(connection);
    ::close(connection);
  }
}

void HookReceiver::serve(int connection) {
  std::string text;
  size_t end = std::string::npos;
  while ((end = text.find("\r\n\r\n")) == std::string::npos)
    if (!read_more(connection, text)) return;
  HookCall call{text.substr(0, end + 2), text.substr(end + 4)};
  const std::string length = call.header("Content-Length");
  while (!length.empty() && call.body.size() < std::stoul(length))
    if (!read_more(connection, call.body)) return;
  int status = 200;
  {
    MutexLock lock(mutex_);
    status = status_;
    calls_.push_back(std::move(call));
  }
  const std::string answer =
      "HTTP/1.1 " + std::to_string(status) + " Answer\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
  (void)!::write(connection, answer.data(), answer.size());
}

}  // namespace tidemark::e2e
