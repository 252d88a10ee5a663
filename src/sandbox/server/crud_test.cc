#include "bson/json.h"
#include "sandbox/server/testing/client.h"

namespace tidemark::sandbox {
namespace {

class Crud : public SetTest {
 protected:
  void SetUp() override {
    start();
    client = connect(0);
  }
  std::unique_ptr<TestClient> client;
};

TEST_F(Crud, InsertsUpdatesFindsAndDeletes) {
  const auto inserted = client->ok("t", R"({"insert":"a","documents":[{"_id":1,"x":1},{"_id":2,"x":2}]})");
  EXPECT_EQ(number(inserted, "n"), 2);
  EXPECT_TRUE(inserted.view().find("electionId"));
  EXPECT_TRUE(inserted.view().find_path("opTime.ts"));
  const auto updated = client->ok("t", R"({"update":"a","updates":[{"q":{"_id":1},"u":{"$set":{"y":5}}}]})");
  EXPECT_EQ(number(updated, "nModified"), 1);
  const auto found = client->ok("t", R"({"find":"a","filter":{"_id":1}})");
  EXPECT_EQ(number(found, "cursor.firstBatch.0.y"), 5);
  EXPECT_EQ(number(found, "cursor.id"), 0);
  EXPECT_EQ(number(client->ok("t", R"({"delete":"a","deletes":[{"q":{},"limit":0}]})"), "n"), 2);
  EXPECT_EQ(number(client->ok("t", R"({"count":"a"})"), "n"), 0);
}

TEST_F(Crud, ReportsDuplicateKeysPerStatement) {
  client->ok("t", R"({"insert":"a","documents":[{"_id":1}]})");
  const auto ordered = client->ok("t", R"({"insert":"a","documents":[{"_id":1},{"_id":3}]})");
  EXPECT_EQ(number(ordered, "n"), 0);
  EXPECT_EQ(number(ordered, "writeErrors.0.code"), 11000);
  EXPECT_EQ(length(ordered, "writeErrors"), 1u);
  const auto unordered =
      client->ok("t", R"({"insert":"a","ordered":false,"documents":[{"_id":1},{"_id":4},{"_id":1}]})");
  EXPECT_EQ(number(unordered, "n"), 1);
  EXPECT_EQ(number(unordered, "writeErrors.1.index"), 2);
}

TEST_F(Crud, UpsertsAndSaysWhichId) {
  const auto reply =
      client->ok("t", R"({"update":"a","updates":[{"q":{"_id":9},"u":{"$set":{"y":1}},"upsert":true}]})");
  EXPECT_EQ(number(reply, "n"), 1);
  EXPECT_EQ(number(reply, "nModified"), 0);
  EXPECT_EQ(number(reply, "upserted.0._id"), 9);
}

TEST_F(Crud, FindsAndModifies) {
  client->ok("t", R"({"insert":"a","documents":[{"_id":1,"n":1}]})");
  const auto reply =
      client->ok("t", R"({"findAndModify":"a","query":{"_id":1},"update":{"$inc":{"n":1}},"new":true})");
  EXPECT_EQ(number(reply, "value.n"), 2);
  EXPECT_TRUE(reply.view().find_path("lastErrorObject.updatedExisting")->truthy());
  const auto removed = client->ok("t", R"({"findAndModify":"a","query":{"_id":1},"remove":true})");
  EXPECT_EQ(number(removed, "value.n"), 2);
  EXPECT_TRUE(client->ok("t", R"({"findAndModify":"a","query":{"_id":1},"remove":true})")
                  .view()
                  .find("value")
                  ->is_null());
}

TEST_F(Crud, MinStartsAtAnIdWhateverTheTypesBehindIt) {
  client->ok(
      "t",
      R"({"insert":"a","documents":[{"_id":"b"},{"_id":3},{"_id":true},{"_id":1},{"_id":2.5},{"_id":"a"}]})");
  const auto from = [&](const char* min) {
    const auto reply = client->ok(
        "t", std::string(R"({"find":"a","hint":{"_id":1},"projection":{"_id":1},"min":)") + min + "}");
    return bson::to_json(reply.view().find_path("cursor.firstBatch")->document(), bson::JsonMode::kRelaxed);
  };
  EXPECT_EQ(from(R"({"_id":2})"),
            R"({"0":{"_id":2.5},"1":{"_id":3},"2":{"_id":"a"},"3":{"_id":"b"},"4":{"_id":true}})");
  EXPECT_EQ(from(R"({"_id":"b"})"), R"({"0":{"_id":"b"},"1":{"_id":true}})");
  EXPECT_EQ(from(R"({"_id":{"$maxKey":1}})"), "{}");
}

TEST_F(Crud, MinNeedsItsHintAndFitsIt) {
  EXPECT_EQ(client->code("t", R"({"find":"a","min":{"_id":1}})"), 51173);
  EXPECT_EQ(client->code("t", R"({"find":"a","min":{"x":1},"hint":{"_id":1}})"), 51174);
  EXPECT_EQ(client->code("t", R"({"find":"a","min":{"_id":1},"hint":{"_id":1},"sort":{"x":1}})"), 238);
  EXPECT_EQ(client->code("t", R"({"find":"a","min":{"x":1},"hint":{"x":1}})"), 238);
  EXPECT_EQ(client->code("t", R"({"find":"a","max":{"_id":1},"hint":{"_id":1}})"), 238);
}

TEST_F(Crud, HandsOutResultsInBatches) {
  client->ok("t", R"({"insert":"a","documents":[{"_id":1},{"_id":2},{"_id":3}]})");
  const auto first = client->ok("t", R"({"find":"a","batchSize":2})");
  EXPECT_EQ(length(first, "cursor.firstBatch"), 2u);
  bson::Builder more;
  more.append("getMore", number(first, "cursor.id")).append("collection", "a");
  const auto rest = client->run("t", more.view());
  EXPECT_EQ(number(rest, "cursor.nextBatch.0._id"), 3);
  EXPECT_EQ(number(rest, "cursor.id"), 0);
  EXPECT_EQ(number(client->run("t", more.view()), "code"), 43);
  EXPECT_EQ(client->code("t", R"({"getMore":{"$numberLong":"12345"},"collection":"a"})"), 43);
}

TEST_F(Crud, DoesARetriedWriteOnlyOnceEvenAfterAFailover) {
  const char* insert =
      R"({"insert":"a","documents":[{"_id":1},{"_id":2}],"lsid":{"id":{"$binary":"AAAAAAAAAAAAAAAAAAAAAA==","$type":"04"}},
      "txnNumber":{"$numberLong":"1"}})";
  const char* increment =
      R"({"update":"a","updates":[{"q":{"_id":1},"u":{"$inc":{"n":1}}}],"lsid":{"id":{"$binary":"AAAAAAAAAAAAAAAAAAAAAA==","$type":"04"}},
      "txnNumber":{"$numberLong":"2"}})";
  EXPECT_EQ(number(client->ok("t", insert), "n"), 2);
  const auto again = client->ok("t", insert);
  EXPECT_EQ(number(again, "n"), 2);
  EXPECT_FALSE(again.view().find("writeErrors"));
  client->ok("t", increment);
  ASSERT_TRUE(set->step_down());
  auto other = connect_primary();
  EXPECT_EQ(number(other->ok("t", increment), "nModified"), 1);
  EXPECT_EQ(number(other->ok("t", R"({"find":"a","filter":{"_id":1}})"), "cursor.firstBatch.0.n"), 1);
  EXPECT_EQ(other->code("t", insert), 225) << "an older number than the session's newest";
}

