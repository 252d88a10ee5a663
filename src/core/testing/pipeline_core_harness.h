// Drives a PipelineCore by hand: for its tests alone.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/pipeline_core.h"

namespace tidemark {

using std::chrono::milliseconds;
using std::chrono::seconds;

class NoJitter final : public Random {
 public:
  uint64_t next_u64() override { return 0; }
};

inline Position at(std::string_view data) {
  bson::Builder token;
  token.append("_data", data);
  return Position(token.view());
}

inline std::string data_of(const Position& position) { return std::string(token_data(position.token())); }

// Drives a core by hand: answers actions one at a time, so that a test says exactly what happens when.
class Harness {
 public:
  explicit Harness(PipelineLimits limits = {}) : core(limits, {"fp", "shop.orders"}, random) {}

  void give(Input input) { core.step(std::move(input), now, pending); }

  // Takes the oldest pending action of this type out; fails the test when there is none.
  template <class T>
  T take() {
    for (auto it = pending.begin(); it != pending.end(); ++it) {
      if (auto* action = std::get_if<T>(&*it)) {
        T taken = std::move(*action);
        pending.erase(it);
        return taken;
      }
    }
    ADD_FAILURE() << "no pending action " << typeid(T).name();
    throw std::runtime_error("missing action");
  }
  template <class T>
  bool has() const {
    return std::any_of(pending.begin(), pending.end(),
                       [](const Action& a) { return std::holds_alternative<T>(a); });
  }

  // Up to the first read, the stored position being "p0" and the high-water mark `mark`.
  void start(std::string_view mark = "p0") {
    give(Started{});
    take<IdentifySource>();
    SourceHealth health;
    health.deployment = "rs0";
    give(Identified{health});
    if (!core_is_transactional()) {
      while (has<OpenSink>()) give(SinkOpened{take<OpenSink>().lane, {}});
    }
    acquire("p0");
    const auto open = take<OpenSource>();
    EXPECT_EQ(data_of(open.from), "p0");
    give(SourceOpened{at(mark)});
  }
  void acquire(std::string_view data) {
    take<AcquirePosition>();
    StoredPosition stored;
    stored.position = at(data);
    stored.fingerprint = "fp";
    stored.deployment = "rs0";
    give(PositionAcquired{std::optional<StoredPosition>(stored)});
  }
  bool core_is_transactional() const { return transactional; }

  // A batch of events "<prefix>0", "<prefix>1" ..., ending at `mark`.
  void read(int count, std::string_view mark, std::string prefix = "e", bool closed = false) {
    take<ReadSource>();
    auto batch = std::make_shared<EventBatch>();
    for (int i = 0; i < count; ++i) {
      Event event;
      event.id = batch->store(prefix + std::to_string(i));
      event.op = Op::kInsert;
      event.key_hash = static_cast<uint64_t>(i);
      batch->events().push_back(event);
    }
    give(ReadDone{SourceBatch{batch, at(mark), closed}});
  }
  void read_fails(React react) {
    take<ReadSource>();
    give(ReadDone{fail(react, "read failed")});
  }
  void write_ok(Write write) { give(WriteDone{write.lane, std::move(write.job), {}}); }

  NoJitter random;
  Mono now{};
  bool transactional = false;
  std::vector<Action> pending;
  PipelineCore core;
};

inline std::vector<std::string> ids(const WriteJob& job) {
  std::vector<std::string> all;
  for (const Event& event : job.events) all.emplace_back(event.id);
  return all;
}

inline PipelineLimits transactional_limits() {
  PipelineLimits limits;
  limits.transactional = true;
  return limits;
}

struct TransactionalHarness : Harness {
  TransactionalHarness() : Harness(transactional_limits()) { transactional = true; }
};

}  // namespace tidemark
