#include "guard/audit_text.h"

#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace tidemark::guard {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

AuditReport sample() {
  AuditReport report;
  report.pipeline = "orders";
  report.source = "mongodb shop.orders";
  report.destination = "sqlite shop.db";
  report.started_at_ms = 1'700'000'000'000;
  report.finished_at_ms = 1'700'000'012'500;
  report.seconds = 12.5;
  report.collections = 1;
  report.source_documents = 1'234'567;
  report.destination_documents = 1'234'566;
  report.buckets = 24;
  return report;
}

AuditReport wrong() {
  AuditReport report = sample();
  report.missing = 1;
  report.extra = 1;
  report.buckets_differing = 2;
  const CollectionName orders{"shop", "orders"};
  report.deltas = {{orders, 1'700'000'000'000, 10, 9, 1, 0, 0}, {orders, std::nullopt, 0, 1, 0, 1, 0}};
  report.differences = {{orders, R"({"$oid":"65f000000000000000000001"})", DifferenceKind::kMissing},
                        {orders, R"("text")", DifferenceKind::kExtra}};
  return report;
}

TEST(AuditText, SaysInOneLineThatBothEndsHoldTheSame) {
  const std::string text = audit_text(sample());
  EXPECT_THAT(text, HasSubstr("audit of orders by checksum: both ends hold the same (12.5 s)"));
  EXPECT_THAT(text, HasSubstr("1,234,567"));
  EXPECT_THAT(text, Not(HasSubstr("--repair")));
}

TEST(AuditText, NeverSaysTheSameOfWhatIsOpenOrRefused) {
  const auto headline = [](const AuditReport& report) {
    const std::string text = audit_text(report);
    EXPECT_THAT(text, Not(HasSubstr("both ends hold the same")));
    return text.substr(0, text.find('\n'));
  };
  AuditReport report = sample();
  report.rejected = 1;
  report.rejects = {{{"shop", "orders"}, R"({"$numberInt":"3"})", "the document holds U+0000"}};
  EXPECT_THAT(headline(report), HasSubstr("the same but for 1 rejected document ("));
  EXPECT_THAT(audit_text(report),
              HasSubstr(R"(rejected shop.orders {"$numberInt":"3"}: the document holds)"));
  report.unsettled = 2;
  EXPECT_THAT(headline(report), HasSubstr("2 documents are unsettled, beside 1 rejected document"));
  report = sample();
  report.unexamined = 1;
  EXPECT_THAT(headline(report), HasSubstr("1 was not looked at"));
  report = sample();
  report.unaudited = {{{"shop", "odd"}, "its name is not UTF-8"}};
  EXPECT_THAT(headline(report), HasSubstr("1 collection could not be compared"));
  EXPECT_THAT(audit_text(report), HasSubstr("not compared shop.odd: its name is not UTF-8"));
  report = sample();
  report.stale = 1;
  EXPECT_THAT(headline(report), HasSubstr("1 of the destination's documents are wrong"));
  EXPECT_THAT(audit_text(report), HasSubstr("stale behind a reject"));
}

TEST(AuditText, SaysThatACappedCollectionForgets) {
  AuditReport report = sample();
  report.capped_rows = 1'200;
  const std::string text = audit_text(report);
  EXPECT_THAT(text, HasSubstr("both ends hold the same"));
  EXPECT_THAT(text, HasSubstr("beyond the cap"));
  EXPECT_THAT(text, HasSubstr("1,200"));
}

TEST(AuditText, ShowsBucketsIdsAndWhatToDo) {
  const std::string text = audit_text(wrong());
  EXPECT_THAT(text, HasSubstr("2 of the destination's documents are wrong"));
  EXPECT_THAT(text, HasSubstr("2023-11-14T22:13:20Z"));
  EXPECT_THAT(text, HasSubstr("without a time"));
  EXPECT_THAT(text, HasSubstr(R"(missing shop.orders {"$oid":"65f000000000000000000001"})"));
  EXPECT_THAT(text, HasSubstr("--repair"));
}

