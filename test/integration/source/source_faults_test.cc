// The source while its replica set breaks: nothing is lost, nothing comes twice, and the wait ends with the fault.
#include <chrono>
#include <set>
#include <thread>

#include <gmock/gmock.h>

#include "base/mutex.h"
#include "integration/source/stream_fixture.h"

namespace tidemark::testing {
namespace {

using ::testing::ElementsAre;

// These tests end elections and kill members, so each has a replica set of its own.
class SourceFaults : public StreamTest {
 protected:
  static void SetUpTestSuite() {}
  static void TearDownTestSuite() {}
  void SetUp() override {
    auto started =
        ReplicaSet::start({.members = 3, .sandbox_args = {"--election-ms", "300"}, .sandbox_only = true});
    if (!started) GTEST_SKIP() << started.error().describe();
    set_ = std::move(*started);
    mongo_ = std::make_unique<Mongo>(set_->uri());
    collection_ = "orders";
    insert(0);
  }
  void TearDown() override { StreamTest::TearDownTestSuite(); }

  // Reads until the documents 1..last have come, opening again after any fault that may pass, as the pipeline would.
  // Returns the ids in the order they came.
  static std::vector<int64_t> follow(Source& stream, Position position, int64_t last) {
    std::vector<int64_t> ids;
    bool open = true;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (std::chrono::steady_clock::now() < deadline && (ids.empty() || ids.back() < last)) {
      if (!open) {
        const auto opened = stream.open(position, {});
        if (!opened) {
          EXPECT_EQ(opened.error().react, React::kRetry) << opened.error().describe();
          if (opened.error().react != React::kRetry) break;
          continue;
        }
        open = true;
      }
      const auto batch = stream.read(std::chrono::milliseconds(200), {});
      if (!batch) {
        EXPECT_EQ(batch.error().react, React::kRetry) << batch.error().describe();
        if (batch.error().react != React::kRetry) break;
        open = false;
        continue;
      }
      for (const Event& event : batch->events->events()) ids.push_back(*event.key.find("_id")->integer());
      position = batch->resume_after;
    }
    return ids;
  }

  // Writes 1..count while `fault` is done in the middle; every insert is acknowledged by the majority.
  template <class Fault>
  std::vector<int64_t> writes_through(Fault fault, int count = 60) {
    auto stream = source();
    const Position start = *stream->resolve({}, {});
    EXPECT_TRUE(stream->open(start, {}));
    std::jthread writer([&] {
      Mongo client(set_->uri() + "&socketTimeoutMS=2000");  // a frozen member would hold it for minutes
      for (int i = 1; i <= count; ++i) {
        if (i == count / 3) fault(client);
        const std::string document = R"({"_id": )" + std::to_string(i) + "}";
        for (int tries = 0; tries < 200; ++tries) {
          const auto written = client.insert(database(), collection_, document);
          if (written || written.error().code == 11000) break;
        }
      }
    });
    return follow(*stream, start, count);
  }

