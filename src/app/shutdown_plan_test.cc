#include "app/shutdown_plan.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "env/posix/clock.h"

namespace tidemark::app {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::chrono::seconds kPatience{20};

// A queue with one message, a client that waits for its answer, and the places where the two end up.
struct World {
  Mutex mutex;
  CondVar changed;
  bool offered GUARDED_BY(mutex) = false;   // the event was handed to the pipeline
  bool connected GUARDED_BY(mutex) = true;  // to the broker: without it an acknowledgement is lost
  bool write_may_go_on GUARDED_BY(mutex) = false;
  bool writing GUARDED_BY(mutex) = false;
  int stored GUARDED_BY(mutex) = 0;
  int acknowledged GUARDED_BY(mutex) = 0;
  std::vector<std::string> seen GUARDED_BY(mutex);

  void set(bool World::*what, bool value) EXCLUDES(mutex) {
    MutexLock lock(mutex);
    this->*what = value;
    changed.notify_all();
  }
  bool wait_for(const std::function<bool()>& condition) EXCLUDES(mutex) {
    MutexLock lock(mutex);
    return changed.wait_for(mutex, {}, kPatience, condition);
  }
};

Position token(const char* text) {
  bson::Builder builder;
  builder.append("_data", text);
  return Position(builder.view());
}

// One event, which counts as done once it is acknowledged.
class OneEvent final : public Source, public PositionStore {
 public:
  explicit OneEvent(World& world) : world_(world) {}
  SourceIdentity identity() const override { return {"fp", "one event"}; }
  Result<Position> open(const Position&, std::stop_token) override { return token("0"); }
  Result<SourceBatch> read(std::chrono::milliseconds wait, std::stop_token stop) override {
    MutexLock lock(world_.mutex);
    auto batch = std::make_shared<EventBatch>();
    if (std::exchange(world_.offered, true)) {
      world_.changed.wait_for(world_.mutex, stop, wait, [] { return false; });
      return SourceBatch{batch, token("1"), false};
    }
    Event event;
    event.id = "only";
    event.op = Op::kInsert;
    batch->events().push_back(event);
    return SourceBatch{batch, token("1"), false};
  }
  Result<Position> resolve(const StartPoint&, std::stop_token) override { return token("0"); }
  Result<SourceHealth> health(std::stop_token) override { return SourceHealth{}; }
  void on_ready(std::function<void()>) override {}
  PositionStore* own_positions() override { return this; }
  void stop_delivery() override { note("delivery stopped"); }
  void close() override { note("source closed"); }

  Result<std::optional<StoredPosition>> acquire(const PositionContext& context, std::stop_token) override {
    StoredPosition stored;
    stored.fingerprint = context.fingerprint;
    stored.deployment = context.deployment;
    return stored;
  }
  Status save(const DurablePosition& position, std::stop_token) override {
    MutexLock lock(world_.mutex);
    if (world_.connected && position.get() == token("1")) ++world_.acknowledged;
    world_.changed.notify_all();
    return {};
  }
  Result<std::optional<StoredPosition>> peek(const std::string&, std::stop_token) override {
    return std::optional<StoredPosition>();
  }
  Status erase(std::stop_token) override { return {}; }
  void release() override {}
  std::string describe() const override { return "acknowledgements"; }

 private:
  void note(const char* what) {
    MutexLock lock(world_.mutex);
    world_.seen.push_back(what);
  }
  World& world_;
};

// Holds every write until the world lets it go; a write without a connection fails.
class HeldSink final : public Sink {
 public:
  HeldSink(World& world, bool needs_connection) : world_(world), needs_connection_(needs_connection) {}
  Status open(std::stop_token) override { return {}; }
  WriteResult write(std::span<const Event> events, std::stop_token) override {
    MutexLock lock(world_.mutex);
    world_.writing = true;
    world_.changed.notify_all();
    world_.changed.wait_for(world_.mutex, {}, kPatience,
                            [this]() REQUIRES(world_.mutex) { return world_.write_may_go_on; });
    if (needs_connection_ && !world_.connected)
      return write_failed(Error{React::kRetry, "the connection is closed"});
    world_.stored += static_cast<int>(events.size());
    return {};
  }
  void close() override {
    MutexLock lock(world_.mutex);
    world_.seen.push_back("sink closed");
  }

 private:
  World& world_;
  const bool needs_connection_;
};

class ShutdownPlan : public ::testing::Test {
 protected:
  // A pipeline whose one write is under way.
  void begin(const std::string& source_type, const std::string& sink_type) {
    PipelineParts parts;
    parts.name = "p";
    parts.limits.drain_timeout = kPatience;
    parts.source = std::make_unique<OneEvent>(world_);
    parts.lanes.push_back(std::make_unique<HeldSink>(world_, sink_type == "rabbitmq"));
    runner_ = std::make_unique<PipelineRunner>(std::move(parts), clock_, random_);
    planned_ = {{runner_.get(), source_type, sink_type}};
    runner_->start();
    ASSERT_TRUE(world_.wait_for([this]() REQUIRES(world_.mutex) { return world_.writing; }));
  }

