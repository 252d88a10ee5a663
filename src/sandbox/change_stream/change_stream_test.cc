#include "sandbox/change_stream/change_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sandbox/change_stream/testing/log.h"

namespace tidemark::sandbox {
namespace {

constexpr ServerVersion kClassic{4, 2};
constexpr ServerVersion kMiddle{4, 4};
constexpr ServerVersion kModern{7, 0};

TEST(ChangeStream, OpensWithAHighWaterMarkOneTickBehindTheNewestEntry) {
  TestLog log;
  log.insert("shop.orders", R"({"_id": 1})");
  auto stream = must_open(log, "shop.orders", R"([{"$changeStream": {}}])");
  EXPECT_EQ(data_of(stream.post_batch_token()), "82000003E8000000022B0429296E1404");
  const Pulled first = must_pull(stream);
  EXPECT_TRUE(first.events.empty());
  EXPECT_EQ(data_of(first.token), "82000003E8000000022B0429296E1404");
}

TEST(ChangeStream, AnEventOfSevenHasItsFieldsInTheServersOrder) {
  TestLog log;
  auto stream = must_open(log, "shop.orders", R"([{"$changeStream": {"fullDocument": "updateLookup"}}])");
  log.insert("shop.orders", R"({"_id": 1, "n": 1})");
  log.update("shop.orders", R"({"_id": 1, "n": 1})", R"({"_id": 1, "n": 2})",
             R"({"updatedFields": {"n": 2}, "removedFields": [], "truncatedArrays": []})");
  log.remove("shop.orders", R"({"_id": 1, "n": 2})");
  const Pulled pulled = must_pull(stream);
  ASSERT_EQ(pulled.kinds(), "insert update delete");
  EXPECT_THAT(fields_of(pulled.events[0]),
              testing::ElementsAre("_id", "operationType", "clusterTime", "wallTime", "fullDocument", "ns",
                                   "documentKey"));
  EXPECT_THAT(fields_of(pulled.events[1]),
              testing::ElementsAre("_id", "operationType", "clusterTime", "wallTime", "fullDocument", "ns",
                                   "documentKey", "updateDescription"));
  EXPECT_TRUE(pulled.events[1].view().find("fullDocument")->is_null());
  EXPECT_THAT(fields_of(pulled.events[1].view().find("updateDescription")->document()),
              testing::ElementsAre("updatedFields", "removedFields", "truncatedArrays"));
  EXPECT_THAT(fields_of(pulled.events[2]),
              testing::ElementsAre("_id", "operationType", "clusterTime", "wallTime", "ns", "documentKey"));
  EXPECT_TRUE(pulled.token.view() == pulled.token_of(2).view());
}

TEST(ChangeStream, AnEventOfFourTwoHasNoWallTimeAndReportsWholeArrays) {
  TestLog log;
  auto stream = must_open(log, "shop.orders", R"([{"$changeStream": {}}])", kClassic);
  log.update("shop.orders", R"({"_id": 1})", R"({"_id": 1, "arr": [2, 3], "z": 1})",
             R"({"updatedFields": {"z": 1, "arr.0": 2}, "removedFields": ["d"],
                 "truncatedArrays": [{"field": "arr", "newSize": 2}]})");
  const Pulled pulled = must_pull(stream);
  ASSERT_EQ(pulled.events.size(), 1U);
  EXPECT_THAT(fields_of(pulled.events[0]), testing::ElementsAre("_id", "operationType", "clusterTime", "ns",
                                                                "documentKey", "updateDescription"));
  EXPECT_EQ(
      bson::to_json(pulled.events[0].view().find("updateDescription")->document(), bson::JsonMode::kRelaxed),
      R"({"updatedFields":{"arr":[2,3],"z":1},"removedFields":["d"]})");
}

TEST(ChangeStream, TokenAfterAFullBatchIsItsLastEventsAndAtTheEndAHighWaterMark) {
  TestLog log;
  auto stream = must_open(log, "shop.orders", R"([{"$changeStream": {}}])");
  for (int i = 0; i < 3; ++i) log.insert("shop.orders", "{\"_id\": " + std::to_string(i) + "}");
  log.insert("shop.other", R"({"_id": 1})");
  log.noop();
  const Pulled two = must_pull(stream, {.events_max = 2});
  ASSERT_EQ(two.events.size(), 2U);
  EXPECT_TRUE(two.token.view() == two.token_of(1).view());
  const Pulled rest = must_pull(stream);
  ASSERT_EQ(rest.events.size(), 1U);
  EXPECT_EQ(data_of(rest.token), "82000003E8000000052B0429296E1404");
  EXPECT_EQ(stream.position(), log.now());
}

TEST(ChangeStream, TokenStandsStillWhileNothingIsCommitted) {
  TestLog log;
  auto stream = must_open(log, "shop.orders", R"([{"$changeStream": {}}])");
  log.insert("shop.orders", R"({"_id": 1})");
  const Pulled first = must_pull(stream);
  const Pulled second = must_pull(stream);
  EXPECT_TRUE(second.events.empty());
  EXPECT_TRUE(second.token.view() == first.token_of(0).view());
}

TEST(ChangeStream, AnEventThatDoesNotFitComesInTheNextBatch) {
  TestLog log;
  auto stream = must_open(log, "shop.orders", R"([{"$changeStream": {}}])");
  const std::string text(1000, 'x');
  for (int i = 0; i < 3; ++i)
    log.insert("shop.orders", "{\"_id\": " + std::to_string(i) + ", \"t\": \"" + text + "\"}");
  const Pulled first = must_pull(stream, {.bytes_max = 2 * 1400});
  ASSERT_EQ(first.events.size(), 2U);
  EXPECT_TRUE(first.token.view() == first.token_of(1).view());
  const Pulled second = must_pull(stream, {.bytes_max = 10});
  ASSERT_EQ(second.events.size(), 1U);
  EXPECT_EQ(bson_iter_int32(&second.events[0].view().find_path("documentKey._id")->iter()), 2);
}

TEST(ChangeStream, ResumesAfterEveryTokenItGaveOut) {
  for (const ServerVersion version : {kClassic, kModern}) {
    for (const char* way : {"resumeAfter", "startAfter"}) {
      TestLog log;
      auto stream = must_open(log, "shop", R"([{"$changeStream": {}}])", version);
      for (int i = 0; i < 5; ++i) {
        log.insert(i % 2 != 0 ? "shop.a" : "shop.b", "{\"_id\": " + std::to_string(i) + "}");
        log.noop();
      }
      const Pulled all = must_pull(stream);
      ASSERT_EQ(all.events.size(), 5U);
      for (size_t i = 0; i < 5; ++i) {
        auto again = must_open(log, "shop", options(way, all.token_of(i)), version);
        EXPECT_TRUE(again.post_batch_token() == all.token_of(i).view());
        const Pulled rest = must_pull(again);
        ASSERT_EQ(rest.events.size(), 4 - i);
        for (size_t k = 0; k < rest.events.size(); ++k)
          EXPECT_TRUE(rest.events[k].view() == all.events[i + 1 + k].view());
      }
      auto end = must_open(log, "shop", options(way, all.token), version);
      EXPECT_TRUE(must_pull(end).events.empty());
    }
  }
}

TEST(ChangeStream, SevenResumesAfterATokenOfVersionOne) {
  TestLog log;
  auto old = must_open(log, "shop.a", R"([{"$changeStream": {}}])", kClassic);
  log.insert("shop.a", R"({"_id": 1})");
  log.insert("shop.a", R"({"_id": 2})");
  const Pulled events = must_pull(old);
  auto stream = must_open(log, "shop.a", options("resumeAfter", events.token_of(0)), kModern);
  const Pulled rest = must_pull(stream);
  ASSERT_EQ(rest.events.size(), 1U);
  EXPECT_THAT(data_of(rest.token_of(0)), testing::HasSubstr("2B042C0100"));
}

TEST(ChangeStream, StartsAtAnOperationTimeInclusively) {
  TestLog log;
  log.insert("shop.a", R"({"_id": 1})");
  log.insert("shop.a", R"({"_id": 2})");
  auto stream = must_open(
      log, "shop.a", R"([{"$changeStream": {"startAtOperationTime": {"$timestamp": {"t": 1000, "i": 2}}}}])");
  EXPECT_EQ(must_pull(stream).events.size(), 1U);
  auto future = must_open(
      log, "shop.a", R"([{"$changeStream": {"startAtOperationTime": {"$timestamp": {"t": 2000, "i": 1}}}}])");
  EXPECT_TRUE(must_pull(future).events.empty());
  EXPECT_EQ(data_of(future.post_batch_token()), "82000007D0000000012B0429296E1404");
}

TEST(ChangeStream, OfACollectionEndsWithDropAndItsInvalidate) {
  for (const ServerVersion version : {kClassic, kModern}) {
    TestLog log;
    auto coll = must_open(log, "shop.a", R"([{"$changeStream": {}}])", version);
    auto db = must_open(log, "shop", R"([{"$changeStream": {}}])", version);
    auto all = must_open(log, "admin", R"([{"$changeStream": {"allChangesForCluster": true}}])", version);
    log.insert("shop.a", R"({"_id": 1})");
    log.command(OpKind::kDrop, "shop.a");
    log.insert("shop.a", R"({"_id": 2})");
    const Pulled pulled = must_pull(coll);
    EXPECT_EQ(pulled.kinds(), "insert drop invalidate");
    EXPECT_TRUE(pulled.closed);
    EXPECT_TRUE(coll.invalidated());
    EXPECT_TRUE(pulled.token.view() == pulled.token_of(2).view());
    EXPECT_LT(data_of(pulled.token_of(1)), data_of(pulled.token_of(2)));
    EXPECT_FALSE(pulled.events[2].view().find("ns"));
    EXPECT_EQ(must_pull(db).kinds(), "insert drop insert");
    EXPECT_EQ(must_pull(all).kinds(), "insert drop insert");
  }
}

TEST(ChangeStream, GoesOnBehindAnInvalidateOnlyWithStartAfter) {
  for (const ServerVersion version : {kClassic, kModern}) {
    TestLog log;
    auto stream = must_open(log, "shop.a", R"([{"$changeStream": {}}])", version);
    log.command(OpKind::kDrop, "shop.a");
    log.insert("shop.a", R"({"_id": 2})");
    const Pulled pulled = must_pull(stream);
    ASSERT_EQ(pulled.kinds(), "drop invalidate");
    const auto refused = open_stream(log, "shop.a", options("resumeAfter", pulled.token_of(1)), version);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, 260);
    auto next = must_open(log, "shop.a", options("startAfter", pulled.token_of(1)), version);
    EXPECT_EQ(must_pull(next).kinds(), "insert");
    log.command(OpKind::kDrop, "shop.a");
    EXPECT_EQ(must_pull(next).kinds(), "drop invalidate");
    for (const char* way : {"resumeAfter", "startAfter"}) {
      auto after_drop = must_open(log, "shop.a", options(way, pulled.token_of(0)), version);
      const Pulled one = must_pull(after_drop);
      EXPECT_EQ(one.kinds(), "invalidate");
      EXPECT_TRUE(one.closed);
    }
  }
}

