#include "sinks/mongodb/targets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sinks/mongodb/statements.h"

namespace tidemark::mongodb_sink {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

bson::Document doc(std::string_view json) { return *bson::Document::from_json(json); }

TEST(Targets, RefuseWhatRemovesOrHidesDocumentsByItself) {
  const TableName target{"d", "c"};
  EXPECT_TRUE(check_kind(doc(R"({"name": "c", "type": "collection", "options": {}})"), target));
  const std::pair<const char*, const char*> others[] = {
      {R"({"name": "c", "type": "view", "options": {"viewOn": "x"}})", "view"},
      {R"({"name": "c", "type": "timeseries", "options": {"timeseries": {"timeField": "t"}}})",
       "time series"},
      {R"({"name": "c", "type": "collection", "options": {"capped": true, "size": 4096}})", "capped"},
      {R"({"name": "c", "type": "collection", "options": {"collation": {"locale": "en", "strength": 2}}})",
       "collation"},
  };
  for (const auto& [entry, word] : others) {
    const Status refused = check_kind(doc(entry), target);
    ASSERT_FALSE(refused) << entry;
    EXPECT_EQ(refused.error().react, React::kReject);
    EXPECT_THAT(refused.error().what, HasSubstr(word));
    EXPECT_THAT(refused.error().what, HasSubstr("d.c"));
  }
}

TEST(Targets, KnowTheShardKeyBesideTheId) {
  EXPECT_THAT(shard_key_in(doc(R"({"_id": "d.c", "key": {"k": 1}, "dropped": false})")), ElementsAre("k"));
  EXPECT_THAT(shard_key_in(doc(R"({"_id": "d.c", "key": {"a.b": "hashed", "_id": 1}})")), ElementsAre("a.b"));
  EXPECT_THAT(shard_key_in(doc(R"({"_id": "d.c", "key": {"_id": "hashed"}})")), IsEmpty());
  EXPECT_THAT(shard_key_in(doc(R"({"_id": "d.c", "key": {"k": 1}, "dropped": true})")), IsEmpty());
  EXPECT_THAT(shard_key_in(doc(R"({"_id": "d.c", "key": {"_id": 1}, "unsplittable": true})")), IsEmpty());
}

TEST(Statements, NameTheShardKeyOfTheDocument) {
  bson::Builder query;
  append_shard_key({"k", "a.b", "none"}, doc(R"({"_id": 1, "k": "x", "a": {"b": 7}})"), query);
  EXPECT_EQ(query.view(), doc(R"({"k": {"$eq": "x"}, "a.b": {"$eq": 7}, "none": {"$eq": null}})").view());
}

TEST(Statements, SeeTheTimestampsThatAnInsertWouldReplace) {
  EXPECT_TRUE(has_zero_timestamp(doc(R"({"t": {"$timestamp": {"t": 0, "i": 0}}})")));
  for (const char* other :
       {R"({"_id": {"$timestamp": {"t": 0, "i": 0}}})", R"({"t": {"$timestamp": {"t": 0, "i": 1}}})",
        R"({"a": {"t": {"$timestamp": {"t": 0, "i": 0}}}})", R"({"t": 0})", "{}"})
    EXPECT_FALSE(has_zero_timestamp(doc(other))) << other;
  EXPECT_EQ(set_zero_timestamps(doc(R"({"t": {"$timestamp": {"t": 0, "i": 0}}, "u": 1})")).view(),
            doc(R"({"$set": {"t": {"$timestamp": {"t": 0, "i": 0}}}})").view());
}

}  // namespace
}  // namespace tidemark::mongodb_sink
