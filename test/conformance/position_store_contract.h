// What every PositionStore must do, whatever it stands on. A store's own test instantiates the suite with a
// harness:
//
//   struct Harness {
//     // Why the suite can't run here (no server, say); empty when it can.
//     std::optional<std::string> unavailable();
//     // Another instance over the same storage, as another process would make it. A sink that is its own
//     store returns
//     // an aliasing pointer that keeps the sink alive.
//     std::shared_ptr<PositionStore> make();
//     // Lets the present owner lose its lease without knowing: the lease's time passes, or the lock file is
//     removed. void break_lease();
//     // Damages what is stored for PositionStoreContract's pipeline. False where the storage can't be
//     damaged. bool corrupt();
//     // The next save fails with kRetry and stores nothing. False where such a fault can't be made.
//     bool fail_next_save();
//   };
//   INSTANTIATE_TYPED_TEST_SUITE_P(File, PositionStoreContract, Harness);
//
// A harness is made anew for every test, over empty storage.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "core/position_store.h"
#include "core/watermark.h"
#include "support/change_events.h"

namespace tidemark::testing {

template <class Harness>
class PositionStoreContract : public ::testing::Test {
 protected:
  static constexpr const char* kPipeline = "orders";

  void SetUp() override {
    if (auto reason = harness_.unavailable()) GTEST_SKIP() << *reason;
  }

  static PositionContext context() { return {kPipeline, "f1f1f1f1", "set-1/65f0"}; }

  // The only honest way to a position that may be saved: a batch that owes nothing.
  static DurablePosition durable(uint32_t n) {
    Watermark watermark(1);
    watermark.admit(position_at(n), 0, 0);
    return *watermark.advance();
  }

  // A store that has acquired, and what it loaded.
  std::pair<std::shared_ptr<PositionStore>, std::optional<StoredPosition>> owner() {
    auto store = harness_.make();
    auto loaded = store->acquire(context(), {});
    if (!loaded) {
      ADD_FAILURE() << "acquire: " << loaded.error().describe();
      return {store, std::nullopt};
    }
    return {store, *loaded};
  }

  Harness harness_;
};

TYPED_TEST_SUITE_P(PositionStoreContract);

TYPED_TEST_P(PositionStoreContract, NothingIsStoredAtFirst) {
  auto [store, loaded] = this->owner();
  EXPECT_FALSE(loaded.has_value());
  auto peeked = this->harness_.make()->peek(this->kPipeline, {});
  ASSERT_TRUE(peeked.has_value()) << peeked.error().describe();
  EXPECT_FALSE(peeked->has_value());
}

TYPED_TEST_P(PositionStoreContract, AcquiringAloneInventsNoPosition) {
  this->owner().first->release();
  auto [store, loaded] = this->owner();
  EXPECT_FALSE(loaded.has_value());
}

TYPED_TEST_P(PositionStoreContract, TheNextOwnerLoadsWhatWasSaved) {
  {
    auto [store, loaded] = this->owner();
    ASSERT_TRUE(store->save(this->durable(1), {}).has_value());
    ASSERT_TRUE(store->save(this->durable(7), {}).has_value());
    store->release();
  }
  auto [store, loaded] = this->owner();
  ASSERT_TRUE(loaded.has_value());
  EXPECT_EQ(loaded->position, position_at(7));
  EXPECT_EQ(loaded->position.cluster_time(), position_at(7).cluster_time());
}

TYPED_TEST_P(PositionStoreContract, FingerprintAndDeploymentComeBack) {
  {
    auto [store, loaded] = this->owner();
    ASSERT_TRUE(store->save(this->durable(3), {}).has_value());
  }
  auto [store, loaded] = this->owner();
  ASSERT_TRUE(loaded.has_value());
  EXPECT_EQ(loaded->fingerprint, this->context().fingerprint);
  EXPECT_EQ(loaded->deployment, this->context().deployment);
}

TYPED_TEST_P(PositionStoreContract, DestructionGivesTheLeaseBack) {
  this->owner().first.reset();
  auto store = this->harness_.make();
  EXPECT_TRUE(store->acquire(this->context(), {}).has_value());
}

TYPED_TEST_P(PositionStoreContract, ASecondOwnerIsRefusedWhileTheFirstLives) {
  auto [first, loaded] = this->owner();
  ASSERT_TRUE(first->save(this->durable(1), {}).has_value());
  auto second = this->harness_.make();
  auto refused = second->acquire(this->context(), {});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().react, React::kFenced) << refused.error().describe();
  EXPECT_TRUE(first->save(this->durable(2), {}).has_value()) << "the first owner was harmed by the attempt";
}

TYPED_TEST_P(PositionStoreContract, AnOwnerThatLostItsLeaseCannotSave) {
  auto [stale, nothing] = this->owner();
  ASSERT_TRUE(stale->save(this->durable(1), {}).has_value());
  this->harness_.break_lease();
  auto [present, loaded] = this->owner();
  ASSERT_TRUE(loaded.has_value());
  ASSERT_TRUE(present->save(this->durable(5), {}).has_value());

  auto refused = stale->save(this->durable(2), {});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().react, React::kFenced) << refused.error().describe();
  auto erased = stale->erase({});
  ASSERT_FALSE(erased.has_value());
  EXPECT_EQ(erased.error().react, React::kFenced) << erased.error().describe();

  auto stored = present->peek(this->kPipeline, {});
  ASSERT_TRUE(stored.has_value() && stored->has_value());
  EXPECT_EQ((*stored)->position, position_at(5));
  EXPECT_TRUE(present->save(this->durable(6), {}).has_value());
}

