// PipelineCore under a seeded world in which everything fails: reads, opens, writes (in part, or with an
// outcome nobody knows), saves, dead letters, and the process itself. After every step the invariants of
// docs/delivery.md are checked; once the faults end, every event must have arrived.
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "core/pipeline_core.h"

namespace tidemark {
namespace {

using std::chrono::milliseconds;

constexpr int kEvents = 120;
constexpr int kKeys = 7;

// Positions are the number of events before them, written so that they compare as text.
std::string number(int n) { return std::to_string(100000 + n); }
Position at(int n) {
  bson::Builder token;
  token.append("_data", number(n));
  return Position(token.view());
}
int index_of(const Position& position) {
  return std::stoi(std::string(token_data(position.token()))) - 100000;
}

struct Options {
  int lanes = 1;
  bool transactional = false;
};

class World {
 public:
  World(uint64_t seed, Options options) : random_(seed), options_(options) { restart(); }

  void run() {
    const int faulty_steps = 400;
    for (int step = 0; step < faulty_steps; ++step) {
      one_step();
      if (faults_ && random_.below(60) == 0) crash();
    }
    faults_ = false;
    for (int step = 0; step < 5000 && !complete(); ++step) one_step();
    ASSERT_TRUE(complete()) << "stuck with " << durable_.size() << " of " << kEvents
                            << " events durable, state " << to_string(core_->status().state) << ": "
                            << core_->status().last_error;
  }

 private:
  // --- the process: restarted after a crash with nothing but the stored position
  void restart() {
    PipelineLimits limits;
    limits.lanes = options_.lanes;
    limits.transactional = options_.transactional;
    limits.on_reject = OnReject::kDeadLetter;
    limits.batch_events_max = 5;
    limits.in_flight_batches_max = 4;
    limits.unsaved_events_max = 30;
    core_ = std::make_unique<PipelineCore>(limits, SourceIdentity{"fp", "sim"}, random_);
    out_.clear();
    give(Started{});
  }

  // What was with a lane may have become durable or not; the process will never know.
  void crash() {
    for (Action& action : out_) {
      if (random_.below(2) == 0) continue;
      if (auto* write = std::get_if<Write>(&action)) {
        const size_t takes = first_unacceptable(write->job);
        if (options_.transactional && takes < write->job.events.size()) continue;
        commit(write->job, options_.transactional ? takes : random_.below(takes + 1));
        if (options_.transactional) stored_ = index_of(write->job.resume_after);
      } else if (auto* save = std::get_if<Save>(&action)) {
        stored_ = index_of(save->position.get());
      }
    }
    check();
    restart();
  }

  void give(Input input) {
    std::vector<Action> actions;
    core_->step(std::move(input), now_, actions);
    for (Action& action : actions) {
      ASSERT_FALSE(std::holds_alternative<Finish>(action)) << std::get<Finish>(action).error->what;
      if (auto* save = std::get_if<Save>(&action)) check_position(index_of(save->position.get()));
      out_.push_back(std::move(action));
    }
  }

  // Answers one pending action, chosen by the seed, or lets time pass.
  void one_step() {
    if (out_.empty() || random_.below(8) == 0) {
      now_ += milliseconds(random_.below(3000));
      give(Tick{});
      if (random_.below(10) == 0) give(SourceReady{});
    } else {
      const size_t i = random_.below(out_.size());
      Action action = std::move(out_[i]);
      out_.erase(out_.begin() + static_cast<ptrdiff_t>(i));
      std::visit([this](auto&& what) { answer(std::move(what)); }, std::move(action));
    }
    check();
  }

  bool fails(int one_in) { return faults_ && random_.below(static_cast<uint64_t>(one_in)) == 0; }
  static Error retry() { return Error{React::kRetry, "injected"}; }

