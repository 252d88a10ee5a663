#include "guard/audit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/event_edit.h"
#include "env/posix/file_system.h"
#include "guard/testing/audit_harness.h"
#include "support/temp_folder.h"

namespace tidemark::guard {
namespace {

using namespace audit_world;  // NOLINT: the harness of this folder
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Audit, FindsNothingWhereBothEndsHoldTheSame) {
  World world;
  fill_world(world, 100);
  Bench bench(world);
  const AuditReport report = bench.run();
  EXPECT_TRUE(report.clean());
  EXPECT_EQ(report.source_documents, 100U);
  EXPECT_EQ(report.destination_documents, 100U);
  EXPECT_EQ(report.buckets, 1U);
  EXPECT_EQ(report.unsettled, 0U);
  EXPECT_EQ(bench.source->read, 100U) << "one pass is enough";
  EXPECT_EQ(bench.end->read, 0U);
}

TEST(Audit, NamesExactlyWhatIsMissingExtraAndDifferent) {
  for (const bool pushes_down : {true, false}) {
    World world;
    fill_world(world, 100);
    damage(world);
    Bench bench(world);
    bench.end->pushes_down = pushes_down;
    const AuditReport report = bench.run();
    EXPECT_THAT(texts(report.differences), ::testing::UnorderedElementsAreArray(kDamage));
    EXPECT_EQ(report.missing, 1U);
    EXPECT_EQ(report.extra, 1U);
    EXPECT_EQ(report.different, 1U);
    EXPECT_TRUE(report.differences_complete);
    EXPECT_EQ(report.unexamined, 0U);
  }
}

TEST(Audit, TellsTypesApartThatLookAlike) {
  World world;
  world.put("1", R"("a":{"$numberInt":"1"})");
  world.put("2", R"("a":{"$numberInt":"1"})");
  world.put("3", R"("a":{"$numberInt":"1"})");
  world.drain();
  const auto with = [](int id, const char* a) {
    return bson::to_json(*bson::Document::from_json("{\"_id\":" + std::to_string(id) + ",\"a\":" + a + "}"));
  };
  world.rows[world.orders][int_id(1)].doc = with(1, R"({"$numberLong":"1"})");
  world.rows[world.orders][int_id(2)].doc = with(2, R"({"$numberDouble":"1.0"})");
  Bench bench(world);
  EXPECT_THAT(texts(bench.run().differences),
              ElementsAre("different " + int_id(1), "different " + int_id(2)));
}

TEST(Audit, CountsByBucketWhereTheDifferencesAre) {
  World world;
  fill_world(world, 100);
  damage(world);
  AuditOptions options;
  options.buckets.width_ms = 10'000;
  Bench bench(world, options);
  const AuditReport report = bench.run();
  EXPECT_EQ(report.buckets, 11U) << "ten of ten seconds, and one for what has no time";
  EXPECT_EQ(report.buckets_differing, 3U);
  ASSERT_EQ(report.deltas.size(), 3U);
  EXPECT_EQ(report.deltas[0].start_ms, std::nullopt);
  EXPECT_EQ(report.deltas[0].extra, 1U);
  EXPECT_EQ(report.deltas[1].start_ms, 1'700'000'000'000);
  EXPECT_EQ(report.deltas[1].missing, 1U);
  EXPECT_EQ(report.deltas[1].source, 10U);
  EXPECT_EQ(report.deltas[1].destination, 9U);
  EXPECT_EQ(report.deltas[2].start_ms, 1'700'000'050'000);
  EXPECT_EQ(report.deltas[2].different, 1U);
}

TEST(Audit, BucketsByTheTimeInsideAnObjectId) {
  World world;
  world.bucket_field = "_id";
  world.put(R"({"$oid":"65f000000000000000000001"})", "");
  world.put(R"({"$oid":"65f010000000000000000001"})", "");
  world.drain();
  world.rows[world.orders].erase(R"({"$oid":"65f010000000000000000001"})");
  Bench bench(world);
  const AuditReport report = bench.run();
  EXPECT_EQ(report.buckets, 2U);
  ASSERT_EQ(report.deltas.size(), 1U);
  EXPECT_EQ(report.deltas[0].start_ms, 0x65f01000LL * 1000 / 3'600'000 * 3'600'000);
}

// --- settling

TEST(Audit, DoesNotReportAPipelineThatLags) {
  World world;
  fill_world(world, 50);
  for (int n = 0; n < 50; n += 2) world.put(int_id(n), "\"n\":-1");
  for (int n = 50; n < 70; ++n) world.put(int_id(n), "");
  world.remove(int_id(1));
  const AuditReport report = Bench(world).run();
  EXPECT_EQ(report.wrong(), 0U);
  EXPECT_EQ(report.unsettled, 46U) << "25 replaced, 20 new, 1 gone";
  EXPECT_FALSE(report.clean()) << "what isn't settled is not known to be the same";
}

TEST(Audit, ReportsARowThatIsReallyLostWithoutWaitingForThePipeline) {
  World world;
  fill_world(world, 50);
  damage(world);
  for (int n = 10; n < 20; ++n) world.put(int_id(n), "\"n\":-1");  // never delivered
  const size_t stored = world.stored;
  Bench bench(world);
  const AuditReport report = bench.run();
  EXPECT_EQ(world.stored, stored);
  EXPECT_EQ(report.missing, 1U);
  EXPECT_EQ(report.extra, 2U) << "document 50 isn't at the source here";
  EXPECT_EQ(report.different, 0U);
  EXPECT_EQ(report.unsettled, 10U);
}

TEST(Audit, DoesNotReportADocumentThatIsWrittenAllTheTime) {
  World world;
  fill_world(world, 20);
  int n = 0;
  world.on_step = [&](std::string_view) {
    world.put(int_id(7), "\"n\":" + std::to_string(++n));
    if (n % 3 == 0) world.drain();
  };
  const AuditReport report = Bench(world).run();
  EXPECT_EQ(report.wrong(), 0U);
  EXPECT_LE(report.unsettled, 1U);
}

TEST(Audit, ADropOnItsWayLeavesEverythingUnsettled) {
  World world;
  fill_world(world, 20);
  damage(world);
  world.drop();
  const AuditReport report = Bench(world).run();
  EXPECT_EQ(report.wrong(), 0U) << "the drop will clear the table";
  world.drain();
  EXPECT_TRUE(Bench(world).run().clean());
}

TEST(Audit, TwoEventsOfOneTransactionArePendingBoth) {
  World world;
  fill_world(world, 20);
  world.put(int_id(5), "\"n\":-1");
  world.put(int_id(6), "\"n\":-1", true);
  world.put(int_id(7), "\"n\":-1", true);
  // The position lies inside the transaction.
  world.apply_next(0);
  world.apply_next(1);
  world.save(world.durable());
  const AuditReport report = Bench(world).run();
  EXPECT_EQ(report.wrong(), 0U);
}

TEST(Audit, ADifferenceThatHealsBetweenTwoLooksIsNone) {
  World world;
  fill_world(world, 20);
  const World::Held row = world.rows[world.orders][int_id(3)];
  world.rows[world.orders].erase(int_id(3));
  world.clock.on_sleep = [&] { world.rows[world.orders][int_id(3)] = row; };
  const AuditReport report = Bench(world).run();
  EXPECT_TRUE(report.clean());
  EXPECT_EQ(report.unsettled, 0U);
}

TEST(Audit, SaysThatAPositionIsLostInsteadOfGuessing) {
  World world;
  fill_world(world, 20);
  world.rows[world.orders].erase(int_id(3));
  world.position_is_lost = true;
  EXPECT_EQ(Bench(world).error().react, React::kPositionLost);
}

TEST(Audit, NeedsAStoredPositionOfTheSameSettingsAndDeployment) {
  World world;
  fill_world(world, 20);
  world.rows[world.orders].erase(int_id(3));
  world.deployment = "rs1";
  EXPECT_THAT(Bench(world).error().what, HasSubstr("deployment rs1, but the source is rs0"));
  world.deployment = "rs0";
  world.fingerprint = "g";
  EXPECT_THAT(Bench(world).error().what, HasSubstr("other settings"));
  world.fingerprint = "";
  EXPECT_THAT(Bench(world).error().what, HasSubstr("no stored position"));
}

TEST(Audit, RefusesAPositionAheadOfTheDeployment) {
  World world;
  fill_world(world, 20);
  world.rows[world.orders].erase(int_id(3));
  world.time = {1'600'000'000, 1};
  const Error error = Bench(world).error();
  EXPECT_EQ(error.react, React::kConfig);
  EXPECT_THAT(error.what, HasSubstr("lies after"));
}

// --- transforms

class DropNegative final : public Transform {
 public:
  Result<Verdict> apply(Event& event, EventBatch&) const override {
    const auto n = event.after.find("n");
    if (n && n->integer() == 13) return fail(React::kReject, "thirteen");
    return n && n->integer().value_or(0) < 0 ? Verdict::kDrop : Verdict::kKeep;
  }
};

class Changed final : public Transform {
 public:
  enum class What { kId, kTime };
  explicit Changed(What what) : what_(what) {}
  Result<Verdict> apply(Event& event, EventBatch& batch) const override {
    EventEdit edit;
    bson::Builder built;
    if (what_ == What::kId) {
      edit.key = built.append("_id", "secret").view();
    } else {
      edit.after = built.concat(event.after).append_date("seen", event.wall_time_ms).view();
    }
    TIDEMARK_TRY(apply_edit(event, edit, batch));
    return Verdict::kKeep;
  }

 private:
  const What what_;
};

template <class T, class... Args>
std::vector<std::unique_ptr<Transform>> transforms(Args... args) {
  std::vector<std::unique_ptr<Transform>> list;
  list.push_back(std::make_unique<T>(args...));
  return list;
}

TEST(Audit, ExpectsNothingOfWhatTheTransformsDropOrRefuse) {
  World world;
  fill_world(world, 20);
  world.rows[world.orders].erase(int_id(13));  // rejected at its insert
  world.put(int_id(30), "\"n\":-1");           // dropped at its insert
  world.put(int_id(31), "\"refused\":1");      // the destination can't hold it
  world.put(int_id(4), "\"n\":-1");            // was kept, is dropped now: its row stays
  world.stored = world.log.size();
  world.applied = {world.stored, world.stored};
  Bench bench(world, {}, transforms<DropNegative>());
  const AuditReport report = bench.run();
  EXPECT_EQ(report.wrong(), 0U) << ::testing::PrintToString(texts(report.differences));
  EXPECT_FALSE(report.clean()) << "two documents of the source are nowhere at the destination";
  EXPECT_EQ(report.filtered, 2U);
  EXPECT_EQ(report.rejected, 2U);
  ASSERT_EQ(report.rejects.size(), 2U);
  EXPECT_EQ(to_string(report.rejects[0]), "rejected shop.orders " + int_id(13) + ": thirteen");
  EXPECT_EQ(to_string(report.rejects[1]),
            "rejected shop.orders " + int_id(31) + ": the destination can't hold it");
  EXPECT_EQ(report.left_over, 1U);
  EXPECT_EQ(report.source_documents, 18U);
}

TEST(Audit, RefusesTransformsThatHideTheId) {
  World world;
  fill_world(world, 20);
  const Error error = Bench(world, {}, transforms<Changed>(Changed::What::kId)).error();
  EXPECT_EQ(error.react, React::kConfig);
  EXPECT_THAT(error.what, HasSubstr("_id"));
}

TEST(Audit, RefusesToChecksumWhatDependsOnTheTimeOfTheEvent) {
  World world;
  fill_world(world, 20);
  const Error error = Bench(world, {}, transforms<Changed>(Changed::What::kTime)).error();
  EXPECT_EQ(error.react, React::kConfig);
  EXPECT_THAT(error.what, HasSubstr("time of the event"));
  AuditOptions options;
  options.kind = AuditKind::kCount;
  EXPECT_TRUE(Bench(world, options, transforms<Changed>(Changed::What::kTime)).run().clean());
}

// --- bounds, pace, resumption

TEST(Audit, ReadsNoFasterThanItsRate) {
  World world;
  fill_world(world, 300);
  AuditOptions options;
  options.rate = 50;
  Bench bench(world, options);
  bench.end->pushes_down = false;
  EXPECT_TRUE(bench.run().clean());
  EXPECT_EQ(std::chrono::round<std::chrono::milliseconds>(world.clock.slept).count(), 12'000)
      << "300 documents at each of two ends, one after the other";
}

TEST(Audit, TriesAPageAgainAndCountsItOnce) {
  World world;
  fill_world(world, 50);
  Bench bench(world);
  bench.source->fail_next = 3;
  const AuditReport report = bench.run();
  EXPECT_TRUE(report.clean());
  EXPECT_EQ(report.source_documents, 50U);
}

TEST(Audit, GoesOnWhereItStoodAfterAKillAtEveryPage) {
  PosixFileSystem files;
  for (int kill_at = 1; kill_at < 36; ++kill_at) {
    ::tidemark::testing::TempFolder folder;
    World world;
    fill_world(world, 56);
    damage(world);
    AuditOptions options;
    options.state_path = folder.file("orders.audit");
    options.checkpoint_every_ms = 0;
    // A kill: the process is gone with everything that it had in memory. Nothing after it is saved.
    struct Killed {};
    int steps = 0;
    world.on_step = [&](std::string_view) {
      if (++steps == kill_at) throw Killed();
    };
    bool killed = false;
    {
      Bench first(world, options, {}, &files);
      first.end->pushes_down = false;
      try {
        first.run();
      } catch (const Killed&) {
        killed = true;
      }
    }
    world.on_step = [](std::string_view) {};
    Bench second(world, options, {}, &files);
    second.end->pushes_down = false;
    const AuditReport report = second.run();
    EXPECT_THAT(texts(report.differences), ::testing::UnorderedElementsAreArray(kDamage)) << kill_at;
    EXPECT_EQ(report.source_documents, 56U);
    EXPECT_EQ(report.destination_documents, 56U);
    EXPECT_TRUE(report.resumed || !killed || kill_at == 1) << kill_at;
    // The sums of 8 pages at each end aren't made again; two passes of the drill-down are.
    EXPECT_LE(second.source->read, killed && kill_at > 17 ? 112U : 168U) << kill_at;
    EXPECT_FALSE(*files.exists(options.state_path)) << "a whole audit leaves no checkpoint";
  }
}

TEST(Audit, KeepsItsProgressInMemoryWhenItWasStopped) {
  World world;
  fill_world(world, 100);
  Bench bench(world);
  std::stop_source stop;
  int pages = 0;
  world.on_step = [&](std::string_view what) {
    if (what == "source page" && ++pages == 5) stop.request_stop();
  };
  auto stopped = bench.audit->run(stop.get_token());
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().react, React::kCancelled);
  const AuditReport report = bench.run();
  EXPECT_TRUE(report.resumed);
  EXPECT_EQ(report.source_documents, 100U);
  EXPECT_LE(bench.source->read, 107U) << "one page was read and not counted";
}

TEST(Audit, DoesNotResumeWhatOtherSettingsHaveMade) {
  PosixFileSystem files;
  ::tidemark::testing::TempFolder folder;
  World world;
  fill_world(world, 100);
  AuditOptions options;
  options.state_path = folder.file("orders.audit");
  std::stop_source stop;
  world.on_step = [&](std::string_view what) {
    if (what == "source page") stop.request_stop();
  };
  ASSERT_FALSE(Bench(world, options, {}, &files).audit->run(stop.get_token()));
  world.on_step = [](std::string_view) {};
  options.buckets.width_ms = 60'000;
  EXPECT_FALSE(Bench(world, options, {}, &files).run().resumed);
}

TEST(Audit, DrillsDownIntoManyDocumentsWithinItsMemory) {
  World world;
  fill_world(world, 12'000);
  world.rows[world.orders].clear();
  AuditOptions options;
  options.memory_bytes_max = 128 << 10;  // 3640 digests at a time
  options.page_documents_max = 500;
  Bench bench(world, options);
  const AuditReport report = bench.run();
  EXPECT_EQ(report.missing + report.unexamined, 12'000U);
  EXPECT_GT(report.missing, 0U);
  EXPECT_FALSE(report.differences_complete);
  EXPECT_LE(report.memory_bytes_peak, 400U << 10);
}

TEST(Audit, EveryDamagedRowIsFoundInSeveralGroupsOfLeaves) {
  World world;
  fill_world(world, 6'000);
  for (int n = 0; n < 6'000; n += 5) world.rows[world.orders][int_id(n)].doc = twisted(int_id(n));
  for (int n = 1; n < 6'000; n += 5) world.rows[world.orders].erase(int_id(n));
  AuditOptions options;
  options.memory_bytes_max = 1 << 16;
  options.page_documents_max = 500;
  Bench bench(world, options);
  const AuditReport report = bench.run();
  EXPECT_EQ(report.different, 1'200U);
  EXPECT_LE(report.missing, 1'200U);
  EXPECT_GE(report.missing + report.unexamined, 1'200U) << "what doesn't fit is told, not forgotten";
  EXPECT_GT(bench.end->leaf_scans, 2U);
}

}  // namespace
}  // namespace tidemark::guard
