#include "mongo/lease.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace tidemark::mongo {
namespace {

bson::Document doc(std::string_view json) { return *bson::Document::from_json(json); }

Lease lease() { return {"positions", "orders", "me", 3, std::chrono::milliseconds(30'000)}; }

StoredPosition sample() {
  StoredPosition stored;
  stored.position = Position(doc(R"({"_data": "8265"})"), {100, 7});
  stored.saved_at_ms = 1'700'000'000'123;
  stored.fingerprint = "f1";
  stored.deployment = "$rs/1";
  stored.epoch = 3;
  return stored;
}

// The document as the server would hold it after save_command with the caller's clock.
bson::Document saved_document(const StoredPosition& stored) {
  const auto command = save_command(lease(), {false, 5'000}, stored);
  bson::Builder document;
  document.append("_id", "orders").append("epoch", static_cast<int64_t>(stored.epoch)).append("owner", "me");
  document.concat(command.view().find_path("updates.0.u.$set")->document());
  return document.finish();
}

TEST(Lease, IsTakenByTheServersClock) {
  const auto command = acquire_command(lease(), {true, 0});
  EXPECT_EQ(command.view(), doc(R"({"findAndModify": "positions",
      "query": {"_id": "orders", "$expr": {"$or": [
          {"$lte": ["$leaseUntil", "$$NOW"]}, {"$eq": ["$owner", {"$literal": "me"}]},
          {"$ne": [{"$type": "$leaseUntil"}, "date"]}]}},
      "update": [{"$set": {"epoch": {"$add": ["$epoch", {"$numberLong": "1"}]}, "owner": {"$literal": "me"},
                           "leaseUntil": {"$add": ["$$NOW", {"$numberLong": "30000"}]}}}],
      "new": true})")
                                .view());
}

TEST(Lease, IsTakenByTheCallersClockWhereTheServerOffersNone) {
  const auto command = acquire_command(lease(), {false, 5'000});
  EXPECT_EQ(command.view(), doc(R"({"findAndModify": "positions",
      "query": {"_id": "orders", "$or": [{"leaseUntil": {"$lte": {"$date": {"$numberLong": "5000"}}}},
                                         {"owner": "me"}]},
      "update": {"$inc": {"epoch": {"$numberLong": "1"}},
                 "$set": {"owner": "me", "leaseUntil": {"$date": {"$numberLong": "35000"}}}},
      "new": true})")
                                .view());
}

TEST(Lease, EveryChangeNamesItsEpochAndOwner) {
  const auto query = doc(R"({"_id": "orders", "epoch": {"$numberLong": "3"}, "owner": "me"})");
  for (const auto& command :
       {save_command(lease(), {true, 0}, sample()), save_command(lease(), {false, 1}, sample()),
        erase_command(lease()), release_command(lease())})
    EXPECT_EQ(command.view().find_path("updates.0.q")->document(), query.view());
}

TEST(Lease, SavesValuesThatLookLikeExpressionsAsTheyAre) {
  const auto command = save_command(lease(), {true, 0}, sample());
  EXPECT_EQ(command.view().find_path("updates.0.u.0.$set.deployment.$literal")->string(), "$rs/1");
  EXPECT_TRUE(command.view().find_path("updates.0.u.0.$set.token.$literal"));
  EXPECT_TRUE(command.view().find_path("updates.0.u.0.$set.leaseUntil.$add"));
}

TEST(ReadPosition, GivesBackWhatWasSaved) {
  const auto stored = read_position(saved_document(sample()));
  ASSERT_TRUE(stored && *stored);
  EXPECT_EQ((*stored)->position, sample().position);
  EXPECT_EQ((*stored)->position.cluster_time(), sample().position.cluster_time());
  EXPECT_EQ((*stored)->saved_at_ms, sample().saved_at_ms);
  EXPECT_EQ((*stored)->fingerprint, "f1");
  EXPECT_EQ((*stored)->deployment, "$rs/1");
  EXPECT_EQ((*stored)->epoch, 3u);
}

TEST(ReadPosition, IsEmptyForALeaseThatNeverSaved) {
  const bson::Document command = insert_command(lease());
  const auto stored = read_position(command.view().find_path("documents.0")->document());
  ASSERT_TRUE(stored);
  EXPECT_FALSE(*stored);
}

TEST(ReadPosition, CallsEveryChangedFieldCorrupt) {
  const bson::Document whole = saved_document(sample());
  for (const char* name : {"token", "clusterTime", "savedAt", "fingerprint", "deployment", "checksum"}) {
    bson::Builder changed;
    bson::Builder missing;
    for (const bson::Element field : whole.view()) {
      if (field.key() == name) {
        changed.append(name, "something else");
        continue;
      }
      changed.append(field.key(), field);
      missing.append(field.key(), field);
    }
    for (const bson::Builder* damaged : {&changed, &missing}) {
      const auto stored = read_position(damaged->view());
      ASSERT_FALSE(stored) << name;
      EXPECT_EQ(stored.error().react, React::kCorrupt) << name;
    }
  }
}

TEST(ReadPosition, DoesNotCallANewOwnersEpochCorrupt) {
  StoredPosition stored = sample();
  const std::string before = checksum_of(stored);
  stored.epoch = 99;
  EXPECT_EQ(checksum_of(stored), before);
}

RC_GTEST_PROP(ReadPosition, RoundTripsAnything, ()) {
  StoredPosition stored = sample();
  bson::Builder token;
  token.append("_data", *rc::gen::container<std::string>(rc::gen::inRange('0', 'F')));
  stored.position =
      Position(token.view(), {*rc::gen::arbitrary<uint32_t>(), *rc::gen::arbitrary<uint32_t>()});
  stored.saved_at_ms = *rc::gen::arbitrary<int64_t>();
  stored.fingerprint = *rc::gen::container<std::string>(rc::gen::inRange('a', 'z'));
  const auto again = read_position(saved_document(stored));
  RC_ASSERT(again.has_value() && again->has_value());
  RC_ASSERT((*again)->position == stored.position);
  RC_ASSERT((*again)->saved_at_ms == stored.saved_at_ms);
  RC_ASSERT((*again)->fingerprint == stored.fingerprint);
}

}  // namespace
}  // namespace tidemark::mongo
