// A relay that runs in this process, and the guard beside it with its defaults, its time in the test's hands.
//
// One tick is one interval of the guard's time (10 s): the deployment moves on, the clock goes ahead, the guard looks. A
// failure has to be named within the two intervals after its rule's limit was passed, whatever time that takes here.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "app/app.h"
#include "app/guard_parts.h"
#include "base/mutex.h"
#include "e2e/relay.h"
#include "env/clock.h"
#include "guard/notifier.h"
#include "guard/rules.h"
#include "guard/watch.h"
#include "runtime/monitor.h"
#include "runtime/runner.h"

namespace tidemark::detection {

using guard::RuleId;

// Time that passes because somebody waits for it. Civil time can be made to jump. Thread-safe.
class SteppedClock final : public Clock {
 public:
  Mono now() const override EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return now_;
  }
  WallMs wall_ms() const override EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return wall_ms_;
  }
  bool sleep_until(Mono deadline, std::stop_token stop) override EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    if (deadline > now_) step(deadline - now_);
    return !stop.stop_requested();
  }
  void advance(std::chrono::nanoseconds by) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    step(by);
  }
  void jump(std::chrono::milliseconds by) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    wall_ms_ += by.count();
  }

 private:
  void step(std::chrono::nanoseconds by) REQUIRES(mutex_) {
    now_ += by;
    wall_ms_ += std::chrono::duration_cast<std::chrono::milliseconds>(by).count();
  }

  mutable Mutex mutex_;
  Mono now_ GUARDED_BY(mutex_) = Mono(std::chrono::hours(1));
  WallMs wall_ms_ GUARDED_BY(mutex_) = 1'790'000'000'000;
};

class Detection : public e2e::EndToEnd {
 protected:
  static constexpr std::chrono::milliseconds kInterval{10'000};

  void SetUp() override;
  void TearDown() override;

  // Writes and reads the configuration, setup_'s or toml_; the relay and the guard are made from it. Once a test.
  void load();
  const config::PipelineConfig& pipeline() const { return file_->pipelines[0]; }

  // load(), a position at now, a relay. `twist` may put decorators around its parts.
  void start_relay(const std::function<void(PipelineParts&)>& twist = nullptr);
  // A second one for the same file after stop_relay().
  void restart_relay(const std::function<void(PipelineParts&)>& twist = nullptr);
  void stop_relay();
  // The cursor dies and no other is given in its place; what other clients ask is answered. Returns once the relay knows.
  void refuse_streams();
  // The destination holds this many rows.
  void await_rows(int64_t count);
  // The stored position has passed what the deployment has committed by now.
  void await_caught_up();

  enum class See { kOutsideAlone, kInsideToo };
  // Looks from outside, and with what the runtime says where the pipeline runs in the guard's process.
  void start_guard(See see = See::kInsideToo);
  // One interval in which all is well: whatever was written has been carried.
  void healthy_tick();
  // One interval, whatever the relay does.
  void tick();
  // The audit of the file's pipeline, by checksum, and the look that judges it.
  void audit();

  // The rule fires within two intervals of its limit, and it alone unless `besides` allows others.
  void expect_flagged(RuleId rule, const std::set<RuleId>& besides = {});
  // Resolves within the same patience.
  void expect_resolved(RuleId rule);
  // Nothing has fired so far.
  void expect_silence() const;
  bool firing(RuleId rule) const;

  guard::Signals look();
  void sql(const std::string& statement);
  std::string path(const std::string& name) const { return folder_.file(name); }
  void write_orders(int first, int count);

  std::string toml_;  // a whole configuration in place of setup_
  SteppedClock clock_;
  SignalWaiter signals_{SIGUSR2};
  app::App app_{signals_};
  std::optional<config::File> file_;
  std::unique_ptr<SeededRandom> random_;
  std::unique_ptr<PipelineRunner> relay_;
  std::unique_ptr<Monitor> monitor_;
  std::function<std::optional<StatsView>()> stats_;
  std::function<void(guard::AuditParts&)> twist_audit_;  // may put decorators around its ends
  std::unique_ptr<guard::Watch> watch_;

 private:
  class Recorder final : public guard::Notifier {
   public:
    void notify(const guard::AlertView& alert) override EXCLUDES(mutex_) {
      MutexLock lock(mutex_);
      if (alert.firing) fired_.push_back(alert);
    }
    std::vector<guard::AlertView> fired() const EXCLUDES(mutex_) {
      MutexLock lock(mutex_);
      return fired_;
    }

   private:
    mutable Mutex mutex_;
    std::vector<guard::AlertView> fired_ GUARDED_BY(mutex_);
  };

  // Empty where there is none, or none can be read.
  Position stored_position();
  static std::string named(const std::string& uri);
  uint64_t retry_count() const;
  int patience_of(RuleId rule) const;
  std::string fired_text() const;

  Recorder recorder_;
  guard::Look look_;
  int beats_ = 0;
  int ticks_ = 0;
};

}  // namespace tidemark::detection
