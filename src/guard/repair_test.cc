#include "guard/repair.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "guard/testing/audit_harness.h"

namespace tidemark::guard {
namespace {

using namespace audit_world;  // NOLINT: the harness of this folder
using ::testing::ElementsAre;

TEST(AuditRepair, TouchesExactlyTheRowsThatAreWrong) {
  World world;
  fill_world(world, 300);
  const World::Rows right = world.rows[world.orders];
  damage(world);
  Bench bench(world);
  const AuditReport report = bench.run();
  auto repaired = bench.audit->repair(report, {});
  ASSERT_TRUE(repaired) << repaired.error().describe();
  EXPECT_EQ(repaired->written, 2U);
  EXPECT_EQ(repaired->removed, 1U);
  EXPECT_TRUE(repaired->complete());
  EXPECT_EQ(bench.touched,
            (std::set<std::string>{int_id(3), int_id(50), "{\"$oid\":\"000000000000000000000000\"}"}));
  ASSERT_EQ(world.rows[world.orders].size(), right.size());
  for (const auto& [id, row] : right) {
    EXPECT_EQ(world.rows[world.orders][id].doc, row.doc) << id;
    EXPECT_EQ(world.rows[world.orders][id].token == row.token, !bench.touched.contains(id)) << id;
  }
  EXPECT_TRUE(bench.run().clean());
}

TEST(AuditRepair, LeavesARowAloneWhoseIdNoEventCanName) {
  World world;
  fill_world(world, 50);
  for (const char* id : {"3", "hello", "{\"$numberInt\":\"3\"},\"x\":{\"$numberInt\":\"4\"}"})
    world.rows[world.orders][id] = {.doc = "{}", .token = "82", .time_ms = {}};
  Bench bench(world);
  const AuditReport report = bench.run();
  EXPECT_EQ(report.extra, 3U);
  auto repaired = bench.audit->repair(report, {});
  ASSERT_TRUE(repaired) << repaired.error().describe();
  EXPECT_EQ(repaired->rejected, 3U);
  EXPECT_EQ(repaired->still_wrong.size(), 3U);
  EXPECT_THAT(bench.touched, ::testing::IsEmpty());
  EXPECT_EQ(world.rows[world.orders].count(int_id(3)), 1U);
}

TEST(AuditRepair, WinsOverWhatWasAndLosesAgainstWhatComes) {
  const bson::Timestamp time{1'700'000'000, 7};
  World world;
  world.time = time;
  EXPECT_GT(repair_id(time), world.token_at(time, 0xFFFF));
  EXPECT_LT(repair_id(time), World::mark_at({time.seconds, time.increment + 1}));
  EXPECT_GT(repair_id({7, 0xFFFFFFFF}), world.token_at({7, 0xFFFFFFFF}, 0xFFFF));
  EXPECT_LT(repair_id({7, 0xFFFFFFFF}), World::mark_at({8, 0}));
}

TEST(AuditRepair, LeavesARowAloneThatWasWrittenMeanwhile) {
  World world;
  fill_world(world, 50);
  damage(world);
  Bench bench(world);
  const AuditReport report = bench.run();
  world.put(int_id(3), "\"n\":333");
  world.drain();
  auto repaired = bench.audit->repair(report, {});
  ASSERT_TRUE(repaired);
  EXPECT_EQ(repaired->healed, 1U);
  EXPECT_TRUE(repaired->complete());
  EXPECT_FALSE(bench.touched.contains(int_id(3)));
}

TEST(AuditRepair, RemovesWhatItBroughtBackBehindADelete) {
  World world;
  fill_world(world, 50);
  world.rows[world.orders].erase(int_id(3));
  Bench bench(world);
  const AuditReport report = bench.run();
  bool once = true;
  world.on_step = [&](std::string_view what) {
    if (what != "sink" || !std::exchange(once, false)) return;
    world.remove(int_id(3));
    world.drain();
  };
  auto repaired = bench.audit->repair(report, {});
  ASSERT_TRUE(repaired);
  EXPECT_TRUE(repaired->complete());
  EXPECT_FALSE(world.rows[world.orders].contains(int_id(3)));
}

TEST(AuditRepair, NamesWhatTheSinkRefuses) {
  World world;
  fill_world(world, 50);
  world.rows[world.orders].erase(int_id(3));
  world.rows[world.orders].erase(int_id(4));
  Bench bench(world);
  bench.refuses = {int_id(3)};
  auto repaired = bench.audit->repair(bench.run(), {});
  ASSERT_TRUE(repaired);
  EXPECT_EQ(repaired->rejected, 1U);
  EXPECT_EQ(repaired->written, 1U);
  EXPECT_THAT(texts(repaired->still_wrong), ElementsAre("missing " + int_id(3)));
}

}  // namespace
}  // namespace tidemark::guard
