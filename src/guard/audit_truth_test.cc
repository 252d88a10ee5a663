// What an audit must not be talked out of: rows whose text says less than the document, documents that share a text or an id,
// what is refused, and what can't be compared.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "guard/audit.h"
#include "guard/changes.h"
#include "guard/settle.h"
#include "guard/testing/audit_harness.h"

namespace tidemark::guard {
namespace {

using namespace audit_world;  // NOLINT: the harness of this folder
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// --- what a text may hide (a renderer is the sink's; the audit reads back what it wrote)

TEST(Audit, NamesWhatARendererLeftOut) {
  World world;
  world.render = [](bson::View document) {
    bson::Builder cut;
    for (const bson::Element field : document)
      if (field.key() != "n" || field.integer() != 7) cut.append(field.key(), field);
    return bson::to_json(cut.view());
  };
  fill_world(world, 20);
  for (const bool pushes_down : {true, false}) {
    Bench bench(world);
    bench.end->pushes_down = pushes_down;
    EXPECT_THAT(texts(bench.run().differences), ElementsAre("different " + int_id(7)));
  }
}

TEST(Audit, NamesARowThatReadsBackToNoDocumentOfItsIdAndRepairsIt) {
  World world;
  fill_world(world, 20);
  World::Rows& rows = world.rows[world.orders];
  const World::Rows right = rows;
  rows[int_id(3)].doc = "twisted";
  rows[int_id(4)].doc = R"({"_id":{"$numberInt":"4"},"n":{"$numberInt":"four"}})";
  rows[int_id(5)].doc = rows[int_id(6)].doc;
  rows[int_id(7)].doc = "";
  Bench bench(world);
  const AuditReport report = bench.run();
  EXPECT_THAT(texts(report.differences), ElementsAre("unreadable " + int_id(3), "unreadable " + int_id(4),
                                                     "unreadable " + int_id(5), "unreadable " + int_id(7)));
  EXPECT_EQ(report.unreadable, 4U);
  EXPECT_FALSE(report.clean());
  auto repaired = bench.audit->repair(report, {});
  ASSERT_TRUE(repaired) << repaired.error().describe();
  EXPECT_EQ(repaired->written, 4U);
  for (const auto& [id, row] : right) EXPECT_EQ(rows[id].doc, row.doc) << id;
  EXPECT_TRUE(bench.run().clean());
}

// Two documents whose ids a sink gave one text: one row for both, which holds the one that came last.
TEST(Audit, TwoDocumentsInOneRowAreNotTheSame) {
  World world;
  fill_world(world, 10);
  World::Rows& rows = world.rows[world.orders];
  rows[int_id(3)] = rows[int_id(4)];
  rows.erase(int_id(4));
  const AuditReport report = Bench(world).run();
  EXPECT_THAT(texts(report.differences), ElementsAre("unreadable " + int_id(3), "missing " + int_id(4)));
}

TEST(Settling, OfTwoIdsWithOneTextTheRowIsThatOnesAloneWhoseBytesItHolds) {
  World world;
  fill_world(world, 2);
  std::set<std::string> unused;
  AuditParts parts = make_parts(world, unused, unused);
  AuditOptions options;
  Expectation expectation(parts.transforms, *parts.end, options.buckets);
  AuditScanner scanner(parts, options, expectation);
  Changes changes(parts);
  Settling settling(parts, options, expectation, scanner, changes);
  // The document 0, and one that a broken renderer calls by the text of 1.
  const auto other = *bson::Document::from_json(R"({"_id":"other"})");
  world.of_another_shard = {other};
  AuditId one, two;
  ASSERT_TRUE(id_of(world.documents[world.orders][int_id(1)], one));
  ASSERT_TRUE(id_of(other, two));
  two.text = one.text;
  const auto settled = settling.settle(world.orders, {one, two}, {});
  ASSERT_TRUE(settled) << settled.error().describe();
  ASSERT_EQ(settled->confirmed.size(), 1U);
  EXPECT_EQ(settled->confirmed[0].id, two);
  EXPECT_EQ(settled->confirmed[0].kind, DifferenceKind::kMissing);
}

TEST(Settling, WhatNeitherEndKnowsIsGoneOnlyAfterASecondLook) {
  World world;
  fill_world(world, 2);
  std::set<std::string> unused;
  AuditParts parts = make_parts(world, unused, unused);
  AuditOptions options;
  Expectation expectation(parts.transforms, *parts.end, options.buckets);
  AuditScanner scanner(parts, options, expectation);
  Changes changes(parts);
  Settling settling(parts, options, expectation, scanner, changes);
  AuditId id;
  ASSERT_TRUE(id_of(*bson::Document::from_json(R"({"_id":77})"), id));
  // It comes back in between: a lookup that missed it once hasn't made it equal.
  int looks = 0;
  world.on_step = [&](std::string_view what) {
    if (what == "position" && ++looks == 2) {
      world.put("77", "");
      world.drain();
      world.rows[world.orders].erase(int_id(77));
    }
  };
  auto settled = settling.settle(world.orders, {id}, {});
  ASSERT_TRUE(settled) << settled.error().describe();
  EXPECT_EQ(settled->gone, 0U);
  ASSERT_EQ(settled->confirmed.size(), 1U);
  EXPECT_EQ(settled->confirmed[0].kind, DifferenceKind::kMissing);

  world.remove(int_id(77));
  world.drain();
  settled = settling.settle(world.orders, {id}, {});
  ASSERT_TRUE(settled) << settled.error().describe();
  EXPECT_EQ(settled->gone, 1U);
  EXPECT_THAT(settled->confirmed, IsEmpty());
}

TEST(Audit, CountsOneIdOnTwoShardsAsTwoDocuments) {
  for (const bool equal : {true, false}) {
    for (const bool pushes_down : {true, false}) {
      World world;
      fill_world(world, 20);
      const bson::Document first = world.documents[world.orders][int_id(5)];
      bson::Builder other;
      other.concat(first);
      if (!equal) other.append("of", "another shard");
      world.of_another_shard = {other.finish()};
      Bench bench(world);
      bench.end->pushes_down = pushes_down;
      const AuditReport report = bench.run();
      EXPECT_THAT(texts(report.differences), ElementsAre("doubled " + int_id(5))) << equal;
      EXPECT_EQ(report.doubled, 1U);
      EXPECT_EQ(report.source_documents, 21U);
      auto repaired = bench.audit->repair(report, {});
      ASSERT_TRUE(repaired) << repaired.error().describe();
      EXPECT_FALSE(repaired->complete()) << "no event puts that right";
      EXPECT_THAT(bench.touched, IsEmpty());
    }
  }
}

// A replace gives the document of 1 the id NumberLong(1), and its event names the new form alone.
TEST(Audit, ARowUnderTheOldFormOfItsIdIsPendingWhileTheReplaceIsOnItsWay) {
  World world;
  fill_world(world, 5);
  world.documents[world.orders].erase(int_id(1));
  world.put(R"({"$numberLong":"1"})", R"("n":1)");
  const AuditReport report = Bench(world).run();
  EXPECT_EQ(report.wrong(), 0U) << ::testing::PrintToString(texts(report.differences));
  EXPECT_EQ(report.unsettled, 2U);
}

// --- what is refused

TEST(Audit, ARowBehindARejectIsStaleAndNotTheSame) {
  for (const bool pushes_down : {true, false}) {
    World world;
    fill_world(world, 20);
    const World::Held before = world.rows[world.orders][int_id(3)];
    world.put(int_id(3), R"("refused":1)");
    world.drain();
    world.rows[world.orders][int_id(3)] = before;  // the update is a letter
    Bench bench(world);
    bench.end->pushes_down = pushes_down;
    const AuditReport report = bench.run();
    EXPECT_THAT(texts(report.differences), ElementsAre("stale " + int_id(3)));
    EXPECT_EQ(report.stale, 1U);
    EXPECT_EQ(report.rejected, 1U);
    EXPECT_FALSE(report.clean());
    auto repaired = bench.audit->repair(report, {});
    ASSERT_TRUE(repaired) << repaired.error().describe();
    EXPECT_EQ(repaired->rejected, 1U);
    EXPECT_EQ(world.rows[world.orders][int_id(3)], before) << "a repair loses nothing";
  }
}

// --- what can't be compared

TEST(Audit, OneCollectionThatCanNotBeComparedIsNamedAndTheOthersAre) {
  World world;
  fill_world(world, 20);
  damage(world);
  const CollectionName odd{"shop", "\xff"};
  world.documents[odd][int_id(1)] = *bson::Document::from_json(R"({"_id":1})");
  const AuditReport report = Bench(world).run();
  ASSERT_EQ(report.unaudited.size(), 1U);
  EXPECT_EQ(report.unaudited[0].collection, odd);
  EXPECT_EQ(report.unaudited[0].reason, "the name is not UTF-8");
  EXPECT_EQ(report.collections, 1U);
  EXPECT_EQ(report.missing, 1U);
}

TEST(Audit, NothingIsSaidOrRepairedOfCollectionsThatShareATable) {
  World world;
  fill_world(world, 5);
  world.documents[{"shop", "other"}][int_id(1)] = *bson::Document::from_json(R"({"_id":1})");
  Bench bench(world);
  bench.end->shared_table = true;
  const AuditReport report = bench.run();
  ASSERT_EQ(report.unaudited.size(), 2U);
  EXPECT_THAT(report.unaudited[0].reason, HasSubstr("share the table all with those of shop.other"));
  EXPECT_THAT(report.unaudited[1].reason, HasSubstr("shop.orders"));
  EXPECT_THAT(report.differences, IsEmpty());
  EXPECT_FALSE(report.clean());
}

TEST(Audit, RowsThatACappedCollectionHasForgottenAreNotExtra) {
  for (const AuditKind kind : {AuditKind::kChecksum, AuditKind::kCount}) {
    World world;
    fill_world(world, 20);
    world.capped.insert(world.orders);
    for (int n = 0; n < 10; ++n) world.documents[world.orders].erase(int_id(n));  // without an event
    AuditOptions options;
    options.kind = kind;
    const AuditReport report = Bench(world, options).run();
    EXPECT_TRUE(report.clean()) << ::testing::PrintToString(texts(report.differences));
    if (kind == AuditKind::kCount) continue;
    EXPECT_EQ(report.capped_rows, 10U);
    // What is wrong of the documents that it still has is found as ever.
    world.rows[world.orders].erase(int_id(12));
    world.rows[world.orders][int_id(13)].doc = twisted(int_id(13));
    world.rows[world.orders][int_id(14)].doc = "twisted";
    const AuditReport wrong = Bench(world, options).run();
    EXPECT_THAT(texts(wrong.differences),
                ElementsAre("missing " + int_id(12), "different " + int_id(13), "unreadable " + int_id(14)));
    EXPECT_EQ(wrong.capped_rows, 10U);
  }
}

}  // namespace
}  // namespace tidemark::guard
