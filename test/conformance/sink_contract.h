// What every Sink must do: success means durable, a failure's durable prefix is true, and a replay does no
// harm. A sink's own test instantiates the suite with a harness:
//
//   struct Harness {
//     // Why the suite can't run here (no server, say); empty when it can.
//     std::optional<std::string> unavailable();
//     // Another instance over the same destination, as another process would make it.
//     std::shared_ptr<Sink> make();
//     // The event ids a reader of the destination sees, in the order in which they stand there, repeats
//     included. std::vector<std::string> ids();
//     // Operation `n` from now (0 is the next) fails once; false where faults can't be made.
//     bool fail_operation(int n);
//     // True once that operation has been reached.
//     bool fault_was_hit();
//     // The machine loses power: what was not made durable is gone, wholly or in part. Instances are dead
//     already. void crash();
//   };
//   INSTANTIATE_TYPED_TEST_SUITE_P(File, SinkContract, Harness);
//
// A harness stands over an empty destination when it is made; the fault tests make many of them.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/sink.h"
#include "support/change_events.h"

namespace tidemark::testing {

template <class Harness>
class SinkContract : public ::testing::Test {
 protected:
  void SetUp() override {
    if (auto reason = Harness().unavailable()) GTEST_SKIP() << *reason;
  }

  static std::shared_ptr<Sink> opened(Harness& harness) {
    auto sink = harness.make();
    auto status = sink->open({});
    EXPECT_TRUE(status.has_value()) << status.error().describe();
    return sink;
  }

  static std::vector<std::string> expected_ids(uint32_t first, uint32_t count) {
    std::vector<std::string> ids;
    for (uint32_t n = first; n < first + count; ++n) ids.push_back(token_hex(n));
    return ids;
  }

  static std::set<std::string> id_set(const std::vector<std::string>& ids) {
    return {ids.begin(), ids.end()};
  }

  // Writes events [1, count] in batches of three as the pipeline does: a failure's prefix is taken as
  // written, the rest comes again after open(). Returns how many events the sink has acknowledged; `attempts`
  // bounds the retries.
  static uint32_t deliver(Sink& sink, uint32_t count, int attempts) {
    uint32_t done = 0;
    bool open = false;
    while (done < count && attempts > 0) {
      if (!open) {
        auto status = sink.open({});
        open = status.has_value();
        if (!open) {
          EXPECT_EQ(status.error().react, React::kRetry) << status.error().describe();
          --attempts;
          continue;
        }
      }
      const uint32_t size = std::min(3u, count - done);
      const auto batch = inserts(done + 1, size);
      auto written = sink.write(batch->events(), {});
      if (written) {
        done += size;
        continue;
      }
      EXPECT_EQ(written.error().error.react, React::kRetry) << written.error().error.describe();
      EXPECT_LE(written.error().durable_prefix, size);
      done += static_cast<uint32_t>(written.error().durable_prefix);
      open = false;
      --attempts;
    }
    return done;
  }