  // Runs the plan with two of its steps (counted from 1) in each other's place. The writes go on when the step that waits
  // for them begins, and the broker's connection ends with the step that closes it.
  void shut_down(size_t a, size_t b) {
    PlannedHooks hooks;
    hooks.stop_accepting = [this] {
      world_.set(&World::write_may_go_on, true);
      // A request in flight is over once it is acknowledged, or can no longer be.
      world_.wait_for([this]() REQUIRES(world_.mutex) {
        return world_.acknowledged > 0 || !world_.connected || planned_[0].source_type != "http";
      });
    };
    const ShutdownSequence plan = plan_shutdown(planned_, hooks);
    std::vector<ShutdownSequence::Step> steps = plan.steps();
    const auto around = [&](size_t step, std::function<void()> before) {
      steps[step - 1].run = [before, run = steps[step - 1].run] {
        before();
        run();
      };
    };
    if (planned_[0].source_type != "http") {
      steps[0].run = [] {};
      around(3, [this] { world_.set(&World::write_may_go_on, true); });
    }
    around(6, [this] { world_.set(&World::connected, false); });
    std::swap(steps[a - 1], steps[b - 1]);
    ShutdownSequence swapped("test");
    for (auto& step : steps) swapped.add(step);
    swapped.run();
    runner_->join();
  }

  World world_;
  PosixClock clock_;
  SeededRandom random_{1};
  std::unique_ptr<PipelineRunner> runner_;
  std::vector<PlannedPipeline> planned_;
};

TEST_F(ShutdownPlan, AcknowledgesWhatWasInFlightAndClosesInOrder) {
  begin("rabbitmq", "mongodb");
  shut_down(1, 1);
  MutexLock lock(world_.mutex);
  EXPECT_EQ(world_.stored, 1);
  EXPECT_EQ(world_.acknowledged, 1);
  EXPECT_THAT(world_.seen, ElementsAre("delivery stopped", "sink closed", "source closed"));
}

// What ADR 0019 says would break: the message is stored, its acknowledgement lost, and it comes a second time.
TEST_F(ShutdownPlan, WithTheBrokersConnectionClosedBeforeTheWaitStoresWithoutAcknowledging) {
  begin("rabbitmq", "mongodb");
  shut_down(3, 6);
  MutexLock lock(world_.mutex);
  EXPECT_EQ(world_.stored, 1);
  EXPECT_EQ(world_.acknowledged, 0);
}

TEST_F(ShutdownPlan, AnswersTheRequestInFlightBeforeTheBrokerIsLeft) {
  begin("http", "rabbitmq");
  shut_down(1, 1);
  MutexLock lock(world_.mutex);
  EXPECT_EQ(world_.stored, 1);
  EXPECT_EQ(world_.acknowledged, 1);
}

TEST_F(ShutdownPlan, WithTheBrokerLeftBeforeTheRequestsAreAnsweredBreaksWhatTheyWereAboutToBePromised) {
  begin("http", "rabbitmq");
  shut_down(1, 6);
  MutexLock lock(world_.mutex);
  EXPECT_EQ(world_.acknowledged, 0);
}

// The guard looks at the pipeline from beside it, for the last time when it is silenced.
class ShutdownPlanWithAGuard : public ShutdownPlan {
 protected:
  // How many alerts it raised, with the guard's step in the place of step `n` of the others (counted from 1).
  int alerts_when_silenced_as_step(size_t n) {
    begin("mongodb", "sqlite");
    world_.set(&World::write_may_go_on, true);
    int alerts = 0;
    PlannedHooks hooks;
    hooks.silence_guard = [&] { alerts += runner_->finished() ? 1 : 0; };
    std::vector<ShutdownSequence::Step> steps = plan_shutdown(planned_, hooks).steps();
    std::rotate(steps.begin(), steps.begin() + 1, steps.begin() + static_cast<ptrdiff_t>(n));
    ShutdownSequence moved("test");
    for (auto& step : steps) moved.add(step);
    moved.run();
    runner_->join();
    return alerts;
  }
};

TEST_F(ShutdownPlanWithAGuard, RaisesNothingBecauseOfTheShutdown) {
  EXPECT_EQ(alerts_when_silenced_as_step(1), 0);
}

TEST_F(ShutdownPlanWithAGuard, SilencedAfterThePipelinesTakesTheirEndForAFailure) {
  EXPECT_EQ(alerts_when_silenced_as_step(6), 1);
}

TEST(ShutdownPlanSteps, HaveTheGuardBeforeThem) {
  PlannedHooks hooks;
  hooks.silence_guard = [] {};
  const ShutdownSequence plan = plan_shutdown({}, hooks);
  ASSERT_EQ(plan.steps().size(), 8u);
  EXPECT_EQ(plan.steps().front().name, "silence the guard");
  EXPECT_THAT(plan.steps().front().breaks_if_moved, HasSubstr("later"));
}

TEST(ShutdownPlanSteps, AreSevenAndEachSaysWhatBreaksElsewhere) {
  const ShutdownSequence plan = plan_shutdown({}, {});
  ASSERT_EQ(plan.steps().size(), 7u);
  for (const auto& step : plan.steps()) {
    EXPECT_FALSE(step.name.empty());
    EXPECT_THAT(step.breaks_if_moved,
                ::testing::AnyOf(HasSubstr("later"), HasSubstr("earlier"), HasSubstr("after")));
  }
}

}  // namespace
}  // namespace tidemark::app
