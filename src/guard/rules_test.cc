#include "guard/rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "guard/testing/alerts_harness.h"

namespace tidemark::guard {
namespace {

using testing::Bench;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSubsetOf;
using ::testing::Not;
using testing::SimPipeline;
using Kind = SimPipeline::Kind;

// A silent failure: what it is, what must say so, and what may be said beside it.
struct Row {
  std::string_view rule;
  Kind kind;
  std::function<void(Bench&)> inflict;
  std::vector<std::string> beside = {};
  std::optional<double> threshold = {};  // scaled to the interval of 10 s
  std::optional<int> for_s = {};
};

void audit(Bench& bench, const std::function<void(AuditView&)>& change) {
  bench.sim.audits = {testing::audit_of("checksum", 600, 20)};
  change(bench.sim.audits[0].view);
}

// Of the deployment and the position.
std::vector<Row> outer_rows() {
  return {
      {"position_stuck", Kind::kOutside, [](Bench& b) { b.sim.wedged = true; }, {"lag"}, 5},
      {"position_stuck", Kind::kInProcess, [](Bench& b) { b.sim.sink_hangs = true; }, {"lag"}, 5},
      {"position_stuck", Kind::kQueue, [](Bench& b) { b.sim.sink_hangs = true; }, {}, 5},
      {"position_stuck", Kind::kFeed, [](Bench& b) { b.sim.wedged = true; }, {"lag"}, 5},
      {"lag", Kind::kOutside, [](Bench& b) { b.sim.wedged = true; }, {"position_stuck"}, 5, 0},
      {"lag", Kind::kFeed, [](Bench& b) { b.sim.wedged = true; }, {"position_stuck"}, 5, 0},
      {"source_stalled", Kind::kOutside, [](Bench& b) { b.sim.no_majority = true; }, {}, 5, 0},
      {"source_unreachable", Kind::kOutside, [](Bench& b) { b.sim.unreachable = true; }, {}, 5},
      {"source_failing", Kind::kInProcess, [](Bench& b) { b.sim.reads_refused = true; }, {}, 5},
      {"oplog_window",
       Kind::kOutside,
       [](Bench& b) {
         b.sim.wedged = true;
         b.sim.oldest_forced = bson::Timestamp{b.sim.second - 10, 1};
       },
       {"position_stuck", "lag", "oplog_window_critical"},
       {},
       0},
      {"oplog_window_critical",
       Kind::kOutside,
       [](Bench& b) {
         b.sim.wedged = true;
         b.sim.oldest_forced = bson::Timestamp{b.sim.second - 2, 1};
       },
       {"position_stuck", "lag", "oplog_window"},
       {},
       0},
      {"position_lost",
       Kind::kOutside,
       [](Bench& b) {
         b.sim.wedged = true;
         b.sim.oldest_forced = bson::Timestamp{b.sim.second + 5, 1};
       },
       {"position_stuck", "lag", "oplog_window", "oplog_window_critical"}},
      {"position_missing", Kind::kOutside, [](Bench& b) { b.sim.position_gone = true; }},
      {"position_unreadable", Kind::kOutside,
       [](Bench& b) {
         b.sim.peek_error = Error{React::kCorrupt, "checksum"};
       }},
      {"position_moved_back", Kind::kOutside,
       [](Bench& b) {
         b.sim.wedged = true;
         b.sim.stored.position = testing::position_at({b.sim.second - 3600, 1});
       }},
      {"position_ahead", Kind::kOutside,
       [](Bench& b) {
         b.sim.wedged = true;
         b.sim.stored.position = testing::position_at({b.sim.second + 3600, 1});
       }},
      {"position_foreign", Kind::kOutside, [](Bench& b) { b.sim.stored.deployment = "rs0/2"; }},
      {"position_foreign", Kind::kOutside, [](Bench& b) { b.sim.stored.fingerprint = "g"; }},
      {"second_instance", Kind::kOutside, [](Bench& b) { b.sim.stored.epoch += 4; }},
  };
}

// Of the pipeline, its queues and its content.
std::vector<Row> inner_rows() {
  return {
      {"pipeline_ended", Kind::kInProcess, [](Bench& b) { b.sim.ended = "the position is lost"; }},
      {"sink_failing", Kind::kInProcess, [](Bench& b) { b.sim.sink_refuses = true; }, {"position_stuck"}, 5},
      {"saves_failing",
       Kind::kInProcess,
       [](Bench& b) { b.sim.saves_refused = true; },
       {"position_stuck"},
       5},
      {"dead_letters_growing", Kind::kOutside, [](Bench& b) { b.sim.letters_per_second = 1; }},
      {"backlog_growing",
       Kind::kQueue,
       [](Bench& b) { b.sim.consumer_gone = true; },
       {"position_stuck"},
       100,
       0},
      {"delivery_limit", Kind::kQueue, [](Bench& b) { b.sim.delivery_limit = 20; }},
      {"nothing_delivered", Kind::kOutside,
       [](Bench& b) {
         audit(b, [](AuditView& view) {
           view.filtered_documents = 5000;
           view.source_documents = view.destination_documents = 0;
         });
       }},
      {"nothing_delivered",
       Kind::kInProcess,
       [](Bench& b) {
         b.sim.view = {};  // a start with another filter
         b.sim.all_filtered = true;
       },
       {},
       10},
      {"feed_behind", Kind::kFeed, [](Bench& b) { b.sim.cursor_dead = true; }, {}, {}, 0},
      {"clock_jumped", Kind::kOutside, [](Bench& b) { b.wall_ms += 3'600'000; }},
      {"audit_missing", Kind::kOutside, [](Bench& b) { audit(b, [](AuditView& v) { v.missing = 1; }); }},
      {"audit_extra", Kind::kOutside, [](Bench& b) { audit(b, [](AuditView& v) { v.extra = 1; }); }},
      {"audit_different", Kind::kOutside, [](Bench& b) { audit(b, [](AuditView& v) { v.different = 1; }); }},
      {"audit_unreadable", Kind::kOutside,
       [](Bench& b) { audit(b, [](AuditView& v) { v.unreadable = 1; }); }},
      {"audit_unreadable", Kind::kOutside,
       [](Bench& b) { audit(b, [](AuditView& v) { v.unaudited_collections = 1; }); }},
      {"stale_behind_rejects", Kind::kOutside, [](Bench& b) { audit(b, [](AuditView& v) { v.stale = 1; }); }},
      {"audit_doubled", Kind::kOutside, [](Bench& b) { audit(b, [](AuditView& v) { v.doubled = 1; }); }},
      {"audit_rejected", Kind::kOutside,
       [](Bench& b) { audit(b, [](AuditView& v) { v.rejected_documents = 1; }); }},
      {"audit_overdue", Kind::kOutside, [](Bench& b) { audit(b, [](AuditView& v) { v.age_s = 1300; }); }},
      {"audit_failing", Kind::kOutside,
       [](Bench& b) {
         audit(b, [](AuditView& v) { v.error = "no grant"; });
         b.sim.audits[0].failures_in_a_row = 1;
         b.sim.audits[0].permanent = true;
       }},
      {"audit_failing", Kind::kOutside,
       [](Bench& b) {
         audit(b, [](AuditView& v) { v.error = "no primary"; });
         b.sim.audits[0].failures_in_a_row = 2;
       }},
      {"guard_blind",
       Kind::kOutside,
       [](Bench& b) {
         b.sim.peek_error = Error{React::kRetry, "database is locked"};
       },
       {},
       5},
  };
}

const std::vector<Row>& rows() {
  static const std::vector<Row> all = [] {
    std::vector<Row> both = outer_rows();
    std::vector<Row> inner = inner_rows();
    for (Row& row : inner) both.push_back(std::move(row));
    return both;
  }();
  return all;
}

class RuleRow : public ::testing::TestWithParam<size_t> {};

Bench bench_for(const Row& row, int interval_s = 10) {
  RuleOverride given;
  given.rule = find_rule(row.rule)->id;
  given.threshold = row.threshold;
  if (row.for_s) given.for_ms = std::chrono::seconds(*row.for_s);
  return Bench(row.kind, {given}, 1, interval_s);
}

TEST_P(RuleRow, FlagsItsFailureByNameWithinTwoLooks) {
  const Row& row = rows()[GetParam()];
  Bench bench = bench_for(row);
  bench.look(30);
  ASSERT_THAT(bench.notices, IsEmpty()) << bench.notices[0].text;
  row.inflict(bench);
  bench.look(2);
  ASSERT_TRUE(bench.fires(row.rule)) << ::testing::PrintToString(bench.firing());
  std::vector<std::string> allowed = row.beside;
  allowed.emplace_back(row.rule);
  EXPECT_THAT(bench.firing(), IsSubsetOf(allowed));

  const AlertView alert = bench.notices[0].name == row.rule ? bench.notices[0] : bench.alerts.views().front();
  EXPECT_EQ(alert.pipeline, row.rule == "clock_jumped" ? "" : "orders");
  EXPECT_NE(alert.text, "");
  EXPECT_THAT(alert.text, Not(HasSubstr("{")));
  EXPECT_NE(alert.hint, "");
}

TEST_P(RuleRow, SaysNothingForAnHourOfHealth) {
  const Row& row = rows()[GetParam()];
  Bench bench = bench_for({row.rule, row.kind, nullptr});
  for (int i = 0; i < 360; ++i) {
    bench.sim.busy = i % 40 < 20;
    bench.look();
  }
  EXPECT_THAT(bench.notices, IsEmpty()) << bench.notices[0].text;
}

INSTANTIATE_TEST_SUITE_P(Rules, RuleRow, ::testing::Range<size_t>(0, rows().size()), [](const auto& param) {
  return std::string(rows()[param.param].rule) + "_" + std::to_string(param.param);
});

TEST(Rules, EveryRuleHasARowAboveThatInflictsIt) {
  for (const RuleSpec& spec : rule_specs())
    EXPECT_TRUE(std::any_of(rows().begin(), rows().end(), [&](const Row& row) {
      return row.rule == spec.name;
    })) << spec.name;
}

TEST(Rules, StandInTheOrderOfTheirIds) {
  for (size_t i = 0; i < kRules; ++i) EXPECT_EQ(rule_specs()[i].id, static_cast<RuleId>(i));
  for (const RuleSpec& spec : rule_specs()) EXPECT_EQ(find_rule(spec.name), &spec);
  EXPECT_EQ(find_rule("no_such_rule"), nullptr);
}

TEST(Rules, ClearBeforeTheyCouldFireAgain) {
  for (const RuleSpec& spec : rule_specs()) {
    if (spec.below)
      EXPECT_GT(spec.clearing, spec.threshold) << spec.name;
    else
      EXPECT_LE(spec.clearing, spec.threshold) << spec.name;
  }
}

TEST(Rules, WaitThreeIdleSavesAndMore) {
  const auto rules =
      rules_for("orders", {.idle_save = std::chrono::minutes(5)}, std::chrono::seconds(10), {});
  EXPECT_EQ(rules[static_cast<size_t>(RuleId::kPositionStuck)].threshold, 930);
  EXPECT_EQ(rules[static_cast<size_t>(RuleId::kLag)].threshold, 930);
  EXPECT_EQ(rules[static_cast<size_t>(RuleId::kSourceStalled)].threshold, 30);
}

TEST(Rules, AreOverriddenByTheLastTableThatNamesThePipeline) {
  const std::vector<RuleOverride> given = {{.rule = RuleId::kLag, .threshold = 100},
                                           {.rule = RuleId::kLag, .pipeline = "orders", .threshold = 10},
                                           {.rule = RuleId::kLag, .pipeline = "users", .enabled = false}};
  const auto lag_of = [&](std::string_view pipeline) {
    return rules_for(pipeline, {}, std::chrono::seconds(10), given)[static_cast<size_t>(RuleId::kLag)];
  };
  EXPECT_EQ(lag_of("other").threshold, 100);
  EXPECT_EQ(lag_of("other").clearing, 50);
  EXPECT_EQ(lag_of("orders").threshold, 10);
  EXPECT_EQ(lag_of("orders").clearing, 5);
  EXPECT_FALSE(lag_of("users").enabled);
  EXPECT_TRUE(lag_of("orders").enabled);
}

TEST(Rules, TellFiguresAsPeopleDo) {
  EXPECT_EQ(format_figure(2.5, Unit::kSeconds), "2.5 s");
  EXPECT_EQ(format_figure(75, Unit::kSeconds), "75 s");
  EXPECT_EQ(format_figure(1234, Unit::kSeconds), "21 min");
  EXPECT_EQ(format_figure(3 * 3600, Unit::kSeconds), "3.0 h");
  EXPECT_EQ(format_figure(1, Unit::kDocuments), "1 document");
  EXPECT_EQ(format_figure(2.2, Unit::kTimes), "2.2 times");
  EXPECT_EQ(format_figure(0.25, Unit::kRatio), "0.25");
}

}  // namespace
}  // namespace tidemark::guard
