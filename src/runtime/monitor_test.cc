#include "runtime/monitor.h"

#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "env/posix/clock.h"

namespace tidemark {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

constexpr std::chrono::seconds kPatience{20};

// A change stream token for a cluster time: 0x82, then seconds and increment, big-endian.
Position token(uint32_t seconds) {
  bson::Builder builder;
  builder.append("_data", fmt::format("82{:08X}00000001", seconds));
  return Position(builder.view());
}

struct World {
  Mutex mutex;
  CondVar changed;
  Result<SourceHealth> health GUARDED_BY(mutex) = SourceHealth{};
  uint32_t mark GUARDED_BY(mutex) = 1000;  // the newest high-water mark
  bool events GUARDED_BY(mutex) = false;
  uint64_t left_out GUARDED_BY(mutex) = 0;  // told with the next batch
};

// A quiet stream whose marks the test moves.
class QuietSource final : public Source {
 public:
  explicit QuietSource(World& world) : world_(world) {}
  SourceIdentity identity() const override { return {"fp", "shop.orders"}; }
  Result<Position> open(const Position& from, std::stop_token) override { return from; }
  Result<SourceBatch> read(milliseconds wait, std::stop_token stop) override {
    MutexLock lock(world_.mutex);
    world_.changed.wait_for(world_.mutex, stop, wait, [this]() REQUIRES(world_.mutex) {
      return world_.events || world_.mark != mark_;
    });
    mark_ = world_.mark;
    auto batch = std::make_shared<EventBatch>();
    if (std::exchange(world_.events, false)) batch->events().resize(7);
    return SourceBatch{batch, token(mark_), false, {}, std::exchange(world_.left_out, 0)};
  }
  Result<Position> resolve(const StartPoint&, std::stop_token) override { return token(1000); }
  Result<SourceHealth> health(std::stop_token) override {
    MutexLock lock(world_.mutex);
    return world_.health;
  }
  void on_ready(std::function<void()>) override {}
  void close() override {}

 private:
  World& world_;
  uint32_t mark_ = 1000;
};

struct CountingSink final : Sink {
  Status open(std::stop_token) override { return {}; }
  WriteResult write(std::span<const Event>, std::stop_token) override { return {}; }
  void close() override {}
  std::optional<uint64_t> wal_bytes() const override { return 4096; }
};

struct MemoryStore final : PositionStore {
  Result<std::optional<StoredPosition>> acquire(const PositionContext& context, std::stop_token) override {
    StoredPosition stored;
    stored.position = token(1000);
    stored.fingerprint = context.fingerprint;
    stored.deployment = context.deployment;
    return stored;
  }
  Status save(const DurablePosition&, std::stop_token) override { return {}; }
  Result<std::optional<StoredPosition>> peek(const std::string&, std::stop_token stop) override {
    return acquire({}, stop);
  }
  Status erase(std::stop_token) override { return {}; }
  void release() override {}
  std::string describe() const override { return "memory"; }
};

class MonitorTest : public ::testing::Test {
 protected:
  MonitorTest() {
    PipelineParts parts;
    parts.name = "orders";
    parts.limits.read_wait = milliseconds(20);
    parts.limits.idle_save = milliseconds(20);
    parts.source = std::make_unique<QuietSource>(world_);
    parts.lanes.push_back(std::make_unique<CountingSink>());
    parts.positions = std::make_unique<MemoryStore>();
    runner_ = std::make_unique<PipelineRunner>(std::move(parts), clock_, random_);
    Monitor::Subject subject{runner_.get(), "mongodb", "sqlite", [this](std::stop_token) -> Result<uint64_t> {
                               if (letters_lost_) return fail(React::kConfig, "the letters are gone");
                               return letters_.load();
                             }};
    monitor_ = std::make_unique<Monitor>(std::vector{subject}, clock_,
                                         Monitor::Pace{milliseconds(20), milliseconds(20)});
  }
  void start() {
    runner_->start();
    monitor_->start();
  }
  void deployment_is_at(uint32_t oldest, uint32_t latest) {
    MutexLock lock(world_.mutex);
    world_.health =
        SourceHealth{.latest = {latest, 1}, .oldest = {oldest, 1}, .deployment = "", .server = "s 7"};
  }
  void move_mark(uint32_t seconds) {
    MutexLock lock(world_.mutex);
    world_.mark = seconds;
    world_.changed.notify_all();
  }
  // Waits until what the monitor shows fits.
  ::testing::AssertionResult shows(const std::function<bool(const PipelineView&)>& fits) {
    const Mono deadline = clock_.now() + kPatience;
    PipelineView view;
    do {
      view = monitor_->views().front();
      if (fits(view)) return ::testing::AssertionSuccess();
      std::this_thread::yield();
    } while (clock_.now() < deadline);
    return ::testing::AssertionFailure() << view.state << " lag " << view.lag_s.value_or(-1) << " window "
                                         << view.oplog_window_left_s.value_or(-1) << " " << view.not_ready;
  }

