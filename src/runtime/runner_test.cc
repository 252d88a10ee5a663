#include "runtime/runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "env/posix/clock.h"
#include "runtime/shutdown.h"

namespace tidemark {
namespace {

using std::chrono::milliseconds;

Position at(int n) {
  bson::Builder token;
  token.append("_data", std::to_string(1000 + n));
  return Position(token.view());
}
int index_of(const Position& position) { return std::stoi(std::string(token_data(position.token()))) - 1000; }

// What the fakes share and the test looks at.
struct World {
  Mutex mutex;
  CondVar changed;
  int events GUARDED_BY(mutex) = 0;  // how many the source has
  std::vector<int> written GUARDED_BY(mutex);
  int saved GUARDED_BY(mutex) = 0;
  int opens GUARDED_BY(mutex) = 0;
  int opens_to_fail GUARDED_BY(mutex) = 0;
  int writes_to_fail GUARDED_BY(mutex) = 0;
  bool has_position GUARDED_BY(mutex) = true;
  std::function<void()> ready GUARDED_BY(mutex);
  std::vector<std::string> closed GUARDED_BY(mutex);

  bool wait_for(const std::function<bool()>& condition) EXCLUDES(mutex) {
    MutexLock lock(mutex);
    return changed.wait_for(mutex, {}, std::chrono::seconds(20), condition);
  }
};

class FakeSource final : public Source {
 public:
  explicit FakeSource(World& world) : world_(world) {}
  SourceIdentity identity() const override { return {"fp", "fake"}; }
  Result<Position> open(const Position& from, std::stop_token) override {
    MutexLock lock(world_.mutex);
    ++world_.opens;
    world_.changed.notify_all();
    if (world_.opens_to_fail > 0) {
      --world_.opens_to_fail;
      return fail(React::kRetry, "no primary");
    }
    next_ = index_of(from);
    return from;
  }
  Result<SourceBatch> read(milliseconds wait, std::stop_token stop) override {
    MutexLock lock(world_.mutex);
    world_.changed.wait_for(world_.mutex, stop, wait,
                            [this]() REQUIRES(world_.mutex) { return world_.events > next_; });
    auto batch = std::make_shared<EventBatch>();
    while (next_ < world_.events && batch->events().size() < 10) {
      Event event;
      event.id = batch->store(std::to_string(1000 + ++next_));
      event.op = Op::kInsert;
      event.key_hash = static_cast<uint64_t>(next_ % 5);
      batch->events().push_back(event);
    }
    return SourceBatch{batch, at(next_), false};
  }
  Result<Position> resolve(const StartPoint&, std::stop_token) override { return at(0); }
  Result<SourceHealth> health(std::stop_token) override { return SourceHealth{}; }
  void on_ready(std::function<void()> listener) override {
    MutexLock lock(world_.mutex);
    world_.ready = std::move(listener);
  }
  void close() override {
    MutexLock lock(world_.mutex);
    world_.closed.push_back("source");
  }

 private:
  World& world_;
  int next_ = 0;
};

class FakeSink final : public Sink {
 public:
  explicit FakeSink(World& world) : world_(world) {}
  Status open(std::stop_token) override { return {}; }
  WriteResult write(std::span<const Event> events, std::stop_token) override {
    MutexLock lock(world_.mutex);
    if (world_.writes_to_fail > 0) {
      --world_.writes_to_fail;
      return write_failed(Error{React::kRetry, "sink away"});
    }
    for (const Event& event : events) world_.written.push_back(std::stoi(std::string(event.id)) - 1000);
    world_.changed.notify_all();
    return {};
  }
  void close() override {
    MutexLock lock(world_.mutex);
    world_.closed.push_back("sink");
  }

 private:
  World& world_;
};

class FakeStore final : public PositionStore {
 public:
  explicit FakeStore(World& world) : world_(world) {}
  Result<std::optional<StoredPosition>> acquire(const PositionContext&, std::stop_token) override {
    MutexLock lock(world_.mutex);
    if (!world_.has_position) return std::optional<StoredPosition>();
    StoredPosition stored;
    stored.position = at(world_.saved);
    stored.fingerprint = "fp";
    return std::optional<StoredPosition>(stored);
  }
  Status save(const DurablePosition& position, std::stop_token) override {
    MutexLock lock(world_.mutex);
    world_.saved = index_of(position.get());
    world_.changed.notify_all();
    return {};
  }
  Result<std::optional<StoredPosition>> peek(const std::string&, std::stop_token stop) override {
    return acquire({}, stop);
  }
  Status erase(std::stop_token) override { return {}; }
  void release() override {
    MutexLock lock(world_.mutex);
    world_.closed.push_back("position");
  }
  std::string describe() const override { return "fake"; }

 private:
  World& world_;
};

class PipelineRunnerTest : public testing::Test {
 protected:
  PipelineParts parts(int lanes = 1) {
    PipelineParts parts;
    parts.name = "p";
    parts.limits.lanes = lanes;
    parts.limits.retry = {milliseconds(1), milliseconds(5)};
    parts.source = std::make_unique<FakeSource>(world);
    for (int i = 0; i < lanes; ++i) parts.lanes.push_back(std::make_unique<FakeSink>(world));
    parts.positions = std::make_unique<FakeStore>(world);
    return parts;
  }
  void emit(int total) {
    MutexLock lock(world.mutex);
    world.events = total;
    world.changed.notify_all();
  }
  bool saved_up_to(int n) {
    return world.wait_for([this, n]() REQUIRES(world.mutex) { return world.saved >= n; });
  }

