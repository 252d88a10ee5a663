#include "support/lossy_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"

namespace tidemark::testing {
namespace {

constexpr int kPollMs = 20;  // how soon it sees that it shall stop

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

bool send_all(int to, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

}  // namespace

LossyProxy::LossyProxy(int server_port)
    : server_port_(server_port), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  const bool listens = ::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
                       ::listen(listener_, 16) == 0 &&
                       ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  TIDEMARK_CHECK(listens, "a proxy found no port to listen on");
  port_ = ntohs(address.sin_port);
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

LossyProxy::~LossyProxy() {
  thread_.request_stop();
  thread_.join();
  ::close(listener_);
}

void LossyProxy::lose_request(int n) {
  MutexLock lock(mutex_);
  requests_ = n + 1;
}

void LossyProxy::lose_answers(int count, std::string asked, std::string said) {
  MutexLock lock(mutex_);
  answers_ = count;
  asked_ = std::move(asked);
  said_ = std::move(said);
}

void LossyProxy::swallow_requests() {
  MutexLock lock(mutex_);
  swallowing_ = true;
}

void LossyProxy::lose_nothing() {
  MutexLock lock(mutex_);
  requests_ = 0;
  answers_ = 0;
  swallowing_ = false;
}

bool LossyProxy::lost() const {
  MutexLock lock(mutex_);
  return requests_ == 0 && answers_ == 0;
}

int LossyProxy::swallowed() const {
  MutexLock lock(mutex_);
  return swallowed_;
}

void LossyProxy::run(const std::stop_token& stop) {
  std::vector<Connection> connections;
  std::vector<pollfd> fds;
  while (!stop.stop_requested()) {
    fds = {{listener_, POLLIN, 0}};
    for (const Connection& each : connections) {
      fds.push_back({each.client, POLLIN, 0});
      fds.push_back({each.server, POLLIN, 0});
    }
    if (::poll(fds.data(), fds.size(), kPollMs) <= 0) continue;
    for (size_t i = connections.size(); i-- > 0;) {
      const bool alive = (fds[1 + 2 * i].revents == 0 || pass(connections[i], true)) &&
                         (fds[2 + 2 * i].revents == 0 || pass(connections[i], false));
      if (alive) continue;
      ::close(connections[i].client);
      ::close(connections[i].server);
      connections.erase(connections.begin() + static_cast<ptrdiff_t>(i));
    }
    if (fds[0].revents != 0) accept_into(connections);
  }
  for (const Connection& each : connections) ::close(each.client), ::close(each.server);
}

void LossyProxy::accept_into(std::vector<Connection>& connections) const {
  const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(server_port_);
  if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
    connections.push_back({client, server});
  else
    ::close(client), ::close(server);
}

bool LossyProxy::pass(Connection& connection, bool request) {
  char buffer[1 << 16];
  const ssize_t got = ::recv(request ? connection.client : connection.server, buffer, sizeof buffer, 0);
  if (got <= 0) return false;
  const std::string_view bytes(buffer, static_cast<size_t>(got));
  switch (judge(connection, request, bytes)) {
    case Fate::kIsLost:
      return false;
    case Fate::kIsSwallowed:
      return true;
    case Fate::kPasses:
      break;
  }
  return send_all(request ? connection.server : connection.client, bytes);
}

LossyProxy::Fate LossyProxy::judge(Connection& connection, bool request, std::string_view bytes) {
  MutexLock lock(mutex_);
  if (request) {
    if (requests_ > 0 && --requests_ == 0) return Fate::kIsLost;
    connection.asked = answers_ > 0 && bytes.find(asked_) != std::string_view::npos;
    if (!swallowing_) return Fate::kPasses;
    ++swallowed_;
    return Fate::kIsSwallowed;
  }
  if (answers_ == 0 || !connection.asked || bytes.find(said_) == std::string_view::npos) return Fate::kPasses;
  --answers_;
  return Fate::kIsLost;
}

}  // namespace tidemark::testing