// With twelve digits and a long name too: what is a number is whole and in its column, and a note goes on below itself.
TEST(AuditText, StandsInEightyColumns) {
  AuditReport report = wrong();
  report.source = "mongodb shop.orders";
  report.destination = "sqlite orders.db";
  report.source_documents = report.destination_documents = 123'456'789'012;
  report.rejected = report.capped_rows = 123'456'789'012;
  const std::string text = audit_text(report);
  std::istringstream lines(text);
  std::string line;
  std::getline(lines, line);  // what it is the audit of
  while (std::getline(lines, line)) EXPECT_LE(line.size(), 80U) << line;
  EXPECT_THAT(text, HasSubstr("123,456,789,012"));
  EXPECT_THAT(text,
              HasSubstr("refused, so that the destination can't\n" + std::string(41, ' ') + "hold them"));
}

TEST(AuditText, ShowsAtMostTwentyIds) {
  AuditReport report = wrong();
  for (int i = 0; i < 100; ++i) report.differences.push_back(report.differences.back());
  report.extra += 100;
  EXPECT_THAT(audit_text(report), HasSubstr("... and 82 more"));
}

TEST(AuditText, TakesTimesThatNoCalendarHas) {
  AuditReport report = wrong();
  report.deltas[0].start_ms = INT64_MIN;
  EXPECT_THAT(audit_text(report), HasSubstr("-9223372036854775808 ms"));
  EXPECT_FALSE(nlohmann::json::parse(audit_json(report), nullptr, false).is_discarded());
}

TEST(AuditJson, KeepsItsKeys) {
  RepairReport repair;
  repair.asked = 2;
  repair.written = 1;
  repair.still_wrong = {wrong().differences[1]};
  const auto json = nlohmann::json::parse(audit_json(wrong(), &repair));
  EXPECT_EQ(json["pipeline"], "orders");
  EXPECT_EQ(json["clean"], false);
  EXPECT_EQ(json["missing"], 1);
  EXPECT_EQ(json["started_at"], "2023-11-14T22:13:20Z");
  EXPECT_EQ(json["differences"][0]["kind"], "missing");
  EXPECT_EQ(json["differences"][0]["collection"], "shop.orders");
  EXPECT_EQ(json["differences"][0]["id"]["$oid"], "65f000000000000000000001");
  EXPECT_EQ(json["differences"][1]["id"], "text");
  for (const char* key : {"unreadable", "stale", "doubled", "capped_rows", "gone"})
    EXPECT_EQ(json[key], 0) << key;
  EXPECT_TRUE(json["rejects"].is_array());
  EXPECT_TRUE(json["unaudited"].is_array());
  EXPECT_EQ(json["bucket_deltas"][0]["start_ms"], 1'700'000'000'000);
  EXPECT_TRUE(json["bucket_deltas"][1]["start"].is_null());
  EXPECT_EQ(json["repair"]["complete"], false);
  EXPECT_EQ(json["repair"]["still_wrong"].size(), 1U);
  EXPECT_FALSE(nlohmann::json::parse(audit_json(sample())).contains("repair"));
}

TEST(AuditView, TakesTheFiguresAndTheFirstTwentyIds) {
  AuditReport report = wrong();
  for (int i = 0; i < 100; ++i) report.differences.push_back(report.differences.back());
  AuditView view;
  view.state = "waiting";
  fill(report, view);
  EXPECT_EQ(view.kind, "checksum");
  EXPECT_EQ(view.missing, 1U);
  EXPECT_FALSE(view.clean());
  EXPECT_EQ(view.first_ids.size(), 20U);
  EXPECT_EQ(view.first_ids[0], R"(missing shop.orders {"$oid":"65f000000000000000000001"})");
  EXPECT_EQ(view.state, "waiting");
  report = sample();
  report.rejected = 1;
  report.rejects = {{{"shop", "orders"}, R"("n")", "why"}};
  fill(report, view);
  EXPECT_FALSE(view.clean());
  EXPECT_EQ(view.rejected_documents, 1U);
  EXPECT_EQ(view.first_rejected, std::vector<std::string>{R"(rejected shop.orders "n": why)"});
}

}  // namespace
}  // namespace tidemark::guard
