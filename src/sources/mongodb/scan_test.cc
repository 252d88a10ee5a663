// A server that scans its oplog for longer than the socket's timeout.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "env/posix/clock.h"
#include "sources/mongodb/stream_source.h"
#include "sources/mongodb/testing/fake_server.h"
#include "sources/mongodb/testing/options.h"

namespace tidemark::mongodb {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

Position at(const std::string& data) {
  bson::Builder token;
  token.append("_data", data);
  return Position(token.view());
}

// Needs `scan` for each getMore; counts the cursors it opened and those it was told to kill.
class Scanning {
 public:
  explicit Scanning(milliseconds scan)
      : scan_(scan),
        server_([this](bson::View command) { return answer(command); },
                {.wire_version = 9, .concurrent = true}) {}
  ~Scanning() {
    MutexLock lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }
  std::string uri() const { return server_.uri(); }
  int opened() const { return opened_; }
  int killed() const { return killed_; }

 private:
  std::optional<bson::Document> answer(bson::View command) {
    const char* batch = "firstBatch";
    if (command.find("aggregate")) {
      ++opened_;
    } else if (command.find("getMore")) {
      batch = "nextBatch";
      MutexLock lock(mutex_);
      changed_.wait_for(mutex_, std::stop_token(), scan_, [&]() REQUIRES(mutex_) { return ended_; });
    } else {
      if (command.find("killCursors")) ++killed_;
      return bson::Document::from_json(R"({"ok": 1})").value();
    }
    return bson::Document::from_json(std::string(R"({"cursor": {")") + batch +
                                     R"(": [], "postBatchResumeToken": {"_data": "8209"},
                                         "id": {"$numberLong": "5"}, "ns": "shop.orders"}, "ok": 1})")
        .value();
  }

  const milliseconds scan_;
  std::atomic<int> opened_{0};
  std::atomic<int> killed_{0};
  Mutex mutex_;
  CondVar changed_;
  bool ended_ GUARDED_BY(mutex_) = false;
  FakeServer server_;
};

std::unique_ptr<StreamSource> source_of(const std::string& uri, milliseconds max) {
  static PosixClock clock;
  SourceOptions options = options_for(uri);
  options.driver.socket_timeout = milliseconds(100);
  options.scan_timeout_max = max;
  return std::make_unique<StreamSource>(std::move(options), clock);
}

TEST(LongScan, IsGivenTwiceAsLongEachTimeUntilItComesToItsEnd) {
  Scanning server(milliseconds(500));
  const auto source = source_of(server.uri(), milliseconds(60'000));
  Result<SourceBatch> batch = fail(React::kRetry, "not read");
  int opens = 0;
  for (; opens < 12 && !batch; ++opens) {
    ASSERT_TRUE(source->open(at("8201"), {}));
    batch = source->read(milliseconds(10), {});
    if (batch) break;
    ASSERT_EQ(batch.error().react, React::kRetry) << batch.error().describe();
    EXPECT_THAT(batch.error().what, HasSubstr("scanning"));
    EXPECT_THAT(batch.error().hint, HasSubstr("socket_timeout"));
  }
  ASSERT_TRUE(batch) << batch.error().describe();
  EXPECT_EQ(batch->resume_after, at("8209"));
  EXPECT_EQ(server.killed(), server.opened() - 1)
      << "what was given up on is not left to scan beside the next";
}

TEST(LongScan, IsNotGivenMoreThanTheLimit) {
  Scanning server(milliseconds(60'000));
  const auto source = source_of(server.uri(), milliseconds(200));
  ASSERT_TRUE(source->open(at("8201"), {}));
  PosixClock clock;
  const Mono began = clock.now();
  for (int i = 0; i < 2; ++i) {
    const auto batch = source->read(milliseconds(10), {});
    ASSERT_FALSE(batch);
    ASSERT_EQ(batch.error().react, React::kRetry);
    ASSERT_TRUE(source->open(at("8201"), {}));
  }
  EXPECT_LT(clock.now() - began, std::chrono::seconds(30));
}

}  // namespace
}  // namespace tidemark::mongodb
