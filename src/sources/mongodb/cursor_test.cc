#include "sources/mongodb/cursor.h"

#include <gtest/gtest.h>

namespace tidemark::mongodb {
namespace {

bson::Document doc(std::string_view json) { return *bson::Document::from_json(json); }

StreamOptions options() {
  StreamOptions options;
  options.stages = bson::Builder().finish();
  return options;
}

TEST(BuildAggregate, WatchesTheDeploymentThroughAdmin) {
  EXPECT_EQ(command_database(options()), "admin");
  EXPECT_EQ(build_aggregate(options(), {}).view(),
            doc(R"({"aggregate": 1, "pipeline": [{"$changeStream": {"allChangesForCluster": true}}],
                    "cursor": {"batchSize": 0}})")
                .view());
}

TEST(BuildAggregate, WatchesADatabase) {
  StreamOptions watched = options();
  watched.database = "shop";
  EXPECT_EQ(command_database(watched), "shop");
  EXPECT_EQ(
      build_aggregate(watched, {}).view(),
      doc(R"({"aggregate": 1, "pipeline": [{"$changeStream": {}}], "cursor": {"batchSize": 0}})").view());
}

TEST(BuildAggregate, WatchesACollectionWithEveryOption) {
  StreamOptions watched = options();
  watched.database = "shop";
  watched.collection = "orders";
  watched.full_document = "update_lookup";
  watched.full_document_before_change = "when_available";
  watched.expanded_events = true;
  const auto stages = doc(R"({"0": {"$match": {"a": 1}}})");
  watched.stages = stages;
  const auto token = doc(R"({"_data": "8265"})");
  OpenAt at;
  at.token = token;
  at.split = true;
  EXPECT_EQ(build_aggregate(watched, at).view(), doc(R"({"aggregate": "orders", "pipeline": [
                    {"$changeStream": {"fullDocument": "updateLookup", "fullDocumentBeforeChange": "whenAvailable",
                                       "showExpandedEvents": true, "startAfter": {"_data": "8265"}}},
                    {"$match": {"a": 1}}, {"$changeStreamSplitLargeEvent": {}}],
                    "cursor": {"batchSize": 0}})")
                                                     .view());
}

TEST(BuildAggregate, StartsAtATimeOrResumesTheOldWay) {
  StreamOptions watched = options();
  watched.database = "shop";
  OpenAt at;
  at.time = bson::Timestamp{7, 1};
  EXPECT_EQ(build_aggregate(watched, at).view().find_path("pipeline.0.$changeStream")->document(),
            doc(R"({"startAtOperationTime": {"$timestamp": {"t": 7, "i": 1}}})").view());
  const auto token = doc(R"({"_data": "8265"})");
  at.token = token;
  at.resume_after = true;
  EXPECT_EQ(build_aggregate(watched, at).view().find_path("pipeline.0.$changeStream")->document(),
            doc(R"({"resumeAfter": {"_data": "8265"}})").view());
}

TEST(BuildAggregate, AsksForNoMoreThanTheNameOfAnEventInASlimStream) {
  OpenAt at;
  at.slim = true;
  const auto command = build_aggregate(options(), at);
  const auto fields = command.view().find_path("pipeline.1.$project");
  ASSERT_TRUE(fields);
  EXPECT_TRUE(fields->document().find("documentKey"));
  EXPECT_FALSE(fields->document().find("fullDocument"));
}

TEST(BuildGetMore, WaitsAtLeastAMillisecondBecauseZeroMeansForEver) {
  EXPECT_EQ(
      build_get_more(5, "orders", 10, std::chrono::milliseconds(0)).view(),
      doc(R"({"getMore": {"$numberLong": "5"}, "collection": "orders", "batchSize": {"$numberLong": "10"},
                    "maxTimeMS": {"$numberLong": "1"}})")
          .view());
}

TEST(ReadCursorReply, FindsItsParts) {
  const auto reply = doc(R"({"cursor": {"nextBatch": [{"_id": 1}], "postBatchResumeToken": {"_data": "82"},
                             "id": {"$numberLong": "9"}, "ns": "shop.orders"}, "ok": 1})");
  const auto parts = read_cursor_reply(reply);
  ASSERT_TRUE(parts);
  EXPECT_EQ(parts->id, 9);
  EXPECT_EQ(parts->ns, "shop.orders");
  EXPECT_TRUE(parts->batch.find("0"));
  EXPECT_EQ(parts->high_water_mark, doc(R"({"_data": "82"})").view());
}

TEST(ReadCursorReply, TakesAServerWithoutHighWaterMarks) {
  const auto reply = doc(R"({"cursor": {"firstBatch": [], "id": 0, "ns": "a.b"}, "ok": 1})");
  const auto parts = read_cursor_reply(reply);
  ASSERT_TRUE(parts);
  EXPECT_EQ(parts->id, 0);
  EXPECT_FALSE(parts->high_water_mark);
}

TEST(ReadCursorReply, RefusesEverythingElse) {
  for (const char* json :
       {"{}", R"({"cursor": 1})", R"({"cursor": {}})", R"({"cursor": {"id": 1}})",
        R"({"cursor": {"id": "x", "firstBatch": []}})", R"({"cursor": {"id": 1, "firstBatch": 2}})"}) {
    const auto reply = doc(json);
    EXPECT_FALSE(read_cursor_reply(reply)) << json;
  }
}

}  // namespace
}  // namespace tidemark::mongodb
