// What every TransactionalSink must do: events and position commit together or not at all, a replay is
// harmless, a fenced instance commits nothing more. A sink's own test instantiates the suite with a harness:
//
//   struct Harness {
//     // Why the suite can't run here (no server, say); empty when it can.
//     std::optional<std::string> unavailable();
//     // Another instance over the same destination, as another process would make it.
//     std::shared_ptr<TransactionalSink> make();
//     // What a reader of the destination sees: the event id (token) of every row, sorted, as often as it
//     stands there. std::vector<std::string> ids();
//     // Lets the present owner lose its lease without knowing.
//     void break_lease();
//     // The next write fails before its commit, and stores nothing. False where such a fault can't be made.
//     bool fail_next_write();
//     // The next write commits, but its answer is lost. False where such a fault can't be made.
//     bool lose_next_answer();
//   };
//   INSTANTIATE_TYPED_TEST_SUITE_P(SqliteLog, TransactionalSinkContract, Harness);
//
// The suite writes inserts of different documents alone, so `current` and `log` modes both pass through it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/sink.h"
#include "support/change_events.h"

namespace tidemark::testing {

template <class Harness>
class TransactionalSinkContract : public ::testing::Test {
 protected:
  void SetUp() override {
    if (auto reason = harness_.unavailable()) GTEST_SKIP() << *reason;
  }

  static PositionContext context() { return {"orders", "f1f1f1f1", "set-1/65f0"}; }

  std::shared_ptr<TransactionalSink> opened(std::optional<StoredPosition>* loaded = nullptr) {
    auto sink = harness_.make();
    auto result = sink->open_and_load(context(), {});
    if (!result) {
      ADD_FAILURE() << "open_and_load: " << result.error().describe();
    } else if (loaded != nullptr) {
      *loaded = *result;
    }
    return sink;
  }

  // Writes events [first, first + count) with the position of the last one.
  static WriteResult write(TransactionalSink& sink, uint32_t first, uint32_t count) {
    const auto batch = inserts(first, count);
    return sink.write(batch->events(), position_at(first + count - 1), {});
  }

  static std::vector<std::string> expected_ids(uint32_t first, uint32_t count) {
    std::vector<std::string> ids;
    for (uint32_t n = first; n < first + count; ++n) ids.push_back(token_hex(n));
    return ids;
  }

  // The position that a reader without a lease sees.
  std::optional<Position> stored() {
    auto sink = harness_.make();
    auto peeked = sink->position_store().peek("orders", {});
    if (!peeked) {
      ADD_FAILURE() << "peek: " << peeked.error().describe();
      return std::nullopt;
    }
    if (!*peeked) return std::nullopt;
    return (*peeked)->position;
  }

  Harness harness_;
};

TYPED_TEST_SUITE_P(TransactionalSinkContract);

TYPED_TEST_P(TransactionalSinkContract, AFreshDestinationHasNoPosition) {
  std::optional<StoredPosition> loaded;
  auto sink = this->opened(&loaded);
  EXPECT_FALSE(loaded.has_value());
  EXPECT_EQ(this->stored(), std::nullopt);
}

TYPED_TEST_P(TransactionalSinkContract, EventsAndPositionCommitTogether) {
  auto sink = this->opened();
  auto written = this->write(*sink, 1, 5);
  ASSERT_TRUE(written.has_value()) << written.error().error.describe();
  EXPECT_EQ(this->harness_.ids(), this->expected_ids(1, 5));
  EXPECT_EQ(this->stored(), position_at(5));
}

TYPED_TEST_P(TransactionalSinkContract, AWriteWithoutEventsSavesThePosition) {
  auto sink = this->opened();
  ASSERT_TRUE(sink->write({}, position_at(9), {}).has_value());
  EXPECT_EQ(this->stored(), position_at(9));
  EXPECT_TRUE(this->harness_.ids().empty());
}

TYPED_TEST_P(TransactionalSinkContract, TheNextOwnerLoadsThePositionWithItsContext) {
  {
    auto sink = this->opened();
    ASSERT_TRUE(this->write(*sink, 1, 3).has_value());
    sink->close();
  }
  std::optional<StoredPosition> loaded;
  auto sink = this->opened(&loaded);
  ASSERT_TRUE(loaded.has_value());
  EXPECT_EQ(loaded->position, position_at(3));
  EXPECT_EQ(loaded->fingerprint, this->context().fingerprint);
  EXPECT_EQ(loaded->deployment, this->context().deployment);
}

TYPED_TEST_P(TransactionalSinkContract, AReplayChangesNothing) {
  auto sink = this->opened();
  ASSERT_TRUE(this->write(*sink, 1, 5).has_value());
  auto again = this->write(*sink, 3, 3);
  ASSERT_TRUE(again.has_value()) << again.error().error.describe();
  EXPECT_EQ(this->harness_.ids(), this->expected_ids(1, 5));
}

TYPED_TEST_P(TransactionalSinkContract, AReplayThatOverlapsAddsOnlyWhatIsNew) {
  auto sink = this->opened();
  ASSERT_TRUE(this->write(*sink, 1, 5).has_value());
  ASSERT_TRUE(this->write(*sink, 4, 5).has_value());
  EXPECT_EQ(this->harness_.ids(), this->expected_ids(1, 8));
  EXPECT_EQ(this->stored(), position_at(8));
}

TYPED_TEST_P(TransactionalSinkContract, ALargeBatchIsOneCommit) {
  auto sink = this->opened();
  auto written = this->write(*sink, 1, 2500);
  ASSERT_TRUE(written.has_value()) << written.error().error.describe();
  EXPECT_EQ(this->harness_.ids(), this->expected_ids(1, 2500));
}

TYPED_TEST_P(TransactionalSinkContract, ASecondOwnerIsRefusedWhileTheFirstLives) {
  auto first = this->opened();
  ASSERT_TRUE(this->write(*first, 1, 1).has_value());
  auto second = this->harness_.make();
  auto refused = second->open_and_load(this->context(), {});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().react, React::kFenced) << refused.error().describe();
  EXPECT_TRUE(this->write(*first, 2, 1).has_value());
}