  World world;
  PosixClock clock;
  SeededRandom random{1};
};

TEST_F(PipelineRunnerTest, CarriesEveryEventAndSavesThePositionBehindIt) {
  PipelineRunner runner(parts(), clock, random);
  runner.start();
  emit(100);
  ASSERT_TRUE(saved_up_to(100));
  runner.request_stop();
  EXPECT_FALSE(runner.join());
  MutexLock lock(world.mutex);
  std::vector<int> expected(100);
  for (int i = 0; i < 100; ++i) expected[static_cast<size_t>(i)] = i + 1;
  EXPECT_EQ(world.written, expected);
}

TEST_F(PipelineRunnerTest, LosesNothingWithFourLanesAndAFailingSink) {
  {
    MutexLock lock(world.mutex);
    world.writes_to_fail = 7;
    world.opens_to_fail = 2;
  }
  PipelineRunner runner(parts(4), clock, random);
  runner.start();
  emit(500);
  ASSERT_TRUE(saved_up_to(500));
  runner.request_stop();
  EXPECT_FALSE(runner.join());
  EXPECT_GE(runner.status().sink_retries, 7u);
  MutexLock lock(world.mutex);
  std::vector<int> sorted = world.written;
  std::sort(sorted.begin(), sorted.end());
  EXPECT_EQ(sorted.size(), 500u);
  EXPECT_EQ(std::unique(sorted.begin(), sorted.end()), sorted.end());
}

TEST_F(PipelineRunnerTest, OpensAtOnceWhenANewPrimaryIsAnnounced) {
  PipelineParts slow = parts();
  slow.limits.retry = {std::chrono::hours(1), std::chrono::hours(1)};
  {
    MutexLock lock(world.mutex);
    world.opens_to_fail = 1;
  }
  PipelineRunner runner(std::move(slow), clock, random);
  runner.start();
  ASSERT_TRUE(world.wait_for([this]() REQUIRES(world.mutex) { return world.opens == 1; }));
  std::function<void()> ready;
  {
    MutexLock lock(world.mutex);
    ready = world.ready;
  }
  ready();
  emit(1);
  EXPECT_TRUE(saved_up_to(1));
}

TEST_F(PipelineRunnerTest, EndsWithAConfigurationErrorWithoutAPosition) {
  {
    MutexLock lock(world.mutex);
    world.has_position = false;
  }
  PipelineRunner runner(parts(), clock, random);
  runner.start();
  const auto error = runner.join();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->react, React::kConfig);
}

TEST_F(PipelineRunnerTest, ClosesSourceSinkAndPositionInThatOrder) {
  PipelineRunner runner(parts(), clock, random);
  runner.start();
  runner.request_stop();
  runner.join();
  MutexLock lock(world.mutex);
  EXPECT_THAT(world.closed, testing::ElementsAre("source", "sink", "position"));
}

TEST_F(PipelineRunnerTest, TellsItsObserverThatAWriteComesBeforeItsSave) {
  Mutex mutex;
  std::vector<LoopPoint> points;
  PipelineRunner runner(parts(), clock, random, [&](LoopPoint point) {
    MutexLock lock(mutex);
    if (point != LoopPoint::kRead) points.push_back(point);
  });
  runner.start();
  emit(1);
  ASSERT_TRUE(saved_up_to(1));
  runner.request_stop();
  runner.join();
  MutexLock lock(mutex);
  EXPECT_THAT(points,
              testing::ElementsAre(LoopPoint::kOpened, LoopPoint::kBeforeWrite, LoopPoint::kAfterWrite,
                                   LoopPoint::kBeforeSave, LoopPoint::kAfterSave));
}

class DropOdd final : public Transform {
 public:
  Result<Verdict> apply(Event& event, EventBatch&) const override {
    if (event.id == "1006") return fail(React::kReject, "no sixes");
    return std::stoi(std::string(event.id)) % 2 == 0 ? Verdict::kKeep : Verdict::kDrop;
  }
};

TEST_F(PipelineRunnerTest, DropsWhatATransformFiltersAndStopsAtWhatItRejects) {
  PipelineParts filtered = parts();
  filtered.transforms.push_back(std::make_unique<DropOdd>());
  PipelineRunner runner(std::move(filtered), clock, random);
  runner.start();
  emit(5);
  ASSERT_TRUE(saved_up_to(5));
  emit(6);
  const auto error = runner.join();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->react, React::kReject);
  EXPECT_THAT(error->what, testing::HasSubstr("no sixes"));
  MutexLock lock(world.mutex);
  EXPECT_THAT(world.written, testing::ElementsAre(2, 4));
  EXPECT_EQ(runner.events_filtered(), 3u);
}

TEST(ShutdownSequence, RunsEveryStepOnceInOrder) {
  std::vector<int> order;
  ShutdownSequence sequence("p");
  sequence.add({"first", "because", [&] { order.push_back(1); }});
  sequence.add({"second", "because", [&] { order.push_back(2); }});
  sequence.run();
  EXPECT_THAT(order, testing::ElementsAre(1, 2));
}

}  // namespace
}  // namespace tidemark