TEST_F(Crud, CommitsATransactionAsAWholeAndHidesItBefore) {
  client->ok("t", R"({"insert":"a","documents":[{"_id":0}]})");
  const std::string session =
      R"("lsid":{"id":{"$binary":"AAAAAAAAAAAAAAAAAAAAAQ==","$type":"04"}},"txnNumber":{"$numberLong":"1"},"autocommit":false)";
  client->ok("t", R"({"insert":"a","documents":[{"_id":1}],"startTransaction":true,)" + session + "}");
  client->ok("t", R"({"update":"a","updates":[{"q":{"_id":0},"u":{"$set":{"x":1}}}],)" + session + "}");
  EXPECT_EQ(length(client->ok("t", R"({"find":"a",)" + session + "}"), "cursor.firstBatch"), 2u);
  auto other = connect(0);
  EXPECT_EQ(number(other->ok("t", R"({"count":"a"})"), "n"), 1);
  client->ok("admin", R"({"commitTransaction":1,)" + session + "}");
  client->ok("admin", R"({"commitTransaction":1,)" + session + "}");
  EXPECT_EQ(number(other->ok("t", R"({"count":"a"})"), "n"), 2);
}

TEST_F(Crud, RefusesATransactionThatConflicts) {
  client->ok("t", R"({"insert":"a","documents":[{"_id":0,"n":0}]})");
  const std::string session =
      R"("lsid":{"id":{"$binary":"AAAAAAAAAAAAAAAAAAAAAg==","$type":"04"}},"txnNumber":{"$numberLong":"1"},"autocommit":false)";
  client->ok("t",
             R"({"update":"a","updates":[{"q":{"_id":0},"u":{"$inc":{"n":1}}}],"startTransaction":true,)" +
                 session + "}");
  connect(0)->ok("t", R"({"update":"a","updates":[{"q":{"_id":0},"u":{"$inc":{"n":10}}}]})");
  const auto reply = client->run("admin", R"({"commitTransaction":1,)" + session + "}");
  EXPECT_EQ(number(reply, "code"), 112);
  EXPECT_EQ(text(reply, "errorLabels.0"), "TransientTransactionError");
  EXPECT_EQ(number(client->ok("t", R"({"find":"a"})"), "cursor.firstBatch.0.n"), 10);
}