  // --- answers
  void answer(IdentifySource) {
    if (fails(4)) return give(Identified{fail(retry())});
    give(Identified{SourceHealth{}});
  }
  void answer(OpenSink action) {
    if (fails(4)) return give(SinkOpened{action.lane, fail(retry())});
    give(SinkOpened{action.lane, {}});
  }
  void answer(AcquirePosition) {
    if (fails(4)) return give(PositionAcquired{fail(retry())});
    StoredPosition stored;
    stored.position = at(stored_);
    stored.fingerprint = "fp";
    give(PositionAcquired{std::optional<StoredPosition>(stored)});
  }
  void answer(OpenSource action) {
    if (fails(3)) return give(SourceOpened{fail(retry())});
    cursor_ = index_of(action.from);
    give(SourceOpened{at(cursor_)});
  }
  void answer(ReadSource) {
    if (fails(6)) return give(ReadDone{fail(retry())});
    auto batch = std::make_shared<EventBatch>();
    const int count = static_cast<int>(random_.below(8));
    for (int i = 0; i < count && cursor_ < kEvents; ++i) {
      ++cursor_;
      Event event;
      event.id = batch->store(number(cursor_));
      event.op = cursor_ % 40 == 0 ? Op::kDrop : Op::kInsert;
      event.key_hash = static_cast<uint64_t>(cursor_ % kKeys);
      if (cursor_ % 33 == 0) event.reject_reason = "the transform threw";
      if (cursor_ % 17 != 0)
        batch->events().push_back(event);  // every 17th is filtered out
      else
        filtered_.insert(cursor_);
    }
    give(ReadDone{SourceBatch{batch, at(cursor_), random_.below(12) == 0}});
  }
  void answer(Write action) {
    WriteJob& job = action.job;
    if (const size_t bad = first_unacceptable(job); bad < job.events.size()) {
      const size_t prefix = options_.transactional ? 0 : random_.below(bad + 1);
      commit(job, prefix);
      return give(
          WriteDone{action.lane, std::move(job), write_failed(Error{React::kReject, "bad"}, prefix, bad)});
    }
    if (fails(4)) {
      const size_t known = options_.transactional ? 0 : random_.below(job.events.size() + 1);
      // More may be durable than the sink knows of.
      const size_t truth = options_.transactional ? 0 : known + random_.below(job.events.size() - known + 1);
      commit(job, truth);
      return give(WriteDone{action.lane, std::move(job), write_failed(retry(), known)});
    }
    commit(job, job.events.size());
    if (options_.transactional) stored_ = index_of(job.resume_after);
    give(WriteDone{action.lane, std::move(job), {}});
  }
  void answer(Save action) {
    const bool failed = fails(4);
    if (!failed || random_.below(2) == 0) stored_ = index_of(action.position.get());
    give(SaveDone{failed ? Status(fail(retry())) : Status()});
  }
  void answer(PutDeadLetter action) {
    if (fails(4)) return give(DeadLetterDone{fail(retry())});
    letters_.insert(std::stoi(std::string(action.event.id)) - 100000);
    give(DeadLetterDone{});
  }
  void answer(Finish) {}

  // Every 29th event is one that the sink can't take, whatever the number of tries.
  static size_t first_unacceptable(const WriteJob& job) {
    for (size_t i = 0; i < job.events.size(); ++i)
      if (std::stoi(std::string(job.events[i].id)) % 29 == 0) return i;
    return job.events.size();
  }

  // --- the sink and the invariants
  void commit(const WriteJob& job, size_t count) {
    for (size_t i = 0; i < count; ++i) {
      const int index = std::stoi(std::string(job.events[i].id)) - 100000;
      if (options_.transactional) {
        EXPECT_FALSE(durable_.contains(index)) << "event " << index << " was committed twice";
      }
      if (durable_.insert(index).second) {
        // First deliveries keep the order of their key; a drop keeps it with every key.
        int& newest = newest_of_key_[index % kKeys];
        EXPECT_GT(index, newest) << "event " << index << " overtook an event of its own key";
        EXPECT_GT(index, newest_drop_) << "event " << index << " fell behind a drop";
        newest = index;
        if (index % 40 == 0) {
          EXPECT_EQ(index, *durable_.rbegin()) << "a drop was overtaken";
          newest_drop_ = index;
        }
      }
    }
  }

  bool is_safe(int index) const {
    return durable_.contains(index) || letters_.contains(index) || filtered_.contains(index);
  }
  void check_position(int position) {
    for (int index = 1; index <= position; ++index)
      ASSERT_TRUE(is_safe(index)) << "position " << position << " covers event " << index
                                  << ", which is not durable";
  }
  void check() {
    check_position(stored_);
    EXPECT_GE(stored_, newest_stored_) << "the stored position went back";
    newest_stored_ = stored_;
  }
  bool complete() const { return stored_ >= kEvents; }

  SeededRandom random_;
  const Options options_;
  bool faults_ = true;
  Mono now_{};
  std::unique_ptr<PipelineCore> core_;
  std::vector<Action> out_;
  int cursor_ = 0;
  int stored_ = 0;
  int newest_stored_ = 0;
  std::set<int> durable_;
  std::set<int> letters_;
  std::set<int> filtered_;
  std::map<int, int> newest_of_key_;
  int newest_drop_ = 0;
};

void run_seeds(Options options) {
  for (uint64_t seed = 1; seed <= 1500; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World(seed, options).run();
    if (testing::Test::HasFailure()) return;
  }
}

TEST(PipelineCoreSimulation, LosesNothingWithOneLane) { run_seeds({1, false}); }
TEST(PipelineCoreSimulation, LosesNothingAndKeepsTheOrderOfEachKeyWithFourLanes) { run_seeds({4, false}); }
TEST(PipelineCoreSimulation, CommitsEachEventOnceWithATransactionalSink) { run_seeds({1, true}); }

}  // namespace
}  // namespace tidemark
