#include "guard/audit_count.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "guard/testing/audit_harness.h"

namespace tidemark::guard {
namespace {

using namespace audit_world;  // NOLINT: the harness of this folder

AuditOptions counting() {
  AuditOptions options;
  options.kind = AuditKind::kCount;
  options.buckets.width_ms = 10'000;
  return options;
}

TEST(CountAudit, LetsTheServersCount) {
  World world;
  fill_world(world, 100);
  Bench bench(world, counting());
  const AuditReport report = bench.run();
  EXPECT_TRUE(report.clean());
  EXPECT_EQ(report.source_documents, 100U);
  EXPECT_EQ(report.buckets, 10U);
  EXPECT_EQ(bench.source->read + bench.end->read, 0U);
}

TEST(CountAudit, NamesTheBucketsThatDiffer) {
  World world;
  fill_world(world, 100);
  for (int n = 10; n < 14; ++n) world.rows[world.orders].erase(int_id(n));
  world.rows[world.orders][int_id(999)] = {"{}", "82", 1'700'000'090'000};
  const AuditReport report = Bench(world, counting()).run();
  EXPECT_EQ(report.missing, 4U);
  EXPECT_EQ(report.extra, 1U);
  ASSERT_EQ(report.deltas.size(), 2U);
  EXPECT_EQ(report.deltas[0].missing, 4U);
  EXPECT_EQ(report.deltas[0].start_ms, 1'700'000'010'000);
}

TEST(CountAudit, ToleratesWhatItIsToldTo) {
  World world;
  fill_world(world, 100);
  for (int n = 10; n < 14; ++n) world.rows[world.orders].erase(int_id(n));
  AuditOptions options = counting();
  options.tolerance = 4;
  EXPECT_TRUE(Bench(world, options).run().clean());
}

TEST(CountAudit, DoesNotReportWhatIsOnItsWay) {
  World world;
  fill_world(world, 100);
  for (int n = 100; n < 110; ++n)
    world.put(int_id(n), "\"at\":{\"$date\":{\"$numberLong\":\"1700000100000\"}}");
  const AuditReport lagging = Bench(world, counting()).run();
  EXPECT_EQ(lagging.wrong(), 0U);
  EXPECT_EQ(lagging.unsettled, 10U);
  // Fifteen more are gone than the ten that are on their way can explain.
  for (int n = 0; n < 10; ++n) world.rows[world.orders].erase(int_id(n));
  for (int n = 10; n < 25; ++n) world.rows[world.orders][int_id(1000 + n)] = {"{}", "82", 1'700'000'050'000};
  const AuditReport report = Bench(world, counting()).run();
  EXPECT_EQ(report.extra, 15U);
  EXPECT_EQ(report.missing, 0U);
}

TEST(CountAudit, AgreesWithAChecksumAuditAboutWhatIsRefused) {
  for (const AuditKind kind : {AuditKind::kCount, AuditKind::kChecksum}) {
    World world;
    fill_world(world, 20);
    world.put(int_id(20), "\"refused\":1");
    world.drain();
    world.rows[world.orders].erase(int_id(20));  // a letter
    AuditOptions options = counting();
    options.kind = kind;
    const AuditReport report = Bench(world, options).run();
    EXPECT_EQ(report.missing, 0U);
    EXPECT_EQ(report.rejected, 1U);
    EXPECT_EQ(report.unsettled, 0U);
    ASSERT_EQ(report.rejects.size(), 1U);
    EXPECT_FALSE(report.clean());
  }
}

TEST(CountAudit, OneIdOnTwoShardsIsOneTooFewAtTheDestination) {
  World world;
  fill_world(world, 20);
  world.of_another_shard = {world.documents[world.orders][int_id(5)]};
  EXPECT_EQ(Bench(world, counting()).run().missing, 1U);
}

}  // namespace
}  // namespace tidemark::guard
