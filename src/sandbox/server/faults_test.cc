#include "sandbox/server/testing/client.h"

namespace tidemark::sandbox {
namespace {

class Faults : public SetTest {
 protected:
  void SetUp() override {
    start();
    client = connect(0);
  }
  // Opens a change stream on t.a and returns its cursor.
  int64_t open_stream(TestClient& on) {
    return number(on.ok("t", R"({"aggregate":"a","pipeline":[{"$changeStream":{}}],"cursor":{}})"),
                  "cursor.id");
  }
  static bson::Document get_more(int64_t id, int32_t wait_ms) {
    bson::Builder more;
    more.append("getMore", id).append("collection", "a").append("maxTimeMS", wait_ms);
    return more.finish();
  }
  std::unique_ptr<TestClient> client;
};

TEST_F(Faults, StreamsChangesAndAPostBatchToken) {
  const int64_t id = open_stream(*client);
  connect(0)->ok("t", R"({"insert":"a","documents":[{"_id":1}]})");
  const auto reply = client->run("t", get_more(id, 20'000));
  EXPECT_EQ(text(reply, "cursor.nextBatch.0.operationType"), "insert");
  EXPECT_FALSE(text(reply, "cursor.postBatchResumeToken._data").empty());
  const auto empty = client->run("t", get_more(id, 1));
  EXPECT_EQ(length(empty, "cursor.nextBatch"), 0u);
  EXPECT_EQ(number(empty, "cursor.id"), id);
}

TEST_F(Faults, WakesAWaitingStreamAsSoonAsAChangeIsCommitted) {
  const int64_t id = open_stream(*client);
  ASSERT_TRUE(client->send("t", get_more(id, 600'000)));
  connect(0)->ok("t", R"({"insert":"a","documents":[{"_id":1}]})");
  const auto reply = client->receive();
  ASSERT_TRUE(reply);
  EXPECT_EQ(length(*reply, "cursor.nextBatch"), 1u);
}

TEST_F(Faults, EndsAWaitingStreamWhenItsCursorIsKilled) {
  const int64_t id = open_stream(*client);
  ASSERT_TRUE(client->send("t", get_more(id, 600'000)));
  bson::Builder kill;
  bson::Builder ids;
  ids.append("0", id);
  kill.append("killCursors", "a").append_array("cursors", ids.view());
  EXPECT_EQ(length(connect(0)->run("t", kill.view()), "cursorsKilled"), 1u);
  const auto reply = client->receive();
  ASSERT_TRUE(reply);
  EXPECT_TRUE(number(*reply, "code") == 237 || number(*reply, "code") == 43) << number(*reply, "code");
  EXPECT_EQ(number(client->run("t", get_more(id, 1)), "code"), 43);
}

TEST_F(Faults, KillsTheCursorOfADatabasesStream) {
  const auto opened = client->ok("t", R"({"aggregate":1,"pipeline":[{"$changeStream":{}}],"cursor":{}})");
  EXPECT_EQ(text(opened, "cursor.ns"), "t.$cmd.aggregate");
  bson::Builder kill;
  bson::Builder ids;
  ids.append("0", number(opened, "cursor.id"));
  kill.append("killCursors", "$cmd.aggregate").append_array("cursors", ids.view());
  EXPECT_EQ(length(client->run("t", kill.view()), "cursorsKilled"), 1u);
}

TEST_F(Faults, LeavesConnectionsOpenThroughAStepDown) {
  const int64_t id = open_stream(*client);
  ASSERT_TRUE(connect(1)->ok("admin", R"({"sandbox":"stepDown"})"));
  const auto hello = client->ok("admin", R"({"hello":1})");
  EXPECT_FALSE(hello.view().find("isWritablePrimary")->truthy());
  connect_primary()->ok("t", R"({"insert":"a","documents":[{"_id":1}],"writeConcern":{"w":3}})");
  // An idle cursor goes on where it stood, on a member that is a secondary now.
  EXPECT_EQ(length(client->run("t", get_more(id, 20'000)), "cursor.nextBatch"), 1u);
}

TEST_F(Faults, CutsConnectionsOfAKilledMemberAndElectsAnother) {
  client->ok("t", R"({"insert":"a","documents":[{"_id":1}],"writeConcern":{"w":"majority"}})");
  connect(1)->ok("admin", R"({"sandbox":"kill","member":0})");
  EXPECT_FALSE(client->run("admin", R"({"ping":1})"));
  EXPECT_FALSE(connect(0)->connected());
  auto other = connect_primary();
  EXPECT_EQ(number(other->ok("t", R"({"count":"a"})"), "n"), 1);
  other->ok("admin", R"({"sandbox":"restart","member":0})");
  auto back = connect(0);
  ASSERT_TRUE(back->connected());
  other->ok("t", R"({"insert":"a","documents":[{"_id":2}],"writeConcern":{"w":3}})");
  EXPECT_EQ(number(back->ok("t", R"({"count":"a","$readPreference":{"mode":"secondary"}})"), "n"), 2);
}

TEST_F(Faults, KillsTheMemberThatIsAsked) {
  EXPECT_FALSE(client->run("admin", R"({"sandbox":"kill","member":0})"));
  EXPECT_TRUE(set->wait_for_primary(std::chrono::seconds(20)));
}

TEST_F(Faults, RollsBackWhatAPartitionedPrimaryTook) {
  client->ok("t", R"({"insert":"a","documents":[{"_id":1}],"writeConcern":{"w":3}})");
  client->ok("admin", R"({"sandbox":"partition","member":0})");
  const auto lost = client->run("t", R"({"insert":"a","documents":[{"_id":"lost"}],"writeConcern":{"w":1}})");
  auto other = connect_primary();
  other->ok("t", R"({"insert":"a","documents":[{"_id":2}],"writeConcern":{"w":"majority"}})");
  other->ok("admin", R"({"sandbox":"heal"})");
  other->ok("t", R"({"insert":"a","documents":[{"_id":3}],"writeConcern":{"w":3}})");
  EXPECT_EQ(number(client->ok("t", R"({"count":"a","$readPreference":{"mode":"secondary"}})"), "n"), 3);
  if (number(lost, "ok") == 1) {
    EXPECT_EQ(set->status(0).rollbacks, 1);
  }
}

TEST_F(Faults, StallsThePausedMemberUntilItIsResumed) {
  auto other = connect(1);
  other->ok("admin", R"({"sandbox":"pause","member":0})");
  ASSERT_TRUE(client->send("admin", doc(R"({"hello":1})")));
  ASSERT_TRUE(set->wait_for_primary(std::chrono::seconds(20)));
  other->ok("admin", R"({"sandbox":"resume","member":0})");
  const auto reply = client->receive();
  ASSERT_TRUE(reply);
  EXPECT_FALSE(reply->view().find("isWritablePrimary")->truthy())
      << "it learned of the election before it answered";
}

TEST_F(Faults, FailsCommandsAsTheFailPointSays) {
  client->ok(
      "admin",
      R"({"configureFailPoint":"failCommand","mode":{"times":1},"data":{"failCommands":["find"],"errorCode":91}})");
  const auto reply = client->run("t", R"({"find":"a"})");
  EXPECT_EQ(number(reply, "code"), 91);
  EXPECT_EQ(text(reply, "codeName"), "ShutdownInProgress");
  client->ok("t", R"({"find":"a"})");
  client->ok(
      "admin",
      R"({"configureFailPoint":"failCommand","mode":{"times":1},"data":{"failCommands":["insert"],"writeConcernError":{"code":64,"errmsg":"x"}}})");
  EXPECT_EQ(number(client->ok("t", R"({"insert":"a","documents":[{"_id":1}]})"), "writeConcernError.code"),
            64);
  client->ok(
      "admin",
      R"({"configureFailPoint":"failCommand","mode":{"times":1},"data":{"failCommands":["ping"],"closeConnection":true}})");
  EXPECT_FALSE(client->run("admin", R"({"ping":1})"));
}

TEST_F(Faults, FailsTheNextGetMoreOfAnyStreamWithALabel) {
  const int64_t id = open_stream(*client);
  client->ok("admin", R"({"sandbox":"failStream","errorCode":11602})");
  const auto reply = client->run("t", get_more(id, 1));
  EXPECT_EQ(number(reply, "code"), 11602);
  EXPECT_EQ(text(reply, "errorLabels.0"), "ResumableChangeStreamError");
  EXPECT_EQ(number(client->run("t", get_more(id, 1)), "code"), 43);
}

TEST_F(Faults, LosesHistoryWhenTheOplogIsTruncated) {
  const auto opened = client->ok("t", R"({"aggregate":"a","pipeline":[{"$changeStream":{}}],"cursor":{}})");
  const std::string token = text(opened, "cursor.postBatchResumeToken._data");
  client->ok("t", R"({"insert":"a","documents":[{"_id":1},{"_id":2}],"writeConcern":{"w":3}})");
  client->ok("admin", R"({"sandbox":"truncateOplog","keep":1})");
  const auto reply =
      client->run("t", R"({"aggregate":"a","pipeline":[{"$changeStream":{"resumeAfter":{"_data":")" + token +
                           R"("}}}],"cursor":{}})");
  EXPECT_EQ(number(reply, "code"), 286) << text(reply, "errmsg");
}

TEST_F(Faults, LooksUpOnlyWhatAMajorityHas) {
  client->ok("t", R"({"insert":"a","documents":[{"_id":1,"x":1}],"writeConcern":{"w":3}})");
  const auto opened = client->ok(
      "t", R"({"aggregate":"a","pipeline":[{"$changeStream":{"fullDocument":"updateLookup"}}],"cursor":{}})");
  client->ok("t",
             R"({"update":"a","updates":[{"q":{"_id":1},"u":{"$set":{"x":2}}}],"writeConcern":{"w":3}})");
  set->set_replicating(1, false);
  set->set_replicating(2, false);
  client->ok("t",
             R"({"update":"a","updates":[{"q":{"_id":1},"u":{"$set":{"x":3}}}],"writeConcern":{"w":1}})");
  const auto reply = client->run("t", get_more(number(opened, "cursor.id"), 20'000));
  EXPECT_EQ(length(reply, "cursor.nextBatch"), 1u);
  EXPECT_EQ(number(reply, "cursor.nextBatch.0.fullDocument.x"), 2);
  EXPECT_EQ(client->code("t", R"({"find":"a","readConcern":{"level":"majority"},"maxTimeMS":30})"), 50)
      << "a majority read waits for what it saw";
  set->set_replicating(1, true);
  const auto found = client->ok("t", R"({"find":"a","readConcern":{"level":"majority"}})");
  EXPECT_EQ(number(found, "cursor.firstBatch.0.x"), 3);
}

TEST_F(Faults, ASnapshotNamesItsTimeAndWaitsForTheMajority) {
  client->ok("t", R"({"insert":"a","documents":[{"_id":1}],"writeConcern":{"w":3}})");
  const char* count =
      R"({"aggregate":"a","pipeline":[{"$count":"n"}],"cursor":{},"readConcern":{"level":"snapshot"},
                          "maxTimeMS":30})";
  const auto reply = client->ok("t", count);
  EXPECT_EQ(number(reply, "cursor.firstBatch.0.n"), 1);
  const auto at = reply.view().find_path("cursor.atClusterTime");
  ASSERT_TRUE(at);
  EXPECT_EQ(at->type(), BSON_TYPE_TIMESTAMP);
  set->set_replicating(1, false);
  set->set_replicating(2, false);
  client->ok("t", R"({"insert":"a","documents":[{"_id":2}],"writeConcern":{"w":1}})");
  EXPECT_EQ(client->code("t", count), 50);
  set->set_replicating(1, true);
}

TEST_F(Faults, DropsOpenTransactionsWithThePrimarysRole) {
  const std::string session =
      R"("lsid":{"id":{"$binary":"AAAAAAAAAAAAAAAAAAAABQ==","$type":"04"}},"txnNumber":{"$numberLong":"1"},"autocommit":false)";
  client->ok("t", R"({"insert":"a","documents":[{"_id":1}],"startTransaction":true,)" + session + "}");
  ASSERT_TRUE(set->step_down());
  const auto here = client->run("admin", R"({"commitTransaction":1,)" + session + "}");
  EXPECT_EQ(number(here, "code"), 10107);
  EXPECT_EQ(text(here, "errorLabels.0"), "RetryableWriteError");
  const auto there = connect_primary()->run("admin", R"({"commitTransaction":1,)" + session + "}");
  EXPECT_EQ(number(there, "code"), 251);
  EXPECT_EQ(text(there, "errorLabels.0"), "TransientTransactionError");
}

TEST_F(Faults, TellsItsState) {
  const auto status = client->ok("admin", R"({"sandbox":"status"})");
  EXPECT_EQ(length(status, "members"), 3u);
  EXPECT_TRUE(status.view().find_path("members.0.primary")->truthy());
  EXPECT_EQ(client->code("admin", R"({"sandbox":"nope"})"), 2);
  EXPECT_EQ(client->code("admin", R"({"sandbox":"kill","member":7})"), 2);
}

TEST_F(Faults, EndsWhileClientsWait) {
  const int64_t id = open_stream(*client);
  ASSERT_TRUE(client->send("t", get_more(id, 600'000)));
  set->stop();
  client->receive();
  EXPECT_FALSE(client->run("admin", R"({"ping":1})"));
}

}  // namespace
}  // namespace tidemark::sandbox
