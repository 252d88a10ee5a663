// What no good client sends, at the door of the running program: each gets the right status, what was good before and
// after is stored, and the process keeps neither memory nor files of it.
#include <csignal>
#include <fstream>
#include <sstream>

#include <fmt/format.h>

#include "e2e/planes.h"

namespace tidemark::e2e {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::Process;

constexpr const char* kToken = "a-token-of-this-test-alone";
constexpr size_t kHugeBytes = 100 << 20;
// What a body of 100 MB must not leave behind, whole or in part.
const size_t kMemoryGrowthMax = testing::sanitized() ? 256 << 20 : 64 << 20;

// What the clients of databases and queues may open in the meantime.
constexpr size_t kFilesOfOurs = 4;

// Connections that a process of this machine has accepted on the port and not closed: proc(5), /proc/net/tcp.
size_t open_connections(int port) {
  std::ifstream table("/proc/net/tcp");
  const std::string local = fmt::format(":{:04X}", port);
  size_t count = 0;
  for (std::string line; std::getline(table, line);) {
    std::istringstream fields(line);
    std::string slot, from, to, state;
    fields >> slot >> from >> to >> state;
    const bool open = state == "01" || state == "08";  // ESTABLISHED, CLOSE_WAIT
    if (open && from.ends_with(local)) ++count;
  }
  return count;
}

class BadInput : public Planes {
 protected:
  void SetUp() override {
    Planes::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    const std::string limits =
        fmt::format("token = \"{}\"\nheader_timeout = \"500ms\"\nbody_timeout = \"1s\"\n", kToken);
    process_ = start("planes", server_toml(limits) + ingest_toml() + process_toml() + observe_toml());
    ASSERT_NO_FATAL_FAILURE(await_ready(*process_, authorization()));
    ASSERT_NO_FATAL_FAILURE(good_events_are_stored());
    files_ = open_files(process_->pid());
    memory_ = resident_bytes(process_->pid());
  }

  void TearDown() override {
    if (process_ && !HasFatalFailure()) {
      good_events_are_stored();
      EXPECT_TRUE(testing::eventually([&] { return open_connections(port()) == 0; }))
          << open_connections(port()) << " connections are still open";
      EXPECT_TRUE(testing::eventually([&] { return open_files(process_->pid()) <= files_ + kFilesOfOurs; }))
          << open_files(process_->pid()) << " files open, " << files_ << " before";
      EXPECT_LT(resident_bytes(process_->pid()), memory_ + kMemoryGrowthMax);
      process_->signal(SIGTERM);
      const auto ended = process_->wait();
      EXPECT_TRUE(ended && ended->code == 0) << process_->error_output();
    }
    process_.reset();
    Planes::TearDown();
  }

  static std::string authorization() { return fmt::format("Authorization: Bearer {}\r\n", kToken); }

  // A good client is served, whatever others do.
  void good_events_are_stored() {
    const std::string id = "good-" + std::to_string(++good_);
    const auto answer = HttpClient(port()).post("/events", kEventType, event_json(id), authorization());
    ASSERT_TRUE(answer) << answer.error().describe();
    ASSERT_EQ(answer->status, 202) << answer->body;
    ASSERT_NO_FATAL_FAILURE(await_stored(good_, *process_));
    EXPECT_EQ(stored_ids().count(id), 1u);
    EXPECT_EQ(stored_count(), good_) << "something bad was stored";
  }

  void expect_problem(const Result<HttpResponse>& answer, int status, const std::string& says = "") {
    ASSERT_TRUE(answer) << answer.error().describe() << "\n" << process_->error_output();
    EXPECT_EQ(answer->status, status) << answer->body;
    EXPECT_THAT(answer->header("content-type"), HasSubstr("application/problem+json"));
    const auto problem = nlohmann::json::parse(answer->body, nullptr, false);
    ASSERT_TRUE(problem.is_object()) << answer->body;
    EXPECT_EQ(problem.value("status", 0), status);
    EXPECT_NE(problem.value("title", ""), "");
    EXPECT_THAT(answer->body, HasSubstr(says));
  }
  Result<HttpResponse> post(std::string_view type, std::string_view body) {
    return HttpClient(port()).post("/events", type, body, authorization());
  }
  // The answer to these very bytes.
  Result<HttpResponse> answer_to(std::string_view bytes) {
    HttpClient http(port());
    if (!http.connect() || !http.send(bytes)) return fail(React::kRetry, "the server closed the connection");
    return http.receive();
  }

