// The position store `mongodb` against the contract of every position store, on a live replica set.
#include <thread>

#include "conformance/position_store_contract.h"
#include "env/posix/clock.h"
#include "positions/mongodb/component.h"
#include "support/living_owner_clock.h"
#include "support/mongo.h"
#include "support/sandbox.h"

namespace tidemark::testing {
namespace {

struct MongodbHarness {
  MongodbHarness() {
    static std::unique_ptr<ReplicaSet> shared = [] {
      auto started = ReplicaSet::start();
      return started ? std::move(*started) : nullptr;
    }();
    set = shared.get();
    if (set != nullptr) (void)mongo().drop(set->database(), "positions");
  }
  std::optional<std::string> unavailable() {
    if (set == nullptr) return "no replica set to test with";
    return std::nullopt;
  }
  std::shared_ptr<PositionStore> make() { return make(clock, 30'000); }
  std::shared_ptr<PositionStore> make(Clock& with, int64_t lease_ttl_ms) {
    config::Settings settings;
    settings.set("uri", set->uri());
    settings.set("database", set->database());
    settings.set("collection", std::string("positions"));
    settings.set("lease_ttl", lease_ttl_ms);
    ComponentContext context;
    context.pipeline = "orders";
    context.clock = &with;
    return *mongodb_position_component().make(settings, context);
  }
  void renew() {
    const int64_t until = clock.wall_ms() + 60'000 + ++renewals;
    ASSERT_TRUE(mongo().update(
        set->database(), "positions", R"({"_id": "orders"})",
        R"({"$set": {"leaseUntil": {"$date": {"$numberLong": ")" + std::to_string(until) + R"("}}}})"));
  }
  void break_lease() {
    ASSERT_TRUE(mongo().update(set->database(), "positions", R"({"_id": "orders"})",
                               R"({"$set": {"leaseUntil": {"$date": {"$numberLong": "0"}}}})"));
  }
  bool corrupt() {
    return mongo()
        .update(set->database(), "positions", R"({"_id": "orders"})",
                R"({"$set": {"token._data": "8200000000000000012B0229296E04"}})")
        .has_value();
  }
  bool fail_next_save() {
    // WriteConflict: one that passes, and that the driver doesn't repeat by itself.
    return mongo()
        .run("admin", R"({"configureFailPoint": "failCommand", "mode": {"times": 1},
                          "data": {"failCommands": ["update"], "errorCode": 112}})")
        .has_value();
  }

  Mongo& mongo() {
    static Mongo client(set->uri());
    return client;
  }
  ReplicaSet* set = nullptr;
  int renewals = 0;
  LivingOwnerClock clock{[this] { renew(); }};
};

INSTANTIATE_TYPED_TEST_SUITE_P(Mongodb, PositionStoreContract, MongodbHarness);

TEST(MongodbPosition, RenewsItsLeaseWithEverySave) {
  MongodbHarness harness;
  if (auto reason = harness.unavailable()) GTEST_SKIP() << *reason;
  auto store = harness.make();
  ASSERT_TRUE(store->acquire({"orders", "f", "d"}, {}));
  harness.break_lease();
  Watermark watermark(1);
  watermark.admit(position_at(1), 0, 0);
  ASSERT_TRUE(store->save(*watermark.advance(), {}));
  const auto refused = harness.make()->acquire({"orders", "f", "d"}, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().react, React::kFenced);
}

// As after kill -9: the lease is there, and nobody renews it.
TEST(MongodbPosition, TakesTheLeaseOfAKilledOwnerOnceItHasEnded) {
  MongodbHarness harness;
  if (auto reason = harness.unavailable()) GTEST_SKIP() << *reason;
  PosixClock clock;
  auto killed = harness.make(clock, 1'200);
  ASSERT_TRUE(killed->acquire({"orders", "f", "d"}, {}));
  Watermark watermark(2);
  watermark.admit(position_at(1), 0, 0);
  const DurablePosition first = *watermark.advance();
  ASSERT_TRUE(killed->save(first, {}));
  auto next = harness.make(clock, 1'200);
  const auto loaded = next->acquire({"orders", "f", "d"}, {});
  ASSERT_TRUE(loaded) << loaded.error().describe();
  ASSERT_TRUE(*loaded);
  EXPECT_EQ((*loaded)->position, position_at(1));
  const auto refused = killed->save(first, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().react, React::kFenced);
}

TEST(MongodbPosition, WaitingForALeaseEndsWithTheStop) {
  MongodbHarness harness;
  if (auto reason = harness.unavailable()) GTEST_SKIP() << *reason;
  auto owner = harness.make();
  ASSERT_TRUE(owner->acquire({"orders", "f", "d"}, {}));
  PosixClock clock;
  std::stop_source stop;
  auto second = harness.make(clock, 30'000);
  std::jthread stopper([&] { stop.request_stop(); });
  const auto refused = second->acquire({"orders", "f", "d"}, stop.get_token());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().react, React::kCancelled) << refused.error().describe();
}

// An owner whose answer was lost, or that is opened again, isn't kept out by itself.
TEST(MongodbPosition, AcquiringAgainKeepsItsOwnLeaseAndRaisesTheEpoch) {
  MongodbHarness harness;
  if (auto reason = harness.unavailable()) GTEST_SKIP() << *reason;
  auto store = harness.make();
  ASSERT_TRUE(store->acquire({"orders", "f", "d"}, {}));
  Watermark watermark(2);
  watermark.admit(position_at(1), 0, 0);
  ASSERT_TRUE(store->save(*watermark.advance(), {}));
  const auto again = store->acquire({"orders", "f", "d"}, {});
  ASSERT_TRUE(again && *again) << again.error().describe();
  EXPECT_EQ((*again)->epoch, 2u);
}

}  // namespace
}  // namespace tidemark::testing