TEST(ChangeStream, EndsForBothNamesOfARename) {
  TestLog log;
  auto from = must_open(log, "shop.a", R"([{"$changeStream": {}}])");
  auto to = must_open(log, "shop.b", R"([{"$changeStream": {}}])");
  auto db = must_open(log, "shop", R"([{"$changeStream": {}}])");
  log.rename("shop.a", "shop.b");
  const Pulled pulled = must_pull(from);
  EXPECT_EQ(pulled.kinds(), "rename invalidate");
  EXPECT_THAT(fields_of(pulled.events[0]),
              testing::ElementsAre("to", "_id", "operationType", "clusterTime", "wallTime", "ns"));
  EXPECT_EQ(must_pull(to).kinds(), "rename invalidate");
  EXPECT_EQ(must_pull(db).kinds(), "rename");
}

TEST(ChangeStream, OfADatabaseEndsWithDropDatabaseAndADeploymentsNever) {
  TestLog log;
  auto db = must_open(log, "shop", R"([{"$changeStream": {}}])");
  auto all = must_open(log, "admin", R"([{"$changeStream": {"allChangesForCluster": true}}])");
  log.command(OpKind::kDrop, "shop.a");
  log.command(OpKind::kDropDatabase, "shop");
  log.insert("shop.a", R"({"_id": 2})");
  const Pulled pulled = must_pull(db);
  EXPECT_EQ(pulled.kinds(), "drop dropDatabase invalidate");
  EXPECT_EQ(bson::to_json(pulled.events[1].view().find("ns")->document()), R"({"db":"shop"})");
  EXPECT_EQ(must_pull(all).kinds(), "drop dropDatabase insert");
}