  std::unique_ptr<Process> process_;
  int64_t good_ = 0;
  size_t files_ = 0, memory_ = 0;
};

TEST_F(BadInput, EventsThatAreNoneAreRefusedWithTheFieldAtFault) {
  const std::string no_id = R"({"specversion":"1.0","source":"/a","type":"t"})";
  expect_problem(post(kEventType, R"({"specversion":"1.0","id":)"), 400, "body");
  expect_problem(post(kEventType, ""), 400);
  expect_problem(post(kEventType, "[]"), 400);
  expect_problem(post(kEventType, no_id), 400, R"("where":"id")");
  expect_problem(post(kEventType, R"({"specversion":"1.0","id":"","source":"/a","type":"t"})"), 400, "id");
  expect_problem(post(kEventType, R"({"specversion":"0.3","id":"1","source":"/a","type":"t"})"), 400,
                 "specversion");
  // One bad event of a batch, and nothing of the batch is taken.
  expect_problem(post(kBatchType, batch_body({event_json("in a bad batch"), no_id})), 400,
                 R"("where":"events[1].id")");
  expect_problem(post(kBatchType, std::string(100'000, '[')), 400);
  expect_problem(post("application/json", R"({"a": 1})"), 415);
  expect_problem(post("text/plain", event_json("as text")), 415);
  expect_problem(post("", event_json("of no type")), 415);
}

TEST_F(BadInput, BytesThatAreNoUtf8AreRefused) {
  for (const char* bytes : {"\xff\xfe", "\xc3\x28", "\xed\xa0\x80", "\xf8\x88\x80\x80\x80"}) {
    const std::string event =
        std::string(R"({"specversion":"1.0","id":")") + bytes + R"(","source":"/a","type":"t"})";
    expect_problem(post(kEventType, event), 400);
  }
}

TEST_F(BadInput, WithoutTheTokenNothingIsAnswered) {
  HttpClient http(port());
  for (const std::string& headers :
       {std::string(), std::string("Authorization: Bearer wrong\r\n"),
        fmt::format("Authorization: Bearer {}x\r\n", kToken),
        fmt::format("Authorization: Basic {}\r\n", kToken), std::string("Authorization: Bearer \r\n")}) {
    expect_problem(http.post("/events", kEventType, event_json("of a stranger"), headers), 401);
    expect_problem(http.get("/api/pipelines", headers), 401);
    expect_problem(http.post("/api/dlq/retry", "application/json", "{}", headers), 401);
  }
}

TEST_F(BadInput, ABodyOf100MegabytesIsRefusedAndNotKept) {
  const std::string part(1 << 20, 'x');
  for (const bool chunked : {false, true}) {
    HttpClient http(port());
    ASSERT_TRUE(http.connect());
    std::string head = fmt::format("POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Type: {}\r\n{}",
                                   kBatchType, authorization());
    head += chunked ? "Transfer-Encoding: chunked\r\n\r\n"
                    : fmt::format("Content-Length: {}\r\n\r\n", kHugeBytes);
    ASSERT_TRUE(http.send(head));
    for (size_t sent = 0; sent < kHugeBytes; sent += part.size()) {
      if (chunked && !http.send(fmt::format("{:x}\r\n", part.size()))) break;
      if (!http.send(part) || (chunked && !http.send("\r\n"))) break;
    }
    expect_problem(http.receive(), 413);
    EXPECT_LT(resident_bytes(process_->pid()), memory_ + kMemoryGrowthMax);
  }
}

TEST_F(BadInput, HeadersWithoutEndAreRefused) {
  const std::string start = "POST /events HTTP/1.1\r\nHost: localhost\r\n" + authorization();
  expect_problem(answer_to(start + "X-Huge: " + std::string(1 << 20, 'h') + "\r\n\r\n"), 431);
  std::string many = start;
  for (int i = 0; i < 20'000; ++i) many += fmt::format("X-{}: {}\r\n", i, i);
  expect_problem(answer_to(many + "\r\n"), 431);
  const auto path = answer_to("GET /" + std::string(1 << 20, 'p') + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_TRUE(path) << path.error().describe();
  EXPECT_THAT(path->status, ::testing::AnyOf(414, 431));
}

TEST_F(BadInput, WhatIsNoHttpIsRefused) {
  for (const char* bytes : {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "hello\r\n\r\n",
                            "POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
                            "POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
                            "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                            "GET / HTTP/9.9\r\nHost: localhost\r\n\r\n"}) {
    const auto answer = answer_to(bytes);
    // Bytes that don't even begin like HTTP may be answered by closing the connection.
    if (!answer) continue;
    EXPECT_THAT(answer->status, AllOf(::testing::Ge(400), ::testing::Lt(506))) << bytes;
  }
  expect_problem(HttpClient(port()).get("/no/such/path", authorization()), 404);
  expect_problem(HttpClient(port()).get("/events", authorization()), 405);
}

// Clients that send one byte at a time, in the head or in the body, are let go after the server's time limits, not
// after theirs; meanwhile others are served.
TEST_F(BadInput, SlowClientsAreLetGo) {
  const std::string head = fmt::format(
      "POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Type: {}\r\n{}Content-Length: 1000\r\n",
      kEventType, authorization());
  std::vector<std::unique_ptr<HttpClient>> slow;
  for (int i = 0; i < 40; ++i) {
    slow.push_back(std::make_unique<HttpClient>(port()));
    ASSERT_TRUE(slow.back()->connect());
    // Half of them stay in the head, the others in the body.
    ASSERT_TRUE(slow.back()->send(i % 2 == 0 ? head.substr(0, 30) : head + "\r\n{"));
  }
  ASSERT_NO_FATAL_FAILURE(good_events_are_stored());
  const auto begin = std::chrono::steady_clock::now();
  while (!slow.empty() && std::chrono::steady_clock::now() - begin < seconds(15)) {
    for (size_t i = 0; i < slow.size();) {
      // A byte now and then: a limit on silence alone would never be reached.
      bool closed = false;
      slow[i]->drain(milliseconds(2), closed);
      if (closed || !slow[i]->send("x")) {
        slow.erase(slow.begin() + static_cast<ptrdiff_t>(i));
      } else {
        ++i;
      }
    }
  }
  EXPECT_EQ(slow.size(), 0u) << "connections that are held by a byte now and then";
}

class WebSocketFrames : public BadInput {
 protected:
  // An open WebSocket; its first frames may stand in what drain() gives.
  std::unique_ptr<HttpClient> open_socket() {
    auto http = std::make_unique<HttpClient>(port());
    EXPECT_TRUE(http->connect());
    EXPECT_TRUE(
        http->send(fmt::format("GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{0}\r\nOrigin: http://127.0.0.1:{0}\r\n"
                               "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                               "Sec-WebSocket-Protocol: tidemark.v1, bearer.{1}\r\n\r\n",
                               port(), kTokenBase64Url)));
    const auto answer = http->receive();
    EXPECT_TRUE(answer) << answer.error().describe();
    if (!answer) return nullptr;
    EXPECT_EQ(answer->status, 101) << answer->body;
    return answer->status == 101 ? std::move(http) : nullptr;
  }
  static constexpr const char* kTokenBase64Url = "YS10b2tlbi1vZi10aGlzLXRlc3QtYWxvbmU";
};

TEST_F(WebSocketFrames, ThatLieAboutTheirLengthEndTheConnection) {
  const std::string mask(4, '\0');
  const auto bytes = [](std::initializer_list<int> list) {
    std::string text;
    for (const int byte : list) text += static_cast<char>(byte);
    return text;
  };
  const std::pair<const char*, std::string> kFrames[] = {
      {"2^62 bytes announced", bytes({0x81, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0}) + mask + "some"},
      {"a length with its highest bit set",
       bytes({0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}) + mask},
      {"4 GiB announced", bytes({0x81, 0xff, 0, 0, 0, 1, 0, 0, 0, 0}) + mask + std::string(1 << 16, 'x')},
      {"5 bytes in the longest form", bytes({0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 5}) + mask + "hello"},
      {"no mask", bytes({0x81, 0x05}) + "hello"},
      {"reserved bits", bytes({0xf1, 0x85}) + mask + "hello"},
      {"an opcode that there isn't", bytes({0x83, 0x85}) + mask + "hello"},
      {"a ping of 200 bytes", bytes({0x89, 0xfe, 0, 200}) + mask + std::string(200, 'p')},
      {"a continuation of nothing", bytes({0x80, 0x85}) + mask + "hello"},
      {"text that is no UTF-8", bytes({0x81, 0x82}) + mask + "\xff\xfe"},
      {"a message that is none of the protocol", bytes({0x81, 0x85}) + mask + "hello"},
  };
  for (const auto& [what, frame] : kFrames) {
    const auto http = open_socket();
    ASSERT_TRUE(http) << what;
    (void)http->send(frame, HttpClient::kAll);  // the end may come before the last byte of it is sent
    bool closed = false;
    http->drain(seconds(10), closed);
    EXPECT_TRUE(closed) << what << " is put up with";
  }
}

TEST_F(WebSocketFrames, ThatNeverEndAreForgottenWithTheirClient) {
  for (int i = 0; i < 20; ++i) {
    const auto http = open_socket();
    ASSERT_TRUE(http);
    const char announced[] = {'\x81', '\xfe', '\x0f', '\xff', 0,
                              0,      0,      0,      'h'};  // 4,095 bytes, one of them sent
    EXPECT_TRUE(http->send({announced, sizeof announced}, HttpClient::kAll));
  }
}

TEST_F(WebSocketFrames, AHandshakeWithAWrongTokenOrOriginIsRefused) {
  const auto handshake = [&](const std::string& origin, const std::string& protocols) {
    return answer_to(
        fmt::format("GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nOrigin: {}\r\nUpgrade: websocket\r\n"
                    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: {}\r\n\r\n",
                    port(), origin, protocols));
  };
  const std::string own = fmt::format("http://127.0.0.1:{}", port());
  const std::string bearer = std::string("tidemark.v1, bearer.") + kTokenBase64Url;
  expect_problem(handshake(own, "tidemark.v1, bearer.d3Jvbmc"), 401);
  expect_problem(handshake(own, "tidemark.v1"), 401);
  expect_problem(handshake("http://elsewhere.example", bearer), 403);
  const auto good = handshake(own, bearer);
  ASSERT_TRUE(good) << good.error().describe();
  EXPECT_EQ(good->status, 101);
}

}  // namespace
}  // namespace tidemark::e2e
