#include "sandbox/server/testing/client.h"

namespace tidemark::sandbox {
namespace {

class Router : public SetTest {
 protected:
  void SetUp() override {
    ReplicaSetOptions options;
    options.members = 1;
    options.router = true;
    options.version = {4, 4};
    start(options);
    client = connect(0);
  }
  int64_t watch() {
    return number(client->ok("t", R"({"aggregate":"c","pipeline":[{"$changeStream":{}}],"cursor":{}})"),
                  "cursor.id");
  }
  bson::Document more(int64_t stream) {
    bson::Builder ask;
    ask.append("getMore", stream).append("collection", "c").append("maxTimeMS", 500);
    return client->run("t", ask.view());
  }
  std::unique_ptr<TestClient> client;
};

TEST_F(Router, SaysThatItIsOneAndNamesNoSet) {
  const auto hello = client->ok("admin", R"({"isMaster":1})");
  EXPECT_EQ(text(hello, "msg"), "isdbgrid");
  EXPECT_FALSE(hello.view().find("setName"));
  EXPECT_FALSE(hello.view().find("hosts"));
  EXPECT_TRUE(hello.view().find("ismaster")->truthy());
  EXPECT_EQ(set->uri(), "mongodb://" + set->address(0) + "/");
  EXPECT_EQ(text(client->ok("admin", R"({"serverStatus":1})"), "process"), "mongos");
}

TEST_F(Router, HasNoLocalDatabaseAndKnowsNothingOfSets) {
  const auto local = client->run("local", R"({"find":"oplog.rs"})");
  EXPECT_EQ(number(local, "code"), 20);
  EXPECT_EQ(text(local, "errmsg"), "Can't use 'local' database through mongos");
  EXPECT_EQ(client->code("admin", R"({"replSetGetConfig":1})"), 59);
  const auto status = client->run("admin", R"({"replSetGetStatus":1})");
  EXPECT_EQ(text(status, "errmsg"), "replSetGetStatus is not supported through mongos");
  EXPECT_FALSE(status.view().find("code"));
  const auto names = client->ok("admin", R"({"listDatabases":1,"nameOnly":true})");
  for (const auto& item : names.view().find("databases")->document())
    EXPECT_NE(text(item.document(), "name"), "local");
}

TEST_F(Router, NamesTheShardKeyInTheKeyOfEveryEvent) {
  client->ok("admin", R"({"shardCollection":"t.c","key":{"k":1}})");
  const int64_t stream = watch();
  client->ok("t", R"({"insert":"c","documents":[{"_id":1,"k":7}]})");
  client->ok("t", R"({"update":"c","updates":[{"q":{"_id":1},"u":{"$set":{"v":1}}}]})");
  client->ok("t", R"({"delete":"c","deletes":[{"q":{"_id":1},"limit":1}]})");
  const auto events = more(stream);
  for (const auto* at : {"0", "1", "2"}) {
    const auto key = events.view().find_path("cursor.nextBatch." + std::string(at) + ".documentKey");
    ASSERT_TRUE(key) << at;
    EXPECT_EQ((*key->document().begin()).key(), "k") << at;
    EXPECT_EQ(number(key->document(), "k"), 7) << at;
    EXPECT_EQ(number(key->document(), "_id"), 1) << at;
  }
}

TEST_F(Router, AMoveToAnotherShardIsADeleteAndAnInsertInEitherOrder) {
  client->ok("admin", R"({"shardCollection":"t.c","key":{"k":1}})");
  client->ok("t", R"({"insert":"c","documents":[{"_id":1,"k":1}]})");
  const int64_t stream = watch();
  client->ok("t", R"({"update":"c","updates":[{"q":{"_id":1,"k":1},"u":{"$set":{"k":2}}}]})");
  client->ok("admin", R"({"sandbox":"insertBeforeDelete"})");
  client->ok("t", R"({"update":"c","updates":[{"q":{"_id":1,"k":2},"u":{"$set":{"k":3}}}]})");
  client->ok("admin", R"({"sandbox":"insertBeforeDelete","on":false})");
  client->ok("t", R"({"update":"c","updates":[{"q":{"_id":1,"k":3},"u":{"$set":{"k":4}}}]})");
  const auto events = more(stream);
  std::string seen;
  for (const auto& event : events.view().find_path("cursor.nextBatch")->document()) {
    const auto view = event.document();
    seen += text(view, "operationType") + std::to_string(number(view, "documentKey.k")) + " ";
    EXPECT_TRUE(view.find("txnNumber"));
  }
  EXPECT_EQ(seen, "delete1 insert2 insert3 delete2 delete3 insert4 ");
  const auto first = events.view().find_path("cursor.nextBatch.0.clusterTime");
  const auto second = events.view().find_path("cursor.nextBatch.1.clusterTime");
  EXPECT_FALSE(std::ranges::equal(first->value_bytes(), second->value_bytes()))
      << "each shard has a time of its own";
}

TEST_F(Router, AWriteMustSayWhereItGoes) {
  client->ok("admin", R"({"shardCollection":"t.c","key":{"k":1}})");
  const auto update = [this](const char* statement) {
    return number(client->run("t", std::string(R"({"update":"c","updates":[)") + statement + "]}"),
                  "writeErrors.0.code");
  };
  EXPECT_EQ(update(R"({"q":{"_id":1},"u":{"_id":1,"k":1},"upsert":true})"), 61);
  EXPECT_EQ(update(R"({"q":{"_id":1,"k":1},"u":{"_id":1,"k":1},"upsert":true})"), INT64_MIN);
  EXPECT_EQ(update(R"({"q":{"v":1},"u":{"$set":{"x":1}}})"), 72);
  EXPECT_EQ(
      number(client->run("t", R"({"delete":"c","deletes":[{"q":{"v":1},"limit":1}]})"), "writeErrors.0.code"),
      72);
  EXPECT_EQ(client->code("t", R"({"findAndModify":"c","query":{"_id":1},"remove":true})"), 61);
}

TEST_F(SetTest, AMemberKnowsNothingOfSharding) {
  start();
  EXPECT_EQ(connect(0)->code("admin", R"({"shardCollection":"t.c","key":{"k":1}})"), 59);
}

TEST_F(SetTest, MajorityReadsCanBeOffAndChangeStreamsDoWithout) {
  ReplicaSetOptions options;
  options.version = {4, 4};
  options.majority_reads = false;
  start(options);
  auto client = connect(0);
  const auto refused = client->run("t", R"({"find":"c","readConcern":{"level":"majority"}})");
  EXPECT_EQ(number(refused, "code"), 148);
  EXPECT_EQ(text(refused, "codeName"), "ReadConcernMajorityNotEnabled");
  client->ok("t", R"({"find":"c"})");
  client->ok(
      "t",
      R"({"aggregate":"c","pipeline":[{"$changeStream":{}}],"cursor":{},"readConcern":{"level":"majority"}})");
  options.version = {7, 0};
  EXPECT_FALSE(ReplicaSet::start(options, clock)) << "from 5.0 on they can't be";
}

class Views : public SetTest {
 protected:
  void begin(ServerVersion version) {
    ReplicaSetOptions options;
    options.version = version;
    start(options);
    client = connect(0);
    client->ok("t", R"({"insert":"c","documents":[{"_id":1,"k":1},{"_id":2,"k":2}]})");
  }
  std::unique_ptr<TestClient> client;
};

TEST_F(Views, AreReadThroughTheirPipelineAndTakeNoWrite) {
  begin({4, 4});
  client->ok("t", R"({"create":"v","viewOn":"c","pipeline":[{"$match":{"k":2}}]})");
  EXPECT_EQ(length(client->ok("t", R"({"find":"v"})"), "cursor.firstBatch"), 1u);
  EXPECT_EQ(number(client->ok("t", R"({"count":"v"})"), "n"), 1);
  EXPECT_EQ(length(client->ok("t", R"({"aggregate":"v","pipeline":[{"$match":{"k":1}}],"cursor":{}})"),
                   "cursor.firstBatch"),
            0u);
  const auto refused = client->run("t", R"({"insert":"v","documents":[{"_id":3}]})");
  EXPECT_EQ(number(refused, "writeErrors.0.code"), 166);
  EXPECT_EQ(text(refused, "writeErrors.0.errmsg"), "Namespace t.v is a view, not a collection");
  const auto listed = client->ok("t", R"({"listCollections":1,"filter":{"name":"v"}})");
  EXPECT_EQ(text(listed, "cursor.firstBatch.0.type"), "view");
  EXPECT_EQ(text(listed, "cursor.firstBatch.0.options.viewOn"), "c");
  EXPECT_EQ(client->code("t", R"({"create":"w","pipeline":[]})"), 72);
}

TEST_F(Views, CannotBeWatchedAndAreNotSeenByAStream) {
  begin({7, 0});
  const auto opened = client->ok(
      "t", R"({"aggregate":1,"pipeline":[{"$changeStream":{"showExpandedEvents":true}}],"cursor":{}})");
  client->ok("t", R"({"create":"v","viewOn":"c","pipeline":[]})");
  client->ok("t", R"({"create":"s","timeseries":{"timeField":"t"}})");
  client->ok("t", R"({"insert":"s","documents":[{"t":{"$date":"2024-01-01T00:00:00Z"}}]})");
  EXPECT_EQ(client->code("t", R"({"aggregate":"v","pipeline":[{"$changeStream":{}}],"cursor":{}})"), 166);
  const auto series = client->run("t", R"({"aggregate":"s","pipeline":[{"$changeStream":{}}],"cursor":{}})");
  EXPECT_EQ(number(series, "code"), 166);
  EXPECT_EQ(text(series, "errmsg"), "Namespace t.s is a timeseries collection");
  client->ok("t", R"({"drop":"v"})");
  bson::Builder ask;
  ask.append("getMore", number(opened, "cursor.id"))
      .append("collection", "$cmd.aggregate")
      .append("maxTimeMS", 300);
  EXPECT_EQ(length(client->run("t", ask.view()), "cursor.nextBatch"), 0u);
  EXPECT_EQ(number(client->ok("t", R"({"count":"s"})"), "n"), 1);
}

TEST_F(Views, TimeSeriesAreUnknownBefore50) {
  begin({4, 4});
  EXPECT_EQ(client->code("t", R"({"create":"s","timeseries":{"timeField":"t"}})"), 40415);
}

}  // namespace
}  // namespace tidemark::sandbox
