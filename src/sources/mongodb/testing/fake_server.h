// A scripted member of a replica set for tests: it speaks just enough of the wire protocol for libmongoc to connect, and
// answers every other command as the test says. It is for what a real server does seldom or never: refuse an option it is
// too old for, break at a chosen command, stay silent. Its threads end with it.
#pragma once

#include <atomic>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mutex.h"
#include "bson/document.h"

namespace tidemark::mongodb {

class FakeServer {
 public:
  // The reply to a command; empty closes the connection. Called by one thread at a time unless the options say otherwise.
  using Handler = std::function<std::optional<bson::Document>(bson::View command)>;

  struct Options {
    int wire_version = 21;
    bool mongos = false;        // hello says that it is one
    bson::Document hello = {};  // added to the answer to hello
    bool concurrent = false;    // the handler is called by several threads at once
  };

  explicit FakeServer(Handler handler, int wire_version = 21)
      : FakeServer(std::move(handler), Options{.wire_version = wire_version}) {}
  FakeServer(Handler handler, Options options) : handler_(std::move(handler)), options_(std::move(options)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 16) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      std::abort();
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }

  ~FakeServer() {
    stopping_ = true;
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    ::close(listener_);
    std::vector<std::thread> threads;
    {
      MutexLock lock(mutex_);
      for (const int socket : sockets_) ::shutdown(socket, SHUT_RDWR);
      threads.swap(threads_);
    }
    for (std::thread& thread : threads) thread.join();
    for (const int socket : sockets_) ::close(socket);
  }

  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  std::string uri() const {
    return "mongodb://127.0.0.1:" + std::to_string(port_) + (options_.mongos ? "/" : "/?replicaSet=rs0");
  }
  bool stopping() const { return stopping_; }
  // Those that were ever made, the monitors' among them.
  size_t connections() {
    MutexLock lock(mutex_);
    return sockets_.size();
  }

 private:
  void accept_all() {
    while (!stopping_) {
      const int socket = ::accept(listener_, nullptr, nullptr);
      if (socket < 0) return;
      MutexLock lock(mutex_);
      sockets_.push_back(socket);
      threads_.emplace_back([this, socket] {
        while (serve_one(socket)) {
        }
        ::shutdown(socket, SHUT_RDWR);
      });
    }
  }

  static bool read_all(int socket, char* data, size_t size) {
    while (size > 0) {
      const ssize_t n = ::recv(socket, data, size, 0);
      if (n <= 0) return false;
      data += n;
      size -= static_cast<size_t>(n);
    }
    return true;
  }

  static void put32(std::string& out, int32_t value) { out.append(reinterpret_cast<const char*>(&value), 4); }

  bool serve_one(int socket) {
    constexpr int32_t kOpQuery = 2004;
    constexpr int32_t kOpMsg = 2013;
    int32_t header[4];
    if (!read_all(socket, reinterpret_cast<char*>(header), sizeof header)) return false;
    std::string body(static_cast<size_t>(header[0]) - sizeof header, '\0');
    if (!read_all(socket, body.data(), body.size())) return false;
    size_t at = 5;  // OP_MSG: flags, and the kind of its first section
    if (header[3] == kOpQuery) at = 4 + std::strlen(body.data() + 4) + 1 + 8;
    int32_t size = 0;
    std::memcpy(&size, body.data() + at, 4);
    const auto command =
        bson::View::parse({reinterpret_cast<const uint8_t*>(body.data() + at), static_cast<size_t>(size)});
    if (!command) return false;
    const auto reply = answer(*command);
    if (!reply) return false;

    std::string out;
    const bool query = header[3] == kOpQuery;
    put32(out, static_cast<int32_t>(16 + (query ? 20 : 5) + reply->size()));
    put32(out, 1);
    put32(out, header[1]);
    put32(out, query ? 1 : kOpMsg);
    if (query) {
      for (const int32_t field : {8, 0, 0, 0, 1}) put32(out, field);
    } else {
      put32(out, 0);
      out.push_back('\0');
    }
    out.append(reinterpret_cast<const char*>(reply->view().data()), reply->size());
    return ::send(socket, out.data(), out.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(out.size());
  }

  std::optional<bson::Document> answer(bson::View command) {
    std::string name;
    for (const bson::Element field : command) {
      name = field.key();
      break;
    }
    if (name == "hello" || name == "isMaster" || name == "ismaster") return hello();
    if (name == "endSessions") return bson::Document::from_json(R"({"ok": 1})").value();
    if (options_.concurrent) return handler_(command);
    MutexLock lock(handler_mutex_);
    return handler_(command);
  }

  bson::Document hello() const {
    const std::string me = "127.0.0.1:" + std::to_string(port_);
    bson::Builder hosts;
    hosts.append("0", me);
    bson::Builder reply;
    reply.append("ismaster", true).append("isWritablePrimary", true).append("helloOk", true);
    if (options_.mongos) {
      reply.append("msg", "isdbgrid");
    } else {
      reply.append("setName", "rs0").append("setVersion", int32_t{1}).append_array("hosts", hosts.view());
      reply.append("me", me).append("primary", me).append("secondary", false);
    }
    if (options_.hello) reply.concat(options_.hello.view());
    reply.append("maxBsonObjectSize", int32_t{16777216}).append("maxMessageSizeBytes", int32_t{48000000});
    reply.append("maxWriteBatchSize", int32_t{100000}).append("logicalSessionTimeoutMinutes", int32_t{30});
    reply.append("minWireVersion", int32_t{0}).append("maxWireVersion", int32_t{options_.wire_version});
    reply.append("ok", 1.0);
    return reply.finish();
  }

  Handler handler_;
  const Options options_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> stopping_{false};
  std::thread acceptor_;
  Mutex handler_mutex_;
  Mutex mutex_;
  std::vector<int> sockets_;
  std::vector<std::thread> threads_;
};

}  // namespace tidemark::mongodb