TYPED_TEST_P(PositionStoreContract, AnOwnerThatLostItsLeaseCannotSaveEvenBeforeTheNewOnesFirstSave) {
  auto [stale, nothing] = this->owner();
  ASSERT_TRUE(stale->save(this->durable(1), {}).has_value());
  this->harness_.break_lease();
  auto [present, loaded] = this->owner();
  auto refused = stale->save(this->durable(2), {});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().react, React::kFenced) << refused.error().describe();
}

TYPED_TEST_P(PositionStoreContract, EveryOwnerHasAHigherEpoch) {
  uint64_t last = 0;
  for (uint32_t n = 1; n <= 3; ++n) {
    auto [store, loaded] = this->owner();
    ASSERT_TRUE(store->save(this->durable(n), {}).has_value());
    auto stored = store->peek(this->kPipeline, {});
    ASSERT_TRUE(stored.has_value() && stored->has_value());
    EXPECT_GT((*stored)->epoch, last);
    last = (*stored)->epoch;
  }
}

TYPED_TEST_P(PositionStoreContract, PeekNeedsNoLeaseAndTakesNone) {
  auto [store, loaded] = this->owner();
  ASSERT_TRUE(store->save(this->durable(4), {}).has_value());
  auto stored = this->harness_.make()->peek(this->kPipeline, {});
  ASSERT_TRUE(stored.has_value()) << stored.error().describe();
  ASSERT_TRUE(stored->has_value());
  EXPECT_EQ((*stored)->position, position_at(4));
  EXPECT_TRUE(store->save(this->durable(5), {}).has_value());
}

TYPED_TEST_P(PositionStoreContract, ErasedMeansAbsent) {
  {
    auto [store, loaded] = this->owner();
    ASSERT_TRUE(store->save(this->durable(4), {}).has_value());
    auto erased = store->erase({});
    ASSERT_TRUE(erased.has_value()) << erased.error().describe();
  }
  {
    auto [store, loaded] = this->owner();
    EXPECT_FALSE(loaded.has_value());
    ASSERT_TRUE(store->save(this->durable(1), {}).has_value());
  }
  auto [store, loaded] = this->owner();
  ASSERT_TRUE(loaded.has_value());
  EXPECT_EQ(loaded->position, position_at(1));
}

TYPED_TEST_P(PositionStoreContract, DamagedIsCorruptAndNeverAbsent) {
  {
    auto [store, loaded] = this->owner();
    ASSERT_TRUE(store->save(this->durable(4), {}).has_value());
  }
  if (!this->harness_.corrupt()) GTEST_SKIP() << "this storage can't be damaged from outside";
  auto store = this->harness_.make();
  auto loaded = store->acquire(this->context(), {});
  ASSERT_FALSE(loaded.has_value()) << "a damaged position was taken for "
                                   << (*loaded ? "a good one" : "none");
  EXPECT_EQ(loaded.error().react, React::kCorrupt) << loaded.error().describe();
  EXPECT_NE(loaded.error().hint.find("tidemark position"), std::string::npos)
      << "the hint must name the operator's command: " << loaded.error().hint;
  auto peeked = this->harness_.make()->peek(this->kPipeline, {});
  ASSERT_FALSE(peeked.has_value());
  EXPECT_EQ(peeked.error().react, React::kCorrupt) << peeked.error().describe();
}

TYPED_TEST_P(PositionStoreContract, AFailedSaveLeavesTheLastPositionAndTheLease) {
  auto [store, loaded] = this->owner();
  ASSERT_TRUE(store->save(this->durable(4), {}).has_value());
  if (!this->harness_.fail_next_save()) GTEST_SKIP() << "no fault can be made in this storage";
  auto failed = store->save(this->durable(5), {});
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().react, React::kRetry) << failed.error().describe();
  auto stored = store->peek(this->kPipeline, {});
  ASSERT_TRUE(stored.has_value()) << stored.error().describe();
  ASSERT_TRUE(stored->has_value());
  EXPECT_EQ((*stored)->position, position_at(4));
  auto again = store->save(this->durable(5), {});
  ASSERT_TRUE(again.has_value()) << again.error().describe();
}

TYPED_TEST_P(PositionStoreContract, SaysWhereItIs) {
  EXPECT_FALSE(this->harness_.make()->describe().empty());
}

REGISTER_TYPED_TEST_SUITE_P(PositionStoreContract, NothingIsStoredAtFirst, AcquiringAloneInventsNoPosition,
                            TheNextOwnerLoadsWhatWasSaved, FingerprintAndDeploymentComeBack,
                            DestructionGivesTheLeaseBack, ASecondOwnerIsRefusedWhileTheFirstLives,
                            AnOwnerThatLostItsLeaseCannotSave,
                            AnOwnerThatLostItsLeaseCannotSaveEvenBeforeTheNewOnesFirstSave,
                            EveryOwnerHasAHigherEpoch, PeekNeedsNoLeaseAndTakesNone, ErasedMeansAbsent,
                            DamagedIsCorruptAndNeverAbsent, AFailedSaveLeavesTheLastPositionAndTheLease,
                            SaysWhereItIs);

}  // namespace tidemark::testing