TYPED_TEST_P(TransactionalSinkContract, AFencedOwnerCommitsNeitherRowsNorPosition) {
  auto stale = this->opened();
  ASSERT_TRUE(this->write(*stale, 1, 2).has_value());
  this->harness_.break_lease();
  auto present = this->opened();
  auto refused = this->write(*stale, 3, 2);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().error.react, React::kFenced) << refused.error().error.describe();
  EXPECT_EQ(refused.error().durable_prefix, 0u);
  EXPECT_EQ(this->harness_.ids(), this->expected_ids(1, 2));
  EXPECT_EQ(this->stored(), position_at(2));
  EXPECT_TRUE(this->write(*present, 3, 2).has_value());
}

TYPED_TEST_P(TransactionalSinkContract, AFailedWriteLeavesNothingAndCanBeRepeated) {
  auto sink = this->opened();
  ASSERT_TRUE(this->write(*sink, 1, 2).has_value());
  if (!this->harness_.fail_next_write()) GTEST_SKIP() << "no fault can be made in this destination";
  auto failed = this->write(*sink, 3, 2);
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().durable_prefix, 0u);
  EXPECT_EQ(failed.error().error.react, React::kRetry) << failed.error().error.describe();
  EXPECT_EQ(this->harness_.ids(), this->expected_ids(1, 2));
  EXPECT_EQ(this->stored(), position_at(2));
  auto reopened = sink->open_and_load(this->context(), {});
  ASSERT_TRUE(reopened.has_value()) << reopened.error().describe();
  ASSERT_TRUE(this->write(*sink, 3, 2).has_value());
  EXPECT_EQ(this->harness_.ids(), this->expected_ids(1, 4));
}

TYPED_TEST_P(TransactionalSinkContract, ALostAnswerIsResolvedByReadingBack) {
  auto sink = this->opened();
  ASSERT_TRUE(this->write(*sink, 1, 2).has_value());
  if (!this->harness_.lose_next_answer()) GTEST_SKIP() << "no answer can be lost in this destination";
  // Either the sink finds out that it committed, or it says retry and the replay is harmless.
  if (auto written = this->write(*sink, 3, 2); !written) {
    EXPECT_EQ(written.error().error.react, React::kRetry) << written.error().error.describe();
    auto reopened = sink->open_and_load(this->context(), {});
    ASSERT_TRUE(reopened.has_value()) << reopened.error().describe();
    ASSERT_TRUE(reopened->has_value());
    EXPECT_EQ((*reopened)->position, position_at(4));
    ASSERT_TRUE(this->write(*sink, 3, 2).has_value());
  }
  EXPECT_EQ(this->harness_.ids(), this->expected_ids(1, 4));
  EXPECT_EQ(this->stored(), position_at(4));
}

REGISTER_TYPED_TEST_SUITE_P(TransactionalSinkContract, AFreshDestinationHasNoPosition,
                            EventsAndPositionCommitTogether, AWriteWithoutEventsSavesThePosition,
                            TheNextOwnerLoadsThePositionWithItsContext, AReplayChangesNothing,
                            AReplayThatOverlapsAddsOnlyWhatIsNew, ALargeBatchIsOneCommit,
                            ASecondOwnerIsRefusedWhileTheFirstLives,
                            AFencedOwnerCommitsNeitherRowsNorPosition,
                            AFailedWriteLeavesNothingAndCanBeRepeated, ALostAnswerIsResolvedByReadingBack);

}  // namespace tidemark::testing
