#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sandbox/change_stream/change_stream.h"
#include "sandbox/change_stream/testing/log.h"

namespace tidemark::sandbox {
namespace {

constexpr ServerVersion kClassic{4, 2};

TEST(ChangeStream, LooksUpTheCurrentDocumentOfAnUpdate) {
  TestLog log;
  auto stream = must_open(log, "shop.a", R"([{"$changeStream": {"fullDocument": "updateLookup"}}])", {},
                          [&](const Uuid& uuid, bson::View key) {
                            EXPECT_EQ(uuid, log.uuid());
                            return bson::to_json(key, bson::JsonMode::kRelaxed) == R"({"_id":1})"
                                       ? json(R"({"_id": 1, "later": true})")
                                       : bson::Document();
                          });
  log.update("shop.a", "{}", R"({"_id": 1})", R"({"updatedFields": {}, "removedFields": []})");
  log.update("shop.a", "{}", R"({"_id": 2})", R"({"updatedFields": {}, "removedFields": []})");
  const Pulled pulled = must_pull(stream);
  ASSERT_EQ(pulled.events.size(), 2U);
  EXPECT_TRUE(pulled.events[0].view().find_path("fullDocument.later"));
  EXPECT_TRUE(pulled.events[1].view().find("fullDocument")->is_null());
}

TEST(ChangeStream, ImagesAreGivenWhereTheyWereRecorded) {
  TestLog log;
  auto stream = must_open(
      log, "shop.a",
      R"([{"$changeStream": {"fullDocument": "whenAvailable", "fullDocumentBeforeChange": "whenAvailable"}}])");
  log.update("shop.a", R"({"_id": 1, "n": 1})", R"({"_id": 1, "n": 2})", R"({"updatedFields": {"n": 2}})",
             true);
  log.update("shop.a", R"({"_id": 1, "n": 2})", R"({"_id": 1, "n": 3})", R"({"updatedFields": {"n": 3}})",
             false);
  log.remove("shop.a", R"({"_id": 1, "n": 3})", true);
  const Pulled pulled = must_pull(stream);
  ASSERT_EQ(pulled.events.size(), 3U);
  EXPECT_EQ(bson_iter_int32(&pulled.events[0].view().find_path("fullDocument.n")->iter()), 2);
  EXPECT_EQ(bson_iter_int32(&pulled.events[0].view().find_path("fullDocumentBeforeChange.n")->iter()), 1);
  EXPECT_EQ(fields_of(pulled.events[0]).back(), "fullDocumentBeforeChange");
  EXPECT_TRUE(pulled.events[1].view().find("fullDocument")->is_null());
  EXPECT_TRUE(pulled.events[1].view().find("fullDocumentBeforeChange")->is_null());
  EXPECT_EQ(bson_iter_int32(&pulled.events[2].view().find_path("fullDocumentBeforeChange.n")->iter()), 3);
  EXPECT_FALSE(pulled.events[2].view().find("fullDocument"));
}

TEST(ChangeStream, ARequiredImageThatIsMissingIsAnErrorUnlessTheFilterHidesTheEvent) {
  TestLog log;
  auto stream = must_open(log, "shop.a", R"([{"$changeStream": {"fullDocumentBeforeChange": "required"}}])");
  auto filtered = must_open(log, "shop", R"([{"$changeStream": {"fullDocumentBeforeChange": "required"}},
                                             {"$match": {"ns.coll": "b"}}])");
  log.remove("shop.a", R"({"_id": 1})");
  const auto pulled = pull(stream);
  ASSERT_FALSE(pulled);
  EXPECT_EQ(pulled.error().code, 47);
  EXPECT_THAT(pulled.error().message,
              testing::HasSubstr("{operationType: \"delete\", ns: {db: \"shop\", coll: \"a\"}"));
  EXPECT_TRUE(must_pull(filtered).events.empty());
}

TEST(ChangeStream, ExpandedEventsAreShownOnDemand) {
  TestLog log;
  auto plain = must_open(log, "shop", R"([{"$changeStream": {}}])");
  auto stream = must_open(log, "shop", R"([{"$changeStream": {"showExpandedEvents": true}}])");
  log.command(OpKind::kCreate, "shop.a");
  log.command(OpKind::kCreateIndexes, "shop.a", R"({"indexes": [{"v": 2, "key": {"k": 1}, "name": "k_1"}]})");
  log.command(OpKind::kModify, "shop.a", R"({"changeStreamPreAndPostImages": {"enabled": true}})");
  log.update("shop.a", "{}", R"({"_id": 1})", R"({"updatedFields": {"a.b": 1}, "removedFields": []})");
  log.command(OpKind::kDropIndexes, "shop.a", R"({"indexes": [{"v": 2, "key": {"k": 1}, "name": "k_1"}]})");
  log.rename("shop.a", "shop.b");
  const Pulled pulled = must_pull(stream);
  EXPECT_EQ(pulled.kinds(), "create createIndexes modify update dropIndexes rename");
  EXPECT_THAT(fields_of(pulled.events[0]),
              testing::ElementsAre("_id", "operationType", "clusterTime", "collectionUUID", "wallTime", "ns",
                                   "operationDescription"));
  EXPECT_TRUE(pulled.events[0].view().find_path("operationDescription.idIndex.name"));
  EXPECT_TRUE(pulled.events[3].view().find_path("updateDescription.disambiguatedPaths"));
  EXPECT_TRUE(pulled.events[5].view().find_path("operationDescription.to.coll"));
  EXPECT_EQ(must_pull(plain).kinds(), "update rename");
  for (size_t i = 0; i + 1 < pulled.events.size(); ++i) {
    EXPECT_LT(data_of(pulled.token_of(i)), data_of(pulled.token_of(i + 1)));
  }
}

TEST(ChangeStream, StagesReshapeEventsButMayNotTouchTheToken) {
  TestLog log;
  auto fine = must_open(log, "shop.a", R"([{"$changeStream": {}}, {"$match": {"operationType": "insert"}},
                                           {"$project": {"documentKey": 1}}])");
  auto bad = must_open(log, "shop.a", R"([{"$changeStream": {}}, {"$project": {"_id": 0}}])", kClassic);
  log.insert("shop.a", R"({"_id": 1})");
  log.remove("shop.a", R"({"_id": 1})");
  const Pulled pulled = must_pull(fine);
  ASSERT_EQ(pulled.events.size(), 1U);
  EXPECT_THAT(fields_of(pulled.events[0]), testing::ElementsAre("_id", "documentKey"));
  const auto refused = pull(bad);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, 280);
  EXPECT_THAT(refused.error().message,
              testing::HasSubstr("Expected: { _id: { _data: \"82000003E8000000012B022C0100"));
  EXPECT_THAT(refused.error().message, testing::EndsWith("but found: {}"));
}