  // All `count` events stand there; replays may repeat some, but the first of each kind stand in stream
  // order.
  static void expect_all_in_order(const std::vector<std::string>& ids, uint32_t count) {
    EXPECT_EQ(id_set(ids), id_set(expected_ids(1, count)));
    std::vector<std::string> firsts;
    std::set<std::string> seen;
    for (const std::string& id : ids) {
      if (seen.insert(id).second) firsts.push_back(id);
    }
    EXPECT_EQ(firsts, expected_ids(1, count));
  }
};

TYPED_TEST_SUITE_P(SinkContract);

TYPED_TEST_P(SinkContract, WrittenMeansVisible) {
  TypeParam harness;
  auto sink = this->opened(harness);
  const auto batch = inserts(1, 4);
  auto written = sink->write(batch->events(), {});
  ASSERT_TRUE(written.has_value()) << written.error().error.describe();
  EXPECT_EQ(harness.ids(), this->expected_ids(1, 4));
}

TYPED_TEST_P(SinkContract, AnEmptyBatchIsNothing) {
  TypeParam harness;
  auto sink = this->opened(harness);
  ASSERT_TRUE(sink->write({}, {}).has_value());
  EXPECT_TRUE(harness.ids().empty());
}

TYPED_TEST_P(SinkContract, ReopenedItGoesOnWhereItWas) {
  TypeParam harness;
  {
    auto sink = this->opened(harness);
    ASSERT_TRUE(sink->write(inserts(1, 3)->events(), {}).has_value());
    sink->close();
  }
  auto sink = this->opened(harness);
  ASSERT_TRUE(sink->write(inserts(4, 3)->events(), {}).has_value());
  EXPECT_EQ(harness.ids(), this->expected_ids(1, 6));
}

TYPED_TEST_P(SinkContract, AReplayAfterARestartIsTakenWithoutHarm) {
  TypeParam harness;
  {
    auto sink = this->opened(harness);
    ASSERT_TRUE(sink->write(inserts(1, 5)->events(), {}).has_value());
  }
  auto sink = this->opened(harness);
  ASSERT_TRUE(sink->write(inserts(3, 5)->events(), {}).has_value());
  EXPECT_EQ(this->id_set(harness.ids()), this->id_set(this->expected_ids(1, 7)));
}

TYPED_TEST_P(SinkContract, OpeningTwiceIsHarmless) {
  TypeParam harness;
  auto sink = this->opened(harness);
  ASSERT_TRUE(sink->write(inserts(1, 2)->events(), {}).has_value());
  ASSERT_TRUE(sink->open({}).has_value());
  ASSERT_TRUE(sink->write(inserts(3, 2)->events(), {}).has_value());
  EXPECT_EQ(harness.ids(), this->expected_ids(1, 4));
}

TYPED_TEST_P(SinkContract, OneFaultAtEveryOperationLosesNothing) {
  constexpr uint32_t kEvents = 12;
  bool hit = true;
  for (int n = 0; hit; ++n) {
    ASSERT_LT(n, 500) << "the work never ends";
    SCOPED_TRACE("fault at operation " + std::to_string(n));
    TypeParam harness;
    auto sink = harness.make();
    if (!harness.fail_operation(n)) GTEST_SKIP() << "no fault can be made in this destination";
    EXPECT_EQ(this->deliver(*sink, kEvents, 5), kEvents);
    hit = harness.fault_was_hit();
    this->expect_all_in_order(harness.ids(), kEvents);
    if (this->HasFailure()) return;
  }
}

TYPED_TEST_P(SinkContract, APowerLossAfterEveryFaultKeepsAllThatWasAcknowledged) {
  constexpr uint32_t kEvents = 12;
  bool hit = true;
  for (int n = 0; hit; ++n) {
    ASSERT_LT(n, 500) << "the work never ends";
    SCOPED_TRACE("fault at operation " + std::to_string(n));
    TypeParam harness;
    auto sink = harness.make();
    if (!harness.fail_operation(n)) GTEST_SKIP() << "no fault can be made in this destination";
    // One attempt alone: the sink stops at the fault, and then the power goes.
    const uint32_t acknowledged = this->deliver(*sink, kEvents, 1);
    hit = harness.fault_was_hit();
    sink.reset();
    harness.crash();

    auto next = this->opened(harness);
    std::vector<std::string> ids = harness.ids();
    const auto kept = this->id_set(ids);
    for (const std::string& id : this->expected_ids(1, acknowledged)) {
      EXPECT_TRUE(kept.contains(id)) << id << " was acknowledged and is gone";
    }
    const uint32_t rest = kEvents - acknowledged;
    ASSERT_TRUE(next->write(inserts(acknowledged + 1, rest)->events(), {}).has_value());
    this->expect_all_in_order(harness.ids(), kEvents);
    if (this->HasFailure()) return;
  }
}

REGISTER_TYPED_TEST_SUITE_P(SinkContract, WrittenMeansVisible, AnEmptyBatchIsNothing,
                            ReopenedItGoesOnWhereItWas, AReplayAfterARestartIsTakenWithoutHarm,
                            OpeningTwiceIsHarmless, OneFaultAtEveryOperationLosesNothing,
                            APowerLossAfterEveryFaultKeepsAllThatWasAcknowledged);

}  // namespace tidemark::testing