TEST(ChangeStream, AFilterThatHidesTheInvalidateStillCloses) {
  for (const ServerVersion version : {kClassic, kModern}) {
    TestLog log;
    auto stream =
        must_open(log, "shop.a", R"([{"$changeStream": {}}, {"$match": {"ns.coll": "a"}}])", version);
    log.command(OpKind::kDrop, "shop.a");
    const Pulled pulled = must_pull(stream);
    EXPECT_EQ(pulled.kinds(), "drop");
    EXPECT_TRUE(pulled.closed);
    EXPECT_EQ(pulled.token.view() == pulled.token_of(0).view(), version == kClassic);
  }
}

TEST(ChangeStream, HidesSystemCollectionsAndInternalDatabases) {
  TestLog log;
  auto db = must_open(log, "shop", R"([{"$changeStream": {}}])");
  auto all = must_open(log, "admin", R"([{"$changeStream": {"allChangesForCluster": true}}])");
  log.insert("shop.system.views", R"({"_id": 1})");
  log.insert("config.settings", R"({"_id": 1})");
  log.insert("local.x", R"({"_id": 1})");
  log.insert("admin.x", R"({"_id": 1})");
  log.insert("other.x", R"({"_id": 1})");
  EXPECT_TRUE(must_pull(db).events.empty());
  EXPECT_EQ(must_pull(all).events.size(), 1U);
}