TEST(ChangeStream, TheSizeLimitNamesTheEvent) {
  TestLog log;
  auto stream = must_open(log, "shop.a", R"([{"$changeStream": {}}])", kClassic);
  const std::string big(9 << 20, 'x');
  bson::Builder document;
  document.append("_id", "big").append("a", big).append("b", big);
  log.add(TestLog::with_document(log.make(OpKind::kInsert, "shop.a"), document.finish()));
  const auto refused = pull(stream);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, 10334);
  EXPECT_THAT(refused.error().message,
              testing::MatchesRegex(
                  "BSONObj size: 18874[0-9]+ \\(0x12[0-9A-F]+\\) is invalid. Size must be between 0 and "
                  "16793600\\(16MB\\) First element: _id: \\{ _data: \"82000003E8.*\" \\}"));
}

TEST(ChangeStream, SplitsALargeEventAndResumesBetweenItsFragments) {
  TestLog log;
  const std::string stages =
      R"([{"$changeStream": {"fullDocumentBeforeChange": "required", "fullDocument": "required"}},
          {"$changeStreamSplitLargeEvent": {}}])";
  auto stream = must_open(log, "shop.a", stages);
  const std::string big(12 << 20, 'x');
  bson::Builder document;
  document.append("_id", 1).append("a", big);
  OplogEntry entry = TestLog::with_document(log.make(OpKind::kUpdate, "shop.a"), document.finish());
  entry.before = entry.after;
  entry.pre_image_recorded = true;
  entry.update_description = json(R"({"updatedFields": {}, "removedFields": []})");
  log.add(std::move(entry));
  log.insert("shop.a", R"({"_id": 2})");
  std::vector<bson::Document> all;
  for (int i = 0; i < 4; ++i) {
    const Pulled pulled = must_pull(stream, {.events_max = 1});
    ASSERT_EQ(pulled.events.size(), i < 3 ? 1U : 0U);
    if (i < 3) {
      EXPECT_TRUE(pulled.token.view() == pulled.token_of(0).view());
      all.push_back(pulled.events[0]);
    }
  }
  EXPECT_EQ(bson::to_json(all[0].view().find("splitEvent")->document(), bson::JsonMode::kRelaxed),
            R"({"fragment":1,"of":2})");
  EXPECT_EQ(bson::to_json(all[1].view().find("splitEvent")->document(), bson::JsonMode::kRelaxed),
            R"({"fragment":2,"of":2})");
  for (size_t i = 0; i < 2; ++i) {
    const std::string token = bson::to_json(all[i].view().find("_id")->document());
    auto again = must_open(log, "shop.a",
                           R"([{"$changeStream": {"fullDocumentBeforeChange": "required",
                            "fullDocument": "required", "resumeAfter": )" +
                               token + R"(}},
                            {"$changeStreamSplitLargeEvent": {}}])");
    const Pulled next = must_pull(again, {.events_max = 1});
    ASSERT_EQ(next.events.size(), 1U);
    EXPECT_TRUE(next.events[0].view() == all[i + 1].view());
  }
  auto unsplit = must_open(log, "shop.a", options("resumeAfter", all[0].view().find("_id")->document()));
  const auto refused = pull(unsplit);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, 280);
}

}  // namespace
}  // namespace tidemark::sandbox
