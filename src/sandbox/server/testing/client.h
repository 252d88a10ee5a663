// For tests: a client that speaks the wire protocol itself, so that a test sees the very replies, and a set that ends with
// the test. Not for use outside of *_test.cc files.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "env/posix/clock.h"
#include "sandbox/server/replica_set.h"
#include "sandbox/wire/message.h"

namespace tidemark::sandbox {

inline bson::Document doc(std::string_view json) {
  auto parsed = bson::Document::from_json(json);
  EXPECT_TRUE(parsed) << json;
  return parsed ? *parsed : bson::Document();
}

inline int64_t number(bson::View view, std::string_view path) {
  const auto field = view.find_path(path);
  return field && field->integer() ? *field->integer() : INT64_MIN;
}
inline std::string text(bson::View view, std::string_view path) {
  const auto field = view.find_path(path);
  return field && field->is_string() ? std::string(field->string()) : std::string();
}
inline size_t length(bson::View view, std::string_view path) {
  const auto field = view.find_path(path);
  size_t count = 0;
  if (field && (field->is_array() || field->is_document()))
    for ([[maybe_unused]] const auto& item : field->document()) count++;
  return count;
}

class TestClient {
 public:
  explicit TestClient(const std::string& address) {
    const size_t colon = address.rfind(':');
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(colon + 1))));
    inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr);
    socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
    timeval limit{20, 0};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
  }
  ~TestClient() { ::close(socket_); }
  TestClient(const TestClient&) = delete;
  TestClient& operator=(const TestClient&) = delete;

  bool connected() const { return connected_; }

  bool send(const std::vector<uint8_t>& bytes) {
    size_t sent = 0;
    while (sent < bytes.size()) {
      const ssize_t n = ::send(socket_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return false;
      sent += static_cast<size_t>(n);
    }
    return true;
  }
  bool send(const std::string& db, bson::View command, uint32_t flags = 0) {
    bson::Builder body;
    body.concat(command).append("$db", db);
    return send(wire::serialize_msg(++request_, 0, flags, body.view()));
  }

  // Empty when the connection ended.
  std::optional<bson::Document> receive(wire::Header* header = nullptr, uint32_t* flags = nullptr) {
    std::vector<uint8_t> bytes(wire::kHeaderBytes);
    if (!read(bytes.data(), bytes.size())) return std::nullopt;
    const auto parsed = wire::parse_header(bytes);
    if (!parsed) return std::nullopt;
    bytes.resize(static_cast<size_t>(parsed->length));
    if (!read(bytes.data() + wire::kHeaderBytes, bytes.size() - wire::kHeaderBytes)) return std::nullopt;
    if (header != nullptr) *header = *parsed;
    if (parsed->op_code == static_cast<int32_t>(wire::OpCode::kReply))
      return bson::Document(bson::View::parse(std::span(bytes).subspan(36)).value_or(bson::View()));
    const auto message = wire::parse(bytes);
    if (!message) return std::nullopt;
    if (flags != nullptr) *flags = message->flags;
    return bson::Document(message->body);
  }

  // No document when the connection ended.
  bson::Document run(const std::string& db, bson::View command) {
    if (!send(db, command)) return {};
    return receive().value_or(bson::Document());
  }
  bson::Document run(const std::string& db, std::string_view json) { return run(db, doc(json).view()); }

  // Expects ok: 1.
  bson::Document ok(const std::string& db, std::string_view json) {
    auto reply = run(db, json);
    EXPECT_EQ(number(reply, "ok"), 1) << json << " -> " << text(reply, "errmsg");
    return reply;
  }
  int64_t code(const std::string& db, std::string_view json) { return number(run(db, json), "code"); }

 private:
  bool read(uint8_t* into, size_t size) {
    while (size > 0) {
      const ssize_t n = ::recv(socket_, into, size, 0);
      if (n <= 0) return false;
      into += n;
      size -= static_cast<size_t>(n);
    }
    return true;
  }

  int socket_ = -1;
  bool connected_ = false;
  int32_t request_ = 0;
};

class SetTest : public testing::Test {
 protected:
  void start(ReplicaSetOptions options = {}) {
    options.election = std::chrono::milliseconds(50);
    auto started = ReplicaSet::start(options, clock);
    ASSERT_TRUE(started) << started.error().describe();
    set = std::move(*started);
  }
  std::unique_ptr<TestClient> connect(int member) {
    return std::make_unique<TestClient>(set->address(member));
  }
  std::unique_ptr<TestClient> connect_primary() {
    const auto primary = set->wait_for_primary(std::chrono::seconds(20));
    EXPECT_TRUE(primary);
    return connect(primary.value_or(0));
  }

  PosixClock clock;
  std::unique_ptr<ReplicaSet> set;
};

}  // namespace tidemark::sandbox