  World world_;
  PosixClock clock_;
  SeededRandom random_{1};
  std::atomic<uint64_t> letters_ = 0;
  std::atomic<bool> letters_lost_ = false;
  std::unique_ptr<PipelineRunner> runner_;
  std::unique_ptr<Monitor> monitor_;
};

TEST_F(MonitorTest, ShowsLagAndTheOplogWindowThatIsLeft) {
  deployment_is_at(400, 1200);
  start();
  EXPECT_TRUE(shows([](const PipelineView& view) {
    return view.state == "streaming" && view.lag_s == 200 && view.oplog_window_left_s == 600 &&
           view.server == "s 7" && view.plane == Plane::kRelay && view.source == "shop.orders";
  }));
  move_mark(1200);
  EXPECT_TRUE(shows([](const PipelineView& view) {
    return view.lag_s == 0 && view.oplog_window_left_s == 800 && view.position_age_s.has_value();
  }));
}

// The fault that a green dot hides: the server answers, the deployment moves on, and the stream stands still.
TEST_F(MonitorTest, IsNotReadyWhileThePositionStandsStillAndTheDeploymentMovesOn) {
  deployment_is_at(400, 1000);
  start();
  EXPECT_TRUE(shows([](const PipelineView& view) { return view.ready; }));
  deployment_is_at(400, 1100);
  EXPECT_TRUE(shows([](const PipelineView& view) {
    return !view.ready && view.not_ready.find("stands still") != std::string::npos;
  }));
  move_mark(1100);
  EXPECT_TRUE(shows([](const PipelineView& view) { return view.ready; }));
}

TEST_F(MonitorTest, SaysWhenTheDeploymentDoesNotAnswer) {
  deployment_is_at(400, 1000);
  start();
  EXPECT_TRUE(shows([](const PipelineView& view) { return view.ready; }));
  {
    MutexLock lock(world_.mutex);
    world_.health = fail(React::kRetry, "no primary");
  }
  EXPECT_TRUE(shows([](const PipelineView& view) {
    return !view.ready && view.not_ready.find("no primary") != std::string::npos && !view.lag_s;
  }));
}

TEST_F(MonitorTest, CountsEventsWritesAndDeadLetters) {
  letters_ = 3;
  start();
  {
    MutexLock lock(world_.mutex);
    world_.events = true;
    world_.changed.notify_all();
  }
  EXPECT_TRUE(shows([](const PipelineView& view) {
    const auto& counts = view.write_latency.counts;
    return view.events_delivered == 7 && view.dead_letters == 3u &&
           std::accumulate(counts.begin(), counts.end(), uint64_t{0}) == 1 && view.rate_by_s.size() > 1;
  }));
}

TEST_F(MonitorTest, CountsWhatTheSourceLeftOutAndTheBytesOfTheDestinationsLog) {
  start();
  {
    MutexLock lock(world_.mutex);
    world_.left_out = 3;
    world_.events = true;
    world_.changed.notify_all();
  }
  EXPECT_TRUE(shows([](const PipelineView& view) {
    return view.events_left_out == 3 && view.events_read == 7 && view.sqlite_wal_bytes == 4096u;
  }));
}

TEST_F(MonitorTest, LettersThatCanNotBeCountedAreUnknownAndNotAsManyAsBefore) {
  letters_ = 3;
  start();
  EXPECT_TRUE(shows([](const PipelineView& view) { return view.dead_letters == 3u; }));
  letters_lost_ = true;
  EXPECT_TRUE(shows([](const PipelineView& view) { return !view.dead_letters; }));
}

}  // namespace
}  // namespace tidemark
