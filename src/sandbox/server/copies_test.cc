// What the server copies by itself, and what a change stream shows of it.
#include <algorithm>

#include "sandbox/server/testing/client.h"

namespace tidemark::sandbox {
namespace {

class Copies : public SetTest {
 protected:
  void begin(ServerVersion version = {7, 0}) {
    ReplicaSetOptions options;
    options.version = version;
    start(options);
    client = connect_primary();
  }
  // A stream over everything from now on; its id.
  void watch() {
    const auto reply = client->ok(
        "admin",
        R"({"aggregate":1,"pipeline":[{"$changeStream":{"allChangesForCluster":true}}],"cursor":{}})");
    stream = number(reply, "cursor.id");
  }
  // What the stream has shown since: "insert b.x 1, rename b.tmp b.x". A stream shows what the majority has, so a mark of our
  // own behind it all says when that is everything.
  std::string events() {
    client->ok("marks", R"({"insert":"c","documents":[{"x":1}],"writeConcern":{"w":"majority"}})");
    std::string out;
    for (int tries = 0; tries < 60; ++tries) {
      bson::Builder more;
      more.append("getMore", stream).append("collection", "$cmd.aggregate").append("maxTimeMS", 500);
      const auto reply = client->run("admin", more.view());
      const auto batch = reply.view().find_path("cursor.nextBatch");
      EXPECT_TRUE(batch) << text(reply, "errmsg");
      if (!batch) return out;
      for (const auto& event : batch->document()) {
        const auto view = event.document();
        if (text(view, "ns.db") == "marks") return out;
        out += (out.empty() ? "" : ", ") + text(view, "operationType") + " " + text(view, "ns.db") + "." +
               text(view, "ns.coll");
        if (text(view, "operationType") == "rename")
          out += " " + text(view, "to.db") + "." + text(view, "to.coll");
        if (view.find("documentKey")) out += " " + std::to_string(number(view, "documentKey._id"));
      }
    }
    ADD_FAILURE() << "the mark did not come; before it: " << out;
    return out;
  }
  int64_t count(const std::string& db, const std::string& collection) {
    return number(client->ok(db, R"({"count":")" + collection + R"("})"), "n");
  }
  // `name` with the characters that are drawn replaced by X.
  static std::string masked(std::string text, const std::string& tail) {
    for (size_t at = text.find("tmp"); at != std::string::npos; at = text.find("tmp", at + 3))
      if (text.compare(at + 8, tail.size(), tail) == 0) text.replace(at + 3, 5, "XXXXX");
    return text;
  }