TEST(ChangeStream, ATransactionsEventsShareTheirTimeAndDifferInTheirTokens) {
  TestLog log;
  auto stream = must_open(log, "shop", R"([{"$changeStream": {}}])");
  OplogEntry txn = log.make(OpKind::kTransaction, "admin.$cmd");
  txn.lsid = json(R"({"id": 1, "uid": 2})");
  txn.txn_number = 24;
  for (const char* ns : {"shop.a", "other.b", "shop.c"}) {
    txn.ops.push_back(TestLog::with_document(log.make(OpKind::kInsert, ns), json(R"({"_id": 1})")));
  }
  log.add(std::move(txn));
  const Pulled pulled = must_pull(stream);
  ASSERT_EQ(pulled.events.size(), 2U);
  EXPECT_THAT(fields_of(pulled.events[0]),
              testing::ElementsAre("txnNumber", "lsid", "_id", "operationType", "clusterTime", "wallTime",
                                   "fullDocument", "ns", "documentKey"));
  EXPECT_EQ(decode_token(data_of(pulled.token_of(1)), kModern)->txn_op_index, 2);
  // Resuming inside it, also when the batch ended inside it.
  auto again = must_open(log, "shop", options("resumeAfter", pulled.token_of(0)));
  const Pulled rest = must_pull(again, {.events_max = 1});
  ASSERT_EQ(rest.events.size(), 1U);
  EXPECT_TRUE(rest.events[0].view() == pulled.events[1].view());
}