  static void expect_each_once(const std::vector<int64_t>& ids, int64_t count) {
    EXPECT_EQ(ids.size(), static_cast<size_t>(count));
    for (size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(ids[i], static_cast<int64_t>(i) + 1);
  }
};

TEST_F(SourceFaults, AStepDownLosesAndRepeatsNothing) {
  const auto ids = writes_through(
      [](Mongo& client) { (void)client.run("admin", R"({"sandbox": "stepDown", "seconds": 5})"); });
  expect_each_once(ids, 60);
}

TEST_F(SourceFaults, AKilledPrimaryLosesAndRepeatsNothing) {
  const auto ids = writes_through(
      [](Mongo& client) { (void)client.run("admin", R"({"sandbox": "kill", "member": "primary"})"); });
  expect_each_once(ids, 60);
}

TEST_F(SourceFaults, AFrozenPrimaryIsLeftAsSoonAsThereIsAnother) {
  // A client of a single member, because the primary can't answer for its own freezing.
  const auto status = ok(mongo().run("admin", R"({"sandbox": "status"})"));
  int primary = -1;
  std::string other;
  for (const bson::Element member : status.view().find("members")->document()) {
    const bool is_primary = member.document().find("primary")->truthy();
    if (is_primary) primary = static_cast<int>(*member.document().find("member")->integer());
    if (!is_primary) other = member.document().find("address")->string();
  }
  Mongo bystander("mongodb://" + other + "/?directConnection=true");
  const auto began = std::chrono::steady_clock::now();
  const auto ids = writes_through([&](Mongo&) {
    ok(bystander.run("admin", R"({"sandbox": "pause", "member": )" + std::to_string(primary) + "}"));
  });
  expect_each_once(ids, 60);
  // The socket's own timeout is two minutes.
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(25));
  ok(bystander.run("admin", R"({"sandbox": "resume", "member": )" + std::to_string(primary) + "}"));
}

TEST_F(SourceFaults, DeadCursorsAreOpenedAgain) {
  const auto ids = writes_through([](Mongo& client) {
    for (int i = 0; i < 5; ++i) (void)client.run("admin", R"({"sandbox": "killCursors"})");
  });
  expect_each_once(ids, 60);
}

TEST_F(SourceFaults, EveryPassingErrorIsResumedWithoutALoss) {
  for (const int code :
       {43, 91, 189, 10107, 11600, 11602, 13435, 6, 7, 89, 9001, 262, 63, 150, 13388, 133, 234, 237}) {
    SCOPED_TRACE(code);
    auto stream = open_source();
    ok(mongo().run("admin",
                   R"({"sandbox": "failStream", "errorCode": )" + std::to_string(code) + R"(, "times": 1})"));
    static int id = 1000;
    insert(++id);
    const Seen seen = read(*stream, 1);
    ASSERT_EQ(seen.events.size(), 1u);
    EXPECT_EQ(*seen.events[0].key.find("_id")->integer(), id);
    stream->close();
  }
}

TEST_F(SourceFaults, TerminalErrorsAreNeverResumed) {
  for (const auto& [code, react] : std::vector<std::pair<int, React>>{{286, React::kPositionLost},
                                                                      {280, React::kPositionLost},
                                                                      {136, React::kPositionLost},
                                                                      {13, React::kDenied}}) {
    SCOPED_TRACE(code);
    auto stream = open_source();
    ok(mongo().run("admin",
                   R"({"sandbox": "failStream", "errorCode": )" + std::to_string(code) + R"(, "times": 1})"));
    Result<SourceBatch> batch = stream->read(std::chrono::milliseconds(200), {});
    if (batch) batch = stream->read(std::chrono::milliseconds(200), {});
    ASSERT_FALSE(batch);
    EXPECT_EQ(batch.error().react, react) << batch.error().describe();
    stream->close();
  }
}

TEST_F(SourceFaults, ATruncatedOplogIsAPositionLost) {
  auto stream = source();
  const Position old = *stream->resolve({}, {});
  for (int i = 1; i <= 20; ++i) insert(i);
  ok(mongo().run("admin", R"({"sandbox": "truncateOplog", "keep": 1})"));
  const auto opened = stream->open(old, {});
  const auto batch =
      opened ? stream->read(std::chrono::milliseconds(200), {}) : Result<SourceBatch>(fail(opened.error()));
  ASSERT_FALSE(batch);
  EXPECT_EQ(batch.error().react, React::kPositionLost) << batch.error().describe();

  const auto position = stream->resolve({StartPoint::Kind::kTime, old.cluster_time(), ""}, {});
  ASSERT_FALSE(position);
  EXPECT_EQ(position.error().react, React::kConfig) << position.error().describe();
  EXPECT_TRUE(stream->resolve({StartPoint::Kind::kEarliest, {}, ""}, {}));
}

TEST_F(SourceFaults, ANewPrimaryIsAnnounced) {
  Mutex mutex;
  CondVar changed;
  int announced = 0;
  auto stream = source();
  stream->on_ready([&] {
    MutexLock lock(mutex);
    ++announced;
    changed.notify_all();
  });
  ASSERT_TRUE(stream->open(*stream->resolve({}, {}), {}));
  int before = 0;
  {
    MutexLock lock(mutex);
    before = announced;
  }
  // The member that answers may be the one that dies.
  (void)mongo().run("admin", R"({"sandbox": "kill", "member": "primary"})");
  MutexLock lock(mutex);
  const bool seen = changed.wait_for(mutex, std::stop_token(), std::chrono::seconds(10),
                                     [&]() REQUIRES(mutex) { return announced > before; });
  EXPECT_TRUE(seen);
}

TEST_F(SourceFaults, StopEndsAWaitingReadAtOnce) {
  auto stream = open_source();
  std::stop_source stop;
  const auto began = std::chrono::steady_clock::now();
  std::jthread stopper([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    stop.request_stop();
  });
  Result<SourceBatch> batch = SourceBatch{};
  while (batch) batch = stream->read(std::chrono::seconds(60), stop.get_token());
  EXPECT_EQ(batch.error().react, React::kCancelled);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(30)) << "not the wait's end";
}

}  // namespace
}  // namespace tidemark::testing
