#include "core/event.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "core/position.h"

namespace tidemark {
namespace {

bson::Document doc(std::string_view json) {
  auto result = bson::Document::from_json(json);
  EXPECT_TRUE(result) << (result ? "" : result.error().what);
  return *result;
}

constexpr const char* kUpdate = R"({
  "_id": {"_data": "8265"}, "operationType": "update",
  "clusterTime": {"$timestamp": {"t": 100, "i": 7}},
  "wallTime": {"$date": {"$numberLong": "100500"}},
  "ns": {"db": "shop", "coll": "orders"},
  "documentKey": {"_id": 1},
  "fullDocument": {"_id": 1, "a": 2},
  "fullDocumentBeforeChange": {"_id": 1},
  "updateDescription": {"updatedFields": {"a": 2}, "removedFields": []}})";

TEST(ParseChangeEvent, FillsEveryFieldOfAnUpdate) {
  const bson::Document raw = doc(kUpdate);
  const auto event = parse_change_event(raw);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->id, "8265");
  EXPECT_EQ(event->op, Op::kUpdate);
  EXPECT_EQ(event->op_name, "update");
  EXPECT_EQ(event->ns, (Namespace{"shop", "orders"}));
  EXPECT_EQ(event->cluster_time, (bson::Timestamp{100, 7}));
  EXPECT_EQ(event->wall_time_ms, 100500);
  EXPECT_EQ(event->key, doc(R"({"_id": 1})").view());
  EXPECT_EQ(event->after, doc(R"({"_id": 1, "a": 2})").view());
  EXPECT_EQ(event->before, doc(R"({"_id": 1})").view());
  EXPECT_TRUE(event->update.find("updatedFields"));
  EXPECT_EQ(event->raw, raw.view());
  EXPECT_EQ(event->size_bytes(), raw.size());
  EXPECT_TRUE(event->has_document());
  EXPECT_EQ(event->key_hash, hash_key(*event));
}

TEST(ParseChangeEvent, ReadsTheNewNameOfARename) {
  const auto raw = doc(R"({"_id": {"_data": "82"}, "operationType": "rename",
                           "ns": {"db": "a", "coll": "b"}, "to": {"db": "c", "coll": "d"}})");
  const auto event = parse_change_event(raw);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->op, Op::kRename);
  EXPECT_EQ(event->to, (Namespace{"c", "d"}));
  EXPECT_FALSE(event->has_document());
}

TEST(ParseChangeEvent, PassesAnUnknownOperationOnWithItsName) {
  const auto raw = doc(R"({"_id": {"_data": "82"}, "operationType": "reshardCollection"})");
  const auto event = parse_change_event(raw);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->op, Op::kOther);
  EXPECT_EQ(event->op_name, "reshardCollection");
}

TEST(ParseChangeEvent, TakesANullLookupForNoDocument) {
  const auto raw = doc(R"({"_id": {"_data": "82"}, "operationType": "update", "fullDocument": null})");
  const auto event = parse_change_event(raw);
  ASSERT_TRUE(event);
  EXPECT_FALSE(event->after);
}

TEST(ParseChangeEvent, UsesTheClusterTimeWhereTheServerSendsNoWallTime) {
  const auto raw = doc(R"({"_id": {"_data": "82"}, "clusterTime": {"$timestamp": {"t": 9, "i": 1}}})");
  EXPECT_EQ(parse_change_event(raw)->wall_time_ms, 9000);
}

TEST(ParseChangeEvent, RefusesAnEventWithoutAToken) {
  for (const char* json :
       {R"({"operationType": "insert"})", R"({"_id": 1})", R"({"_id": {"_data": 5}})", "{}"}) {
    const auto raw = doc(json);
    const auto event = parse_change_event(raw);
    ASSERT_FALSE(event) << json;
    EXPECT_EQ(event.error().react, React::kFatal);
    EXPECT_FALSE(event.error().hint.empty());
  }
}

TEST(ParseChangeEvent, LeavesFieldsOfTheWrongTypeEmpty) {
  const auto raw = doc(R"({"_id": {"_data": "82"}, "operationType": 5, "ns": "x", "documentKey": [1],
                           "clusterTime": 1, "wallTime": "now", "fullDocument": 3, "to": {"db": 1}})");
  const auto event = parse_change_event(raw);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->op, Op::kOther);
  EXPECT_EQ(event->op_name, "");
  EXPECT_EQ(event->ns, Namespace{});
  EXPECT_EQ(event->to, Namespace{});
  EXPECT_FALSE(event->key);
  EXPECT_FALSE(event->after);
  EXPECT_EQ(event->cluster_time, bson::Timestamp{});
}