TEST(ChangeStream, AChangedFilterThatHidesTheResumePointIs280OnSevenAndHarmlessOn42) {
  for (const ServerVersion version : {kClassic, kModern}) {
    TestLog log;
    auto stream = must_open(log, "shop.a", R"([{"$changeStream": {}}])", version);
    log.insert("shop.a", R"({"_id": 1})");
    log.remove("shop.a", R"({"_id": 1})");
    const Pulled pulled = must_pull(stream);
    const std::string changed =
        "[{\"$changeStream\": {\"resumeAfter\": " + bson::to_json(pulled.token_of(0)) +
        "}}, {\"$match\": {\"operationType\": \"delete\"}}]";
    auto again = must_open(log, "shop.a", changed, version);
    const auto rest = pull(again, {.get_more = false});
    if (version == kClassic) {
      ASSERT_TRUE(rest);
      EXPECT_EQ(rest->kinds(), "delete");
    } else {
      ASSERT_FALSE(rest);
      EXPECT_EQ(rest.error().code, 280);
      EXPECT_THAT(rest.error().labels, testing::ElementsAre("NonResumableChangeStreamError"));
      EXPECT_THAT(rest.error().message,
                  testing::StartsWith(
                      "PlanExecutor error during aggregation :: caused by :: cannot resume stream; the "
                      "resume token was not found. {_data: \"82000003E800000002"));
    }
  }
}

TEST(ChangeStream, ATokenOfAnotherCollectionIsNotFound) {
  for (const ServerVersion version : {kClassic, kMiddle, kModern}) {
    TestLog log;
    auto stream = must_open(log, "shop.a", R"([{"$changeStream": {}}])", version);
    log.insert("shop.a", R"({"_id": 1})");
    const Pulled pulled = must_pull(stream);
    auto other = must_open(log, "shop.b", options("resumeAfter", pulled.token_of(0)), version);
    EXPECT_TRUE(must_pull(other).events.empty());
    log.insert("shop.b", R"({"_id": 1})");
    const auto rest = pull(other);
    ASSERT_FALSE(rest);
    EXPECT_EQ(rest.error().code, version == kClassic ? 40585 : 280);
    EXPECT_EQ(rest.error().labels.empty(), version == kClassic);
  }
}

TEST(ChangeStream, LostHistoryIs40576On42And286From44On) {
  for (const ServerVersion version : {kClassic, kMiddle, kModern}) {
    TestLog log;
    auto stream = must_open(log, "shop.a", R"([{"$changeStream": {}}])", version);
    log.insert("shop.a", R"({"_id": 1})");
    log.insert("shop.a", R"({"_id": 2})");
    const Pulled pulled = must_pull(stream);
    log.insert("shop.a", R"({"_id": 3})");
    log.oplog().truncate_before({1000, 3});
    auto again = must_open(log, "shop.a", options("resumeAfter", pulled.token_of(0)), version);
    const auto rest = pull(again, {.get_more = false});
    ASSERT_FALSE(rest);
    EXPECT_EQ(rest.error().code, version == kClassic ? 40576 : 286);
    if (version != kClassic) {
      EXPECT_THAT(rest.error().labels, testing::ElementsAre("NonResumableChangeStreamError"));
    }
  }
}

TEST(ChangeStream, AnOpenStreamThatTheOplogLeavesBehindLosesItsPosition) {
  TestLog log;
  auto stream = must_open(log, "shop.a", R"([{"$changeStream": {}}])");
  log.insert("shop.a", R"({"_id": 1})");
  EXPECT_EQ(must_pull(stream).events.size(), 1U);
  log.oplog().truncate_before({1000, 2});  // what was read may go
  log.insert("shop.a", R"({"_id": 2})");
  EXPECT_EQ(must_pull(stream).events.size(), 1U);
  log.insert("shop.a", R"({"_id": 3})");
  log.insert("shop.a", R"({"_id": 4})");
  log.oplog().truncate_before({1000, 4});
  const auto rest = pull(stream);
  ASSERT_FALSE(rest);
  EXPECT_EQ(rest.error().code, 136);
}

TEST(ChangeStream, OnlyCommittedChangesAreShown) {
  TestLog log;
  auto stream = must_open(log, "shop.a", R"([{"$changeStream": {}}])");
  OplogEntry entry = TestLog::with_document(log.make(OpKind::kInsert, "shop.a"), json(R"({"_id": 1})"));
  entry.time = {{1000, 500}, 1};
  log.oplog().append(std::make_shared<const OplogEntry>(std::move(entry)));
  EXPECT_TRUE(must_pull(stream).events.empty());
  log.oplog().set_commit_point({{1000, 500}, 1});
  EXPECT_EQ(must_pull(stream).events.size(), 1U);
}

}  // namespace
}  // namespace tidemark::sandbox
