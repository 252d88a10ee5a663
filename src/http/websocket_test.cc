// The WebSocket protocol on a real socket, and what many clients and slow ones cost.
#include <thread>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "http/testing/server_harness.h"

namespace tidemark::http::testing {
namespace {

using nlohmann::json;

struct Tally {
  uint64_t events = 0;
  uint64_t missed = 0;
  uint64_t last = 0;  // the last seq that was shown, or told of as missed
};

// Hundreds of megabytes of frames are looked through here, hence by eye and not by a parser.
void take_events(std::string_view frame, Tally& tally) {
  constexpr std::string_view kItem = R"({"seq":)";
  for (size_t at = frame.find(kItem); at != std::string_view::npos; at = frame.find(kItem, at + 1)) {
    const uint64_t seq = std::stoull(std::string(frame.substr(at + kItem.size(), 20)));
    EXPECT_TRUE(tally.last == 0 || seq == tally.last + 1) << seq << " after " << tally.last;
    EXPECT_EQ(frame.substr(at, 60).find(fmt::format(R"({{"seq":{0},"id":"{0}",)", seq)), 0u);
    tally.last = seq;
    ++tally.events;
  }
}

// Reads until the client knows of everything up to `until`; every event must follow the one before.
Tally follow(WsClient& client, uint64_t until) {
  Tally tally;
  while (tally.last < until) {
    const WsFrame frame = client.next();
    if (frame.opcode != 1) {
      ADD_FAILURE() << "the socket ended at " << tally.last << ", close code " << frame.close_code();
      break;
    }
    if (frame.text.starts_with(R"({"type":"gap")")) {
      const json gap = json::parse(frame.text);
      EXPECT_EQ(gap["after"], tally.last);
      tally.missed += gap["missed"].get<uint64_t>();
      tally.last += gap["missed"].get<uint64_t>();
    }
    if (frame.text.starts_with(R"({"type":"events")")) take_events(frame.text, tally);
  }
  return tally;
}

TEST(WebSocket, SaysHelloFirstAndThenTheStateOfThings) {
  Fixture fixture;
  fixture.feed->push(3);
  WsClient client(fixture.port());
  ASSERT_EQ(client.handshake().status, 101);
  EXPECT_EQ(client.handshake().headers.at("sec-websocket-protocol"), "tidemark.v1");
  EXPECT_EQ(client.handshake().headers.at("sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  const json hello = json::parse(client.next().text);
  EXPECT_EQ(hello["type"], "hello");
  EXPECT_EQ(hello["instance"], "cafe");
  EXPECT_EQ(hello["feeds"][0]["newest"], 3);
  EXPECT_EQ(json::parse(client.next_of("status"))["pipelines"][0]["name"], "process");
  EXPECT_EQ(json::parse(client.next_of("stats"))["total"], 12);
  EXPECT_EQ(json::parse(client.next_of("timeline"))["entries"][0]["kind"], "started");
  EXPECT_EQ(json::parse(client.next_of("events"))["items"].size(), 3u);
}

TEST(WebSocket, TellsWhatIsNew) {
  Fixture fixture;
  WsClient client(fixture.port());
  client.next_of("timeline");
  fixture.backend.with([&] {
    fixture.backend.entries.push_back(
        {.seq = 2, .at_ms = 6, .pipeline = "p", .kind = "election", .text = "x"});
    fixture.backend.stats_view.at_ms += 5000;
    fixture.backend.stats_view.total = 13;
  });
  // One look sees both; stats go first.
  EXPECT_EQ(json::parse(client.next_of("stats"))["total"], 13);
  const json timeline = json::parse(client.next_of("timeline"));
  ASSERT_EQ(timeline["entries"].size(), 1u);
  EXPECT_EQ(timeline["entries"][0]["seq"], 2);
  client.next_of("status");
}

TEST(WebSocket, AResumeOfThisProcessReplaysFromThere) {
  Fixture fixture({}, 100);
  fixture.feed->push(150);
  WsClient client(fixture.port());
  client.next_of("hello");
  client.resume("cafe", "observe", 30);
  EXPECT_EQ(client.next_of("gap"), R"({"type":"gap","feed":"observe","after":30,"missed":20})");
  EXPECT_EQ(json::parse(client.next_of("events"))["items"][0]["seq"], 51);
  EXPECT_EQ(fixture.server->gauges().feed_missed, 20u);
}

TEST(WebSocket, AResumeOfAnotherProcessShowsTheNewest) {
  Fixture fixture;
  fixture.feed->push(500);
  WsClient client(fixture.port());
  client.next_of("hello");
  client.resume("beef", "observe", 499);
  EXPECT_EQ(json::parse(client.next_of("events"))["items"][0]["seq"], 301);
}

TEST(WebSocket, ASecondResumeOfAFeedIsAMisunderstanding) {
  Fixture fixture;
  WsClient client(fixture.port());
  client.resume("cafe", "observe", 0);
  client.resume("cafe", "observe", 0);
  EXPECT_EQ(client.close_code(), 1008);
  EXPECT_TRUE(client.ended());
}

TEST(WebSocket, AClientThatEndsIsForgotten) {
  Fixture fixture;
  {
    WsClient polite(fixture.port());
    WsClient rude(fixture.port());
    ASSERT_TRUE(fixture.eventually([&] { return fixture.server->gauges().websockets == 2; }));
    polite.send(WsClient::frame(std::string("\x03\xe8", 2), 8));
    EXPECT_EQ(polite.close_code(), 1000);
  }
  EXPECT_TRUE(fixture.eventually(
      [&] { return fixture.server->gauges().websockets == 0 && fixture.server->gauges().connections == 0; }));
}

TEST(WebSocket, TheServerTakesItsLeave) {
  Fixture fixture;
  WsClient client(fixture.port());
  client.next_of("status");
  std::jthread closing([&] { fixture.server->close(); });
  EXPECT_EQ(client.close_code(), 1001);
}

TEST(WebSocket, StoppingKeepsTheClientsThatAreThere) {
  Fixture fixture;
  WsClient client(fixture.port());
  client.next_of("hello");
  fixture.server->stop_accepting();
  fixture.feed->push(1);
  EXPECT_EQ(json::parse(client.next_of("events"))["items"].size(), 1u);
}

TEST(WebSocket, AClientThatTakesNothingIsCutOffInTheEnd) {
  ServerOptions options;
  options.ws_stall_timeout = 300ms;
  Fixture fixture(options, 2000);
  WsClient stuck(fixture.port(), "tidemark.v1", 4096);
  stuck.next_of("hello");
  ASSERT_TRUE(fixture.eventually([&] {
    fixture.feed->push(200, 10'000);
    return fixture.server->gauges().websocket_bytes_queued > 0;
  }));
  EXPECT_TRUE(fixture.eventually([&] { return fixture.server->gauges().websockets == 0; }));
  EXPECT_EQ(fixture.server->gauges().websocket_bytes_queued, 0);
}

// The readers get every event in order; those that don't read cost one frame each, and learn the exact count of what they
// missed once they read again.
TEST(WebSocket, TwoHundredClientsOfWhichFiftyDoNotRead) {
  constexpr size_t kReaders = 150;
  constexpr size_t kSleepers = 50;
  constexpr size_t kRounds = 40;
  constexpr size_t kBatch = 50;
  constexpr size_t kRing = 500;
  constexpr uint64_t kAll = kRounds * kBatch;
  ServerOptions options;
  options.ws_stall_timeout = 10min;  // sleeping is allowed here, also on a slow machine
  Fixture fixture(options, kRing);
  std::vector<std::unique_ptr<WsClient>> readers;
  std::vector<std::unique_ptr<WsClient>> sleepers;
  const auto connect = [&](auto& clients, int receive_buffer) {
    clients.push_back(std::make_unique<WsClient>(fixture.port(), "tidemark.v1", receive_buffer));
    clients.back()->next_of("hello");
    clients.back()->resume("cafe", "observe", 0);
  };
  for (size_t i = 0; i < kReaders; ++i) connect(readers, 0);
  for (size_t i = 0; i < kSleepers; ++i) connect(sleepers, 4096);
  ASSERT_EQ(fixture.server->gauges().websockets, static_cast<int64_t>(kReaders + kSleepers));

  int64_t queued_most = 0;
  std::vector<Tally> read(kReaders);
  for (size_t round = 1; round <= kRounds; ++round) {
    fixture.feed->push(kBatch, 1000);
    for (size_t i = 0; i < kReaders; ++i) {
      const Tally more = follow(*readers[i], round * kBatch);
      read[i].events += more.events;
      read[i].missed += more.missed;
      read[i].last = more.last;
    }
    queued_most = std::max(queued_most, fixture.server->gauges().websocket_bytes_queued);
  }
  for (const Tally& tally : read) {
    EXPECT_EQ(tally.events, kAll);
    EXPECT_EQ(tally.missed, 0u);
  }
  // One frame of at most 256 KiB (and its last item) for each that sleeps.
  EXPECT_GT(queued_most, 0);
  EXPECT_LE(queued_most, static_cast<int64_t>(kSleepers * (300 << 10)));
  EXPECT_EQ(fixture.server->gauges().websockets, static_cast<int64_t>(kReaders + kSleepers));

  uint64_t missed = 0;
  for (const auto& sleeper : sleepers) {
    const Tally tally = follow(*sleeper, kAll);
    EXPECT_EQ(tally.events + tally.missed, kAll);
    EXPECT_GT(tally.missed, 0u);
    missed += tally.missed;
  }
  EXPECT_EQ(fixture.server->gauges().feed_missed, missed);
}

}  // namespace
}  // namespace tidemark::http::testing
