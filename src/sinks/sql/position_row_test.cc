#include "sinks/sql/position_row.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "bson/json.h"

namespace tidemark::sql {
namespace {

Position position(const char* json, bson::Timestamp time = {1700000000, 7}) {
  return Position(bson::Document::from_json(json).value(), time);
}

PositionRow row(const Position& position) {
  PositionRow row;
  row.pipeline = "orders";
  row.epoch = 3;
  row.put(position, {"orders", "finger", "deploy"}, 1234);
  return row;
}

TEST(PositionRow, GivesBackWhatWasPut) {
  const Position put = position(R"({"_data":"8265"})");
  const auto stored = row(put).stored("table");
  ASSERT_TRUE(stored && *stored);
  EXPECT_EQ((*stored)->position, put);
  EXPECT_EQ((*stored)->position.cluster_time(), (bson::Timestamp{1700000000, 7}));
  EXPECT_EQ((*stored)->saved_at_ms, 1234);
  EXPECT_EQ((*stored)->fingerprint, "finger");
  EXPECT_EQ((*stored)->deployment, "deploy");
  EXPECT_EQ((*stored)->epoch, 3u);
}

TEST(PositionRow, ShowsAChangeStreamTokenAsItsHexString) {
  EXPECT_EQ(row(position(R"({"_data":"8265"})")).token, "8265");
  EXPECT_EQ(row(position(R"({"_data":"8265","_typeBits":{"$binary":{"base64":"gkA=","subType":"00"}}})"))
                .token.front(),
            '{');
}

TEST(PositionRow, KeepsTokensOfAnyForm) {
  for (const char* json :
       {R"({"_data":"8265","_typeBits":{"$binary":{"base64":"gkA=","subType":"00"}}})",
        R"({"_data":{"$numberInt":"1"}})", R"({"_data":"{"})", R"({"_data":""})", R"({"x":"y"})", "{}"}) {
    const Position put = position(json);
    const auto stored = row(put).stored("table");
    ASSERT_TRUE(stored && *stored) << json;
    EXPECT_EQ((*stored)->position, put) << json;
  }
}

TEST(PositionRow, NoticesAnyChangedColumn) {
  const PositionRow good = row(position(R"({"_data":"8265"})"));
  std::vector<PositionRow> bad(7, good);
  bad[0].pipeline = "order";
  bad[1].token = "8266";
  bad[2].cluster_time_us += 1;
  bad[3].saved_at_ms += 1;
  bad[4].fingerprint += "x";
  bad[5].deployment.clear();
  bad[6].epoch += 1;
  for (const PositionRow& each : bad) {
    const auto stored = each.stored("table");
    ASSERT_FALSE(stored);
    EXPECT_EQ(stored.error().react, React::kCorrupt);
  }
}

TEST(PositionRow, ErasedIsNoneAndKeepsTheEpoch) {
  PositionRow erased = row(position(R"({"_data":"8265"})"));
  erased.erase();
  const auto stored = erased.stored("table");
  ASSERT_TRUE(stored);
  EXPECT_FALSE(*stored);
  EXPECT_EQ(erased.epoch, 3u);
}

}  // namespace
}  // namespace tidemark::sql
