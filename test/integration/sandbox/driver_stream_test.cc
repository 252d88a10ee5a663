#include "integration/sandbox/driver_stream.h"

#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bson/json.h"
#include "support/mongo.h"
#include "support/sandbox.h"

namespace tidemark::testing {
namespace {

class DriverStreams : public ::testing::Test {
 protected:
  void SetUp() override {
    auto set = ReplicaSet::start();
    const char* server = std::getenv("TIDEMARK_TEST_SERVER");
    if (!set && server != nullptr && std::string_view(server) == "real") GTEST_SKIP() << set.error().what;
    ASSERT_TRUE(set) << set.error().what;
    set_ = std::move(*set);
    mongo_ = std::make_unique<Mongo>(set_->uri());
    db_ = set_->database();
  }

  bson::Document event(DriverStream& stream) {
    auto next = stream.next();
    EXPECT_TRUE(next) << next.error().what;
    if (!next || !*next) {
      ADD_FAILURE() << "no event came";
      return json("{}");
    }
    return **next;
  }
  static std::string kind(bson::View event) {
    const auto type = event.find("operationType");
    return type ? std::string(type->string()) : "";
  }
  static std::string data(bson::View event) {
    const auto token = event.find_path("_id._data");
    return token ? std::string(token->string()) : "";
  }
  // Opens the stream: from here on it sees everything.
  static void open(DriverStream& stream) {
    auto nothing = stream.try_next();
    ASSERT_TRUE(nothing) << nothing.error().what;
    ASSERT_FALSE(*nothing);
    ASSERT_TRUE(stream.token());
  }
  void must(const Status& status) { ASSERT_TRUE(status) << status.error().what; }
  void must_run(const std::string& db, const std::string& command) {
    auto reply = mongo_->run(db, command);
    ASSERT_TRUE(reply) << command << ": " << reply.error().what;
  }