TEST_F(Crud, LetsOnlyOneOfTwoTransactionsWriteADocument) {
  client->ok("t", R"({"insert":"a","documents":[{"_id":0,"n":0}]})");
  const auto session = [](const std::string& letter) {
    return R"("lsid":{"id":{"$binary":"AAAAAAAAAAAAAAAAAAAA)" + letter +
           R"(Q==","$type":"04"}},"txnNumber":{"$numberLong":"1"},"autocommit":false)";
  };
  const std::string update =
      R"({"update":"a","updates":[{"q":{"_id":0},"u":{"$inc":{"n":1}}}],"startTransaction":true,)";
  client->ok("t", update + session("B") + "}");
  auto other = connect(0);
  const auto refused = other->run("t", update + session("C") + "}");
  EXPECT_EQ(number(refused, "code"), 112);
  EXPECT_EQ(text(refused, "errorLabels.0"), "TransientTransactionError");
  client->ok("t", R"({"update":"a","updates":[{"q":{"_id":0},"u":{"$inc":{"n":1}}}],)" + session("B") + "}");
  client->ok("admin", R"({"commitTransaction":1,)" + session("B") + "}");
  EXPECT_EQ(number(client->ok("t", R"({"find":"a"})"), "cursor.firstBatch.0.n"), 2);
  other->ok("t", update + session("D") + "}");
}

TEST_F(Crud, RefusesToWriteWhatChangedSinceATransactionReadIt) {
  client->ok("t", R"({"insert":"a","documents":[{"_id":0,"n":0}]})");
  const std::string session =
      R"("lsid":{"id":{"$binary":"AAAAAAAAAAAAAAAAAAAAEQ==","$type":"04"}},"txnNumber":{"$numberLong":"1"},"autocommit":false)";
  client->ok("t", R"({"find":"a","startTransaction":true,)" + session + "}");
  connect(0)->ok("t", R"({"update":"a","updates":[{"q":{"_id":0},"u":{"$inc":{"n":10}}}]})");
  EXPECT_EQ(
      client->code("t", R"({"update":"a","updates":[{"q":{"_id":0},"u":{"$inc":{"n":1}}}],)" + session + "}"),
      112);
}

TEST_F(Crud, AbortsATransaction) {
  const std::string session =
      R"("lsid":{"id":{"$binary":"AAAAAAAAAAAAAAAAAAAAAw==","$type":"04"}},"txnNumber":{"$numberLong":"1"},"autocommit":false)";
  client->ok("t", R"({"insert":"a","documents":[{"_id":1}],"startTransaction":true,)" + session + "}");
  client->ok("admin", R"({"abortTransaction":1,)" + session + "}");
  EXPECT_EQ(number(client->ok("t", R"({"count":"a"})"), "n"), 0);
  EXPECT_EQ(client->code("admin", R"({"commitTransaction":1,)" + session + "}"), 251);
}

