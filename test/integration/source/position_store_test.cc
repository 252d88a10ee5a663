// The position store `mongodb` against the contract of every position store, on a live replica set.
#include "conformance/position_store_contract.h"
#include "env/posix/clock.h"
#include "positions/mongodb/store.h"
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
  std::shared_ptr<PositionStore> make() {
    config::Settings settings;
    settings.set("uri", set->uri());
    settings.set("database", set->database());
    settings.set("collection", std::string("positions"));
    settings.set("lease_ttl", int64_t{30'000});
    ComponentContext context;
    context.pipeline = "orders";
    context.clock = &clock;
    return *make_mongodb_position(settings, context);
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
  PosixClock clock;
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

}  // namespace
}  // namespace tidemark::testing
