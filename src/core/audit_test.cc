#include "core/audit.h"

#include <algorithm>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "bson/json.h"
#include "support/change_events.h"

namespace tidemark {
namespace {

using testing::doc;

AuditRow row(std::string id, std::string text, std::optional<int64_t> time_ms = {}) {
  return {.id = id, .key = id, .doc = std::move(text), .time_ms = time_ms};
}

AuditSum sum_of_document(std::string_view json) {
  return sum_of(row(R"({"$numberInt":"1"})", bson::to_json(doc(json))));
}

// Worked out by hand: printf '7\x1f{"a":1}' | md5sum; printf 7 | md5sum. By the latter SQL chooses leaves.
TEST(AuditSum, IsTheMd5OfKeySeparatorAndDocumentInTwoHalves) {
  const AuditSum sum = sum_of(row("7", R"({"a":1})"));
  EXPECT_EQ(sum.count, 1U);
  EXPECT_EQ(sum.low, 0x8260b1f750893d4eU);
  EXPECT_EQ(sum.high, 0xa1ad6c59e5ab140aU);
  EXPECT_EQ(leaf_of("7"), 0x8f1U);
}

TEST(AuditSum, TellsTheNumericTypesApart) {
  const AuditSum sums[] = {sum_of_document(R"({"_id": 1, "a": {"$numberInt": "1"}})"),
                           sum_of_document(R"({"_id": 1, "a": {"$numberLong": "1"}})"),
                           sum_of_document(R"({"_id": 1, "a": {"$numberDouble": "1.0"}})"),
                           sum_of_document(R"({"_id": 1, "a": {"$numberDecimal": "1"}})"),
                           sum_of_document(R"({"_id": 1, "a": {"$numberDecimal": "1.0"}})"),
                           sum_of_document(R"({"_id": 1, "a": "1"})")};
  for (size_t i = 0; i < std::size(sums); ++i)
    for (size_t j = i + 1; j < std::size(sums); ++j) EXPECT_FALSE(sums[i] == sums[j]) << i << " " << j;
}

TEST(AuditSum, TellsWhereTheIdEndsAndTheDocumentBegins) {
  EXPECT_FALSE(sum_of(row("1", "23")) == sum_of(row("12", "3")));
}

TEST(AuditSum, OfARowWithAFlawIsThatOfNoDocument) {
  AuditRow flawed = row("7", R"({"a":1})");
  flawed.flaw = "can't be read back";
  EXPECT_FALSE(sum_of(flawed) == sum_of(row("7", R"({"a":1})")));
}

TEST(AuditKey, IsTheIdAgain) {
  for (const char* id : {"1", R"({"$numberLong":"1"})", R"("text")", R"({"a":{"$numberInt":"1"}})", "null"}) {
    const auto document = doc(R"({"_id":)" + std::string(id) + "}");
    std::string key;
    append_key(*document.view().find("_id"), key);
    const auto again = document_of_key(key);
    ASSERT_TRUE(again) << again.error().describe();
    EXPECT_TRUE(again->view() == document.view()) << id;
  }
  EXPECT_FALSE(document_of_key(""));
  EXPECT_FALSE(document_of_key("\x10\x01"));
}

RC_GTEST_PROP(AuditSums, DontDependOnTheOrderNorOnHowTheyWereTakenApart,
              (std::vector<std::pair<uint8_t, std::string>> entries)) {
  std::vector<AuditRow> rows;
  for (const auto& [id, text] : entries) rows.push_back(row(std::to_string(id), text, id * 1000));
  const AuditBuckets buckets{"t", 60'000};
  AuditSums forward;
  for (const AuditRow& r : rows) forward.add(r, buckets);

  std::ranges::reverse(rows);
  AuditSums parts[2];
  for (size_t i = 0; i < rows.size(); ++i) parts[i % 2].add(rows[i], buckets);
  parts[0].add(parts[1]);
  RC_ASSERT(forward.by_bucket == parts[0].by_bucket);
  RC_ASSERT(forward.by_leaf == parts[0].by_leaf);
}

TEST(AuditSums, PutARowIntoItsBucketAndItsLeaf) {
  AuditSums sums;
  sums.add(row("7", "x", 61'000), {"t", 60'000});
  sums.add(row("8", "x"), {"t", 60'000});
  ASSERT_EQ(sums.by_bucket.size(), 2U);
  EXPECT_EQ(sums.by_bucket.begin()->first, std::nullopt);
  EXPECT_EQ(sums.by_bucket.begin()->second, sum_of(row("8", "x")));
  EXPECT_EQ(sums.by_bucket[60'000], sum_of(row("7", "x")));
  EXPECT_EQ(sums.by_leaf[leaf_of("7")], sum_of(row("7", "x")));
}

TEST(AuditLeaves, SpreadTheIdsEvenly) {
  std::vector<int> leaves(kAuditLeaves);
  for (int i = 0; i < 400'000; ++i) ++leaves.at(leaf_of(R"({"$numberInt":")" + std::to_string(i) + R"("})"));
  EXPECT_GT(std::ranges::min(leaves), 40);
  EXPECT_LT(std::ranges::max(leaves), 180);
}

TEST(AuditBucket, RoundsDownAlsoBefore1970) {
  const AuditBuckets hours{"t", 3'600'000};
  EXPECT_EQ(bucket_of(3'599'999, hours), 0);
  EXPECT_EQ(bucket_of(3'600'000, hours), 3'600'000);
  EXPECT_EQ(bucket_of(0, hours), 0);
  EXPECT_EQ(bucket_of(-1, hours), -3'600'000);
  EXPECT_EQ(bucket_of(-3'600'000, hours), -3'600'000);
  EXPECT_EQ(bucket_of(std::nullopt, hours), std::nullopt);
}

TEST(AuditBucket, HoldsTheEndsOfTime) {
  const AuditBuckets hours{"t", 3'600'000};
  EXPECT_EQ(bucket_of(INT64_MIN, hours), INT64_MIN);
  EXPECT_LE(*bucket_of(INT64_MAX, hours), INT64_MAX);
}

TEST(AuditTime, ReadsDatesTimestampsAndObjectIds) {
  const auto document =
      doc(R"({"_id": {"$oid": "65f000000123456789abcdef"}, "at": {"$date": {"$numberLong": "-5"}},
      "sub": {"ts": {"$timestamp": {"t": 7, "i": 9}}, "list": [{"$date": {"$numberLong": "42"}}]}, "text": "2024-01-01"})");
  EXPECT_EQ(time_in(document, "_id"), 0x65f00000LL * 1000);
  EXPECT_EQ(time_in(document, "at"), -5);
  EXPECT_EQ(time_in(document, "sub.ts"), 7000);
  EXPECT_EQ(time_in(document, "sub.list.0"), 42);
  EXPECT_EQ(time_in(document, "text"), std::nullopt);
  EXPECT_EQ(time_in(document, "sub"), std::nullopt);
  EXPECT_EQ(time_in(document, "none"), std::nullopt);
  // Seconds are unsigned: an ObjectId of after 2038.
  EXPECT_EQ(time_in(doc(R"({"_id": {"$oid": "ff0000000123456789abcdef"}})"), "_id"), 0xff000000LL * 1000);
}

}  // namespace
}  // namespace tidemark
