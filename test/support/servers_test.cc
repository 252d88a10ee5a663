// The helpers that start a replica set, against whatever server the run asks for.
#include <gtest/gtest.h>

#include "support/mongo.h"
#include "support/sandbox.h"

namespace tidemark::testing {
namespace {

TEST(ReplicaSet, StartsAndTakesWrites) {
  auto set = ReplicaSet::start();
  if (!set && set.error().react == React::kConfig) GTEST_SKIP() << set.error().what;
  ASSERT_TRUE(set) << set.error().what;
  Mongo mongo((*set)->uri());
  const std::string& database = (*set)->database();
  ASSERT_TRUE(mongo.insert(database, "orders", R"({"_id": 1, "total": 5})"));
  ASSERT_TRUE(mongo.insert_many(database, "orders", {json(R"({"_id": 2})"), json(R"({"_id": 3})")}));
  ASSERT_TRUE(mongo.update(database, "orders", R"({"_id": 1})", R"({"$set": {"total": 6}})"));
  ASSERT_TRUE(mongo.remove(database, "orders", R"({"_id": 2})"));
  const auto documents = mongo.find(database, "orders");
  ASSERT_TRUE(documents);
  ASSERT_EQ(documents->size(), 2u);
  EXPECT_EQ((*documents)[0].view(), json(R"({"_id": 1, "total": 6})").view());
  EXPECT_EQ(mongo.count(database, "orders"), 2);
  EXPECT_TRUE((*set)->at_least(4, 2));
}

TEST(ReplicaSet, GivesEveryTestADatabaseOfItsOwn) {
  auto one = ReplicaSet::start({.members = 1});
  if (!one && one.error().react == React::kConfig) GTEST_SKIP() << one.error().what;
  ASSERT_TRUE(one) << one.error().what;
  auto other = ReplicaSet::start({.members = 1});
  ASSERT_TRUE(other) << other.error().what;
  EXPECT_NE((*one)->database(), (*other)->database());
}

TEST(Mongo, ReportsTheServersCode) {
  auto set = ReplicaSet::start({.members = 1});
  if (!set && set.error().react == React::kConfig) GTEST_SKIP() << set.error().what;
  ASSERT_TRUE(set) << set.error().what;
  Mongo mongo((*set)->uri());
  ASSERT_TRUE(mongo.insert((*set)->database(), "orders", R"({"_id": 1})"));
  const Status again = mongo.insert((*set)->database(), "orders", R"({"_id": 1})");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, 11000);
}

}  // namespace
}  // namespace tidemark::testing