  std::unique_ptr<TestClient> client;
  int64_t stream = 0;
};

TEST_F(Copies, ARenameAcrossDatabasesShowsNoneOfItsDocuments) {
  begin();
  client->ok("a", R"({"insert":"x","documents":[{"_id":1},{"_id":2}]})");
  client->ok("a", R"({"createIndexes":"x","indexes":[{"key":{"k":1},"name":"k_1"}]})");
  watch();
  client->ok("admin", R"({"renameCollection":"a.x","to":"b.x"})");
  EXPECT_EQ(masked(events(), ".renameCollection"), "rename b.tmpXXXXX.renameCollection b.x, drop a.x");
  EXPECT_EQ(count("b", "x"), 2);
  EXPECT_EQ(count("a", "x"), 0);
  EXPECT_EQ(length(client->ok("b", R"({"listIndexes":"x"})"), "cursor.firstBatch"), 2u);
}

TEST_F(Copies, TheOplogHoldsTheHiddenCopiesAndEveryMemberAppliesThem) {
  begin();
  client->ok("a", R"({"insert":"x","documents":[{"_id":1},{"_id":2}]})");
  client->ok("admin", R"({"renameCollection":"a.x","to":"b.x","writeConcern":{"w":3}})");
  EXPECT_EQ(number(client->ok("local", R"({"count":"oplog.rs","query":{"fromMigrate":true,"op":"i"}})"), "n"),
            2);
  const auto hash = [this](int member) {
    return text(connect(member)->ok("b", R"({"dbHash":1})"), "collections.x");
  };
  EXPECT_EQ(hash(0), hash(1));
  EXPECT_EQ(hash(0), hash(2));
}

TEST_F(Copies, ARenameAcrossDatabasesOntoACollectionDropsItOnlyWhereAsked) {
  begin();
  client->ok("a", R"({"insert":"x","documents":[{"_id":1}]})");
  client->ok("b", R"({"insert":"x","documents":[{"_id":7},{"_id":8}]})");
  EXPECT_EQ(client->code("admin", R"({"renameCollection":"a.x","to":"b.x"})"), 48);
  watch();
  client->ok("admin", R"({"renameCollection":"a.x","to":"b.x","dropTarget":true})");
  EXPECT_EQ(masked(events(), ".renameCollection"), "rename b.tmpXXXXX.renameCollection b.x, drop a.x");
  EXPECT_EQ(count("b", "x"), 1);
  EXPECT_EQ(client->code("admin", R"({"renameCollection":"a.x","to":"b.x"})"), 26);
}

TEST_F(Copies, ACollectionMadeCappedIsRenamedOntoItselfAndForgetsWithoutAWord) {
  begin();
  client->ok("a", R"({"insert":"x","documents":[{"_id":1},{"_id":2}]})");
  watch();
  client->ok("a", R"({"convertToCapped":"x","size":4096})");
  EXPECT_EQ(masked(events(), ".convertToCapped.x"), "rename a.tmpXXXXX.convertToCapped.x a.x");
  const auto listed = client->ok("a", R"({"listCollections":1})");
  EXPECT_TRUE(listed.view().find_path("cursor.firstBatch.0.options.capped")->truthy());
  EXPECT_FALSE(listed.view().find_path("cursor.firstBatch.0.options.temp"));
  for (int i = 10; i < 20; i++)
    client->ok("a", R"({"insert":"x","documents":[{"_id":)" + std::to_string(i) + R"(,"s":")" +
                        std::string(1'000, 'x') + R"("}]})");
  EXPECT_EQ(events().find("delete"), std::string::npos);
  EXPECT_LT(count("a", "x"), 5);
  EXPECT_EQ(client->code("a", R"({"convertToCapped":"nothere","size":4096})"), 26);
  EXPECT_EQ(client->code("a", R"({"convertToCapped":"x"})"), 72);
}

TEST_F(Copies, ACappedCloneIsNeverShownAtAll) {
  begin();
  client->ok("a", R"({"insert":"x","documents":[{"_id":1},{"_id":2}]})");
  watch();
  client->ok("a", R"({"cloneCollectionAsCapped":"x","toCollection":"y","size":4096})");
  EXPECT_EQ(events(), "");
  EXPECT_EQ(count("a", "y"), 2);
}

TEST_F(Copies, OutFillsATemporaryCollectionInSightAndRenamesIt) {
  begin({4, 4});
  client->ok("a", R"({"insert":"x","documents":[{"_id":1,"k":1},{"_id":2,"k":2}]})");
  client->ok("a", R"({"insert":"y","documents":[{"_id":9}]})");
  watch();
  const auto reply =
      client->ok("a", R"({"aggregate":"x","pipeline":[{"$match":{"k":2}},{"$out":"y"}],"cursor":{}})");
  EXPECT_EQ(length(reply, "cursor.firstBatch"), 0u);
  const std::string seen = events();
  EXPECT_TRUE(seen.starts_with("insert a.tmp.agg_out.")) << seen;
  const std::string name = seen.substr(7, seen.find(' ', 7) - 7);
  EXPECT_EQ(name.size(), std::string("a.tmp.agg_out.").size() + 36) << "a uuid in text";
  EXPECT_EQ(seen, "insert " + name + " 2, rename " + name + " a.y");
  EXPECT_EQ(count("a", "y"), 1);
}

TEST_F(Copies, OutOf42NumbersItsCollectionsAndNothingStaysOfOneThatFails) {
  begin({4, 2});
  client->ok("a", R"({"insert":"x","documents":[{"_id":1,"k":1},{"_id":2,"k":1}]})");
  client->ok("a", R"({"createIndexes":"y","indexes":[{"key":{"k":1},"name":"k_1","unique":true}]})");
  watch();
  EXPECT_EQ(client->code("a", R"({"aggregate":"x","pipeline":[{"$out":"y"}],"cursor":{}})"), 11000);
  EXPECT_EQ(length(client->ok("a", R"({"listCollections":1})"), "cursor.firstBatch"), 2u);
  client->ok("a", R"({"aggregate":"x","pipeline":[{"$limit":1},{"$out":"y"}],"cursor":{}})");
  EXPECT_NE(events().find("rename a.tmp.agg_out.2 a.y"), std::string::npos);
  EXPECT_EQ(length(client->ok("a", R"({"listIndexes":"y"})"), "cursor.firstBatch"), 2u);
  EXPECT_EQ(client->code("a", R"({"aggregate":"x","pipeline":[{"$out":"y"},{"$limit":1}],"cursor":{}})"),
            40601);
}

TEST_F(Copies, MergeUpdatesAndInsertsDocumentByDocument) {
  begin();
  client->ok("a", R"({"insert":"x","documents":[{"_id":1,"v":1},{"_id":2,"v":2}]})");
  client->ok("a", R"({"insert":"y","documents":[{"_id":1,"old":true}]})");
  watch();
  client->ok("a", R"({"aggregate":"x","pipeline":[{"$merge":{"into":"y"}}],"cursor":{}})");
  EXPECT_EQ(events(), "update a.y 1, insert a.y 2");
  client->ok("a",
             R"({"aggregate":"x","pipeline":[{"$merge":{"into":"y","whenMatched":"replace"}}],"cursor":{}})");
  EXPECT_EQ(events(), "replace a.y 1");
  EXPECT_EQ(
      client->code(
          "a",
          R"({"aggregate":"x","pipeline":[{"$merge":{"into":"z","whenNotMatched":"fail"}}],"cursor":{}})"),
      13113);
}

}  // namespace
}  // namespace tidemark::sandbox