  std::unique_ptr<ReplicaSet> set_;
  std::unique_ptr<Mongo> mongo_;
  std::string db_;
};

TEST_F(DriverStreams, SeeChangesInOrderWithTokensThatSort) {
  DriverStream stream(*mongo_, db_, "orders", "[]", R"({"fullDocument": "updateLookup"})");
  open(stream);
  must(mongo_->insert(db_, "orders", R"({"_id": 1, "n": {"$numberLong": "5"}})"));
  must(mongo_->update(db_, "orders", R"({"_id": 1})", R"({"$set": {"n": 6}})"));
  must(mongo_->replace(db_, "orders", R"({"_id": 1})", R"({"_id": 1, "z": true})"));
  must(mongo_->remove(db_, "orders", R"({"_id": 1})"));
  std::string last;
  for (const char* expected : {"insert", "update", "replace", "delete"}) {
    const bson::Document next = event(stream);
    EXPECT_EQ(kind(next), expected);
    EXPECT_LT(last, data(next));
    last = data(next);
  }
}

TEST_F(DriverStreams, ResumeInEveryWayWithoutGapOrRepeat) {
  DriverStream stream(*mongo_, db_, "orders");
  open(stream);
  std::vector<bson::Document> events;
  for (int i = 0; i < 5; ++i) must(mongo_->insert(db_, "orders", "{\"_id\": " + std::to_string(i) + "}"));
  for (int i = 0; i < 5; ++i) events.push_back(event(stream));
  for (const char* way : {"resumeAfter", "startAfter"}) {
    for (size_t i = 0; i < events.size(); ++i) {
      DriverStream again(
          *mongo_, db_, "orders", "[]",
          std::string("{\"") + way + "\": " + bson::to_json(events[i].view().find("_id")->document()) + "}");
      for (size_t k = i + 1; k < events.size(); ++k) EXPECT_TRUE(event(again).view() == events[k].view());
      auto nothing = again.try_next();
      ASSERT_TRUE(nothing);
      EXPECT_FALSE(*nothing);
    }
  }
}

TEST_F(DriverStreams, AKilledCursorIsResumedByTheDriver) {
  if (!set_->is_sandbox()) GTEST_SKIP() << "kills cursors through the sandbox's failCommand";
  DriverStream stream(*mongo_, db_, "orders");
  open(stream);
  must(mongo_->insert(db_, "orders", R"({"_id": 1})"));
  EXPECT_EQ(kind(event(stream)), "insert");
  must_run("admin", R"({"configureFailPoint": "failCommand", "mode": {"times": 1},
                        "data": {"failCommands": ["getMore"], "errorCode": 43}})");
  must(mongo_->insert(db_, "orders", R"({"_id": 2})"));
  const bson::Document next = event(stream);
  EXPECT_EQ(bson::to_json(next.view().find("documentKey")->document(), bson::JsonMode::kRelaxed),
            R"({"_id":2})");
}

TEST_F(DriverStreams, EndWithAnInvalidateAndGoOnBehindIt) {
  must(mongo_->insert(db_, "orders", R"({"_id": 0})"));
  DriverStream stream(*mongo_, db_, "orders");
  open(stream);
  must(mongo_->drop(db_, "orders"));
  must(mongo_->insert(db_, "orders", R"({"_id": 1})"));
  EXPECT_EQ(kind(event(stream)), "drop");
  const bson::Document invalidate = event(stream);
  EXPECT_EQ(kind(invalidate), "invalidate");
  const std::string token = bson::to_json(invalidate.view().find("_id")->document());
  DriverStream refused(*mongo_, db_, "orders", "[]", "{\"resumeAfter\": " + token + "}");
  const auto error = refused.next();
  ASSERT_FALSE(error);
  EXPECT_EQ(error.error().code, 260);
  DriverStream next(*mongo_, db_, "orders", "[]", "{\"startAfter\": " + token + "}");
  EXPECT_EQ(kind(event(next)), "insert");
}

TEST_F(DriverStreams, OfDatabaseAndDeploymentOutliveADrop) {
  must(mongo_->insert(db_, "orders", R"({"_id": 0})"));
  const std::string mine = "[{\"$match\": {\"ns.db\": \"" + db_ + "\"}}]";
  DriverStream database(*mongo_, db_, "");
  DriverStream deployment(*mongo_, "", "", mine);
  open(database);
  open(deployment);
  must(mongo_->drop(db_, "orders"));
  must(mongo_->insert(db_, "orders", R"({"_id": 1})"));
  for (DriverStream* stream : {&database, &deployment}) {
    EXPECT_EQ(kind(event(*stream)), "drop");
    EXPECT_EQ(kind(event(*stream)), "insert");
  }
}

TEST_F(DriverStreams, RefuseWhatServersRefuse) {
  const auto code = [&](const std::string& pipeline, const std::string& options) {
    DriverStream stream(*mongo_, db_, "orders", pipeline, options);
    const auto next = stream.try_next();
    return next ? 0 : next.error().code;
  };
  EXPECT_EQ(code(R"([{"$group": {"_id": 1}}])", "{}"), 20);
  EXPECT_EQ(code(R"([{"$nope": 1}])", "{}"), 40324);
  EXPECT_EQ(code("[]", R"({"resumeAfter": {"_data": "zz"}})"), 9);
}

TEST_F(DriverStreams, GiveTheImagesThatWereRecorded) {
  if (!set_->at_least(6, 0)) GTEST_SKIP() << "pre-images came with 6.0";
  must_run(db_, R"({"create": "orders", "changeStreamPreAndPostImages": {"enabled": true}})");
  DriverStream stream(*mongo_, db_, "orders", "[]",
                      R"({"fullDocument": "required", "fullDocumentBeforeChange": "required"})");
  open(stream);
  must(mongo_->insert(db_, "orders", R"({"_id": 1, "n": 1})"));
  must(mongo_->update(db_, "orders", R"({"_id": 1})", R"({"$set": {"n": 2}})"));
  must(mongo_->update(db_, "orders", R"({"_id": 1})", R"({"$set": {"n": 3}})"));
  EXPECT_EQ(kind(event(stream)), "insert");
  const bson::Document update = event(stream);
  EXPECT_EQ(update.view().find_path("fullDocument.n")->integer(), 2);
  EXPECT_EQ(update.view().find_path("fullDocumentBeforeChange.n")->integer(), 1);
}

// By commands: the driver's own change streams of Debian 12 (1.23) know no showExpandedEvents.
TEST_F(DriverStreams, ShowExpandedEventsOnDemand) {
  if (!set_->at_least(6, 0)) GTEST_SKIP() << "expanded events came with 6.0";
  auto opened = mongo_->run(
      db_,
      R"({"aggregate": 1, "pipeline": [{"$changeStream": {"showExpandedEvents": true}}], "cursor": {}})");
  ASSERT_TRUE(opened) << opened.error().what;
  const auto id = opened->view().find_path("cursor.id")->integer();
  ASSERT_TRUE(id);
  must_run(db_, R"({"create": "orders"})");
  must_run(db_, R"({"createIndexes": "orders", "indexes": [{"key": {"k": 1}, "name": "k_1"}]})");
  must_run(db_, R"({"dropIndexes": "orders", "index": "k_1"})");
  std::vector<bson::Document> events;
  const std::string more = "{\"getMore\": {\"$numberLong\": \"" + std::to_string(*id) +
                           "\"}, \"collection\": \"$cmd.aggregate\", \"maxTimeMS\": 500}";
  for (int i = 0; i < 20 && events.size() < 3; ++i) {
    auto reply = mongo_->run(db_, more);
    ASSERT_TRUE(reply) << reply.error().what;
    for (const bson::Element event : reply->view().find_path("cursor.nextBatch")->document()) {
      events.emplace_back(event.document());
    }
  }
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(kind(events[0]), "create");
  EXPECT_TRUE(events[0].view().find("collectionUUID"));
  EXPECT_TRUE(events[0].view().find_path("operationDescription.idIndex.key"));
  EXPECT_EQ(kind(events[1]), "createIndexes");
  EXPECT_TRUE(events[1].view().find_path("operationDescription.indexes.0.name"));
  EXPECT_EQ(kind(events[2]), "dropIndexes");
}

TEST_F(DriverStreams, SplitEventsBeyondSixteenMegabytes) {
  if (!set_->at_least(7, 0)) GTEST_SKIP() << "$changeStreamSplitLargeEvent came with 6.0.9 and 7.0";
  must_run(db_, R"({"create": "orders", "changeStreamPreAndPostImages": {"enabled": true}})");
  bson::Builder document;
  document.append("_id", 1).append("a", std::string(12 << 20, 'x'));
  must(mongo_->insert(db_, "orders", document.view()));
  DriverStream stream(*mongo_, db_, "orders", R"([{"$changeStreamSplitLargeEvent": {}}])",
                      R"({"fullDocument": "required", "fullDocumentBeforeChange": "required"})");
  open(stream);
  must(mongo_->update(db_, "orders", R"({"_id": 1})", R"({"$set": {"b": 1}})"));
  const bson::Document first = event(stream);
  const bson::Document second = event(stream);
  EXPECT_EQ(first.view().find_path("splitEvent.fragment")->integer(), 1);
  EXPECT_EQ(second.view().find_path("splitEvent.fragment")->integer(), 2);
  EXPECT_EQ(second.view().find_path("splitEvent.of")->integer(), 2);
  EXPECT_LT(data(first), data(second));
}

TEST_F(DriverStreams, TokensOfAQuietStreamAdvance) {
  DriverStream stream(*mongo_, db_, "orders");
  open(stream);
  const bson::Document before = stream.token();
  must(mongo_->insert(db_, "elsewhere", R"({"_id": 1})"));
  for (int i = 0; i < 40 && stream.token().view() == before.view(); ++i) ASSERT_TRUE(stream.try_next());
  EXPECT_FALSE(stream.token().view() == before.view());
}

}  // namespace
}  // namespace tidemark::testing