TEST(ParseChangeEvent, TakesNoSecondIdForTheToken) {
  bson::Builder token, raw;
  token.append("_data", "82");
  raw.append("_id", int32_t{5}).append("_id", token.view());
  EXPECT_EQ(parse_change_event(raw.view()).error().react, React::kFatal);
}

RC_GTEST_PROP(ParseChangeEvent, SurvivesAnyDamage, ()) {
  const bson::Document whole = doc(kUpdate);
  std::vector<uint8_t> bytes(whole.view().data(), whole.view().data() + whole.size());
  const int flips = *rc::gen::inRange(1, 6);
  for (int i = 0; i < flips; ++i)
    bytes[*rc::gen::inRange<size_t>(4, bytes.size())] = *rc::gen::arbitrary<uint8_t>();
  const auto raw_view = bson::View::parse(bytes);
  if (!raw_view) return;
  const auto event = parse_change_event(*raw_view);
  if (!event) return;
  const auto inside = [&bytes](const void* data, size_t size) {
    const auto* begin = static_cast<const uint8_t*>(data);
    return begin >= bytes.data() && begin + size <= bytes.data() + bytes.size();
  };
  RC_ASSERT(inside(event->id.data(), event->id.size()));
  if (event->key) RC_ASSERT(inside(event->key.data(), event->key.size()));
  if (event->after) RC_ASSERT(inside(event->after.data(), event->after.size()));
}

TEST(HashKey, DependsOnNamespaceAndKeyAlone) {
  const auto hash_of = [](std::string_view json) { return parse_change_event(doc(json))->key_hash; };
  const uint64_t one =
      hash_of(R"({"_id": {"_data": "81"}, "ns": {"db": "a", "coll": "bc"}, "documentKey": {"_id": 1}})");
  EXPECT_EQ(one,
            hash_of(R"({"_id": {"_data": "82"}, "operationType": "delete", "ns": {"db": "a", "coll": "bc"},
                             "documentKey": {"_id": 1}})"));
  EXPECT_NE(
      one,
      hash_of(R"({"_id": {"_data": "81"}, "ns": {"db": "ab", "coll": "c"}, "documentKey": {"_id": 1}})"));
  EXPECT_NE(
      one,
      hash_of(R"({"_id": {"_data": "81"}, "ns": {"db": "a", "coll": "bc"}, "documentKey": {"_id": 2}})"));
}

TEST(HashKey, KeepsADocumentInItsLaneWhateverItsShardKeyAndTheTypeOfItsId) {
  const auto hash_of = [](const std::string& key) {
    return parse_change_event(
               doc(R"({"_id": {"_data": "81"}, "ns": {"db": "a", "coll": "b"}, "documentKey": )" + key + "}"))
        ->key_hash;
  };
  const uint64_t one = hash_of(R"({"_id": 1})");
  for (const char* same :
       {R"({"_id": 1, "k": 2})", R"({"k": 3, "_id": 1})", R"({"_id": {"$numberLong": "1"}})",
        R"({"_id": {"$numberDouble": "1.0"}})", R"({"_id": {"$numberDecimal": "1.00"}})"})
    EXPECT_EQ(one, hash_of(same)) << same;
  EXPECT_EQ(hash_of(R"({"_id": {"a": 1}})"), hash_of(R"({"_id": {"a": {"$numberLong": "1"}}})"));
  EXPECT_EQ(hash_of(R"({"_id": 0})"), hash_of(R"({"_id": {"$numberDouble": "-0.0"}})"));
}

TEST(EventBatch, KeepsItsOwnCopyOfWhatItStores) {
  EventBatch batch;
  std::string text = "reason";
  const std::string_view kept = batch.store(text);
  text = "xxxxxx";
  EXPECT_EQ(kept, "reason");
  bson::View view;
  {
    const bson::Document temporary = doc(R"({"a": 1})");
    view = batch.store(temporary);
  }
  EXPECT_EQ(view, doc(R"({"a": 1})").view());
  EXPECT_FALSE(batch.store(bson::View()));
}

TEST(EventBatch, HoldsAnOwnerUntilItIsCleared) {
  auto owner = std::make_shared<int>(1);
  EventBatch batch;
  batch.own(owner);
  batch.events().emplace_back();
  EXPECT_EQ(owner.use_count(), 2);
  batch.clear();
  EXPECT_EQ(owner.use_count(), 1);
  EXPECT_TRUE(batch.events().empty());
}

TEST(EventBatch, ChargesTheRawEventAndWhatTransformsAdded) {
  const auto raw = doc(kUpdate);
  EventBatch batch;
  batch.events().push_back(*parse_change_event(raw));
  batch.events().push_back(*parse_change_event(raw));
  batch.events()[1].after_extra = 100;
  EXPECT_EQ(batch.size_bytes(), 2 * raw.size() + 100);
}

}  // namespace
}  // namespace tidemark