TEST_F(Crud, KeepsWriteConcernsOrSaysWhyNot) {
  const auto too_many =
      client->ok("t", R"({"insert":"a","documents":[{"q":1}],"writeConcern":{"w":9,"wtimeout":200}})");
  EXPECT_EQ(number(too_many, "writeConcernError.code"), 100);
  set->set_replicating(1, false);
  set->set_replicating(2, false);
  const auto late = client->ok(
      "t", R"({"insert":"a","documents":[{"q":1}],"writeConcern":{"w":"majority","wtimeout":20}})");
  EXPECT_EQ(number(late, "writeConcernError.code"), 64);
  EXPECT_TRUE(late.view().find_path("writeConcernError.errInfo.wtimeout")->truthy());
  set->set_replicating(1, true);
  EXPECT_FALSE(client->ok("t", R"({"insert":"a","documents":[{"q":1}],"writeConcern":{"w":2}})")
                   .view()
                   .find("writeConcernError"));
}

TEST_F(Crud, CreatesRenamesAndDropsCollections) {
  client->ok("t", R"({"create":"c"})");
  EXPECT_EQ(client->code("t", R"({"create":"c","capped":true,"size":4096})"), 48);
  client->ok("admin", R"({"renameCollection":"t.c","to":"t.d"})");
  EXPECT_EQ(text(client->ok("t", R"({"listCollections":1})"), "cursor.firstBatch.0.name"), "d");
  const auto indexed =
      client->ok("t", R"({"createIndexes":"d","indexes":[{"key":{"k":1},"name":"k_1","unique":true}]})");
  EXPECT_EQ(number(indexed, "numIndexesAfter"), 2);
  EXPECT_EQ(length(client->ok("t", R"({"listIndexes":"d"})"), "cursor.firstBatch"), 2u);
  client->ok("t", R"({"drop":"d"})");
  client->ok("t", R"({"dropDatabase":1})");
  EXPECT_EQ(length(client->ok("t", R"({"listCollections":1})"), "cursor.firstBatch"), 0u);
}

TEST_F(Crud, ShowsTheOplogOldestAndNewestFirst) {
  client->ok("t", R"({"insert":"a","documents":[{"_id":1}]})");
  const auto oldest = client->ok("local", R"({"find":"oplog.rs","sort":{"$natural":1},"limit":1})");
  EXPECT_EQ(text(oldest, "cursor.firstBatch.0.op"), "n");
  const auto newest = client->ok("local", R"({"find":"oplog.rs","sort":{"$natural":-1},"limit":1})");
  EXPECT_EQ(text(newest, "cursor.firstBatch.0.op"), "i");
  EXPECT_EQ(number(newest, "cursor.firstBatch.0.o._id"), 1);
}

TEST_F(Crud, ReadsOnASecondaryOnlyWhenAllowed) {
  client->ok("t", R"({"insert":"a","documents":[{"_id":1}],"writeConcern":{"w":3}})");
  auto secondary = connect(1);
  EXPECT_EQ(secondary->code("t", R"({"find":"a"})"), 13435);
  EXPECT_EQ(length(secondary->ok("t", R"({"find":"a","$readPreference":{"mode":"secondary"}})"),
                   "cursor.firstBatch"),
            1u);
  const auto refused = secondary->run(
      "t",
      R"({"insert":"a","documents":[{"_id":2}],"lsid":{"id":{"$binary":"AAAAAAAAAAAAAAAAAAAABA==","$type":"04"}},"txnNumber":{"$numberLong":"1"}})");
  EXPECT_EQ(number(refused, "code"), 10107);
  EXPECT_EQ(text(refused, "errorLabels.0"), "RetryableWriteError");
  EXPECT_TRUE(refused.view().find("topologyVersion"));
}

TEST_F(Crud, AggregatesAndCountsDistinctValues) {
  client->ok("t", R"({"insert":"a","documents":[{"_id":1,"n":1},{"_id":2,"n":[1,2]},{"_id":3,"n":2}]})");
  const auto grouped =
      client->ok("t", R"({"aggregate":"a","pipeline":[{"$group":{"_id":null,"n":{"$sum":1}}}],"cursor":{}})");
  EXPECT_EQ(number(grouped, "cursor.firstBatch.0.n"), 3);
  EXPECT_EQ(length(client->ok("t", R"({"distinct":"a","key":"n"})"), "values"), 2u);
  EXPECT_EQ(client->code("t", R"({"aggregate":"a","pipeline":[{"$nope":1}],"cursor":{}})"), 40324);
  EXPECT_EQ(client->code("t", R"({"aggregate":"a","pipeline":[]})"), 9);
}

}  // namespace
}  // namespace tidemark::sandbox
