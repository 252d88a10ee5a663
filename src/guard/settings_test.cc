#include "guard/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/parser.h"

namespace tidemark::guard {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;

config::Environment no_environment() {
  return {.variable = [](const std::string&) -> std::optional<std::string> { return std::nullopt; },
          .read_file = [](const std::string&) -> Result<std::string> {
            return fail(React::kConfig, "no files");
          }};
}

// What stands in `text` after `[guard]`, beside one pipeline "orders".
class GuardSettings : public ::testing::Test {
 protected:
  config::ParseResult parse(const std::string& text) {
    static const config::ComponentSpec source{.kind = "source", .type = "s"},
        sink{.kind = "sink", .type = "s"};
    config::SpecList specs;
    for (const auto* spec : {&guard_spec(), &guard_rule_spec(), &guard_audit_spec(), &source, &sink})
      specs.add(*spec);
    const std::string pipeline =
        "[[pipeline]]\nname = \"orders\"\n[pipeline.source]\ntype = \"s\"\n[pipeline.sink]\ntype = \"s\"\n";
    return config::parse("t.toml", pipeline + "[guard]\n" + text, specs, no_environment());
  }
  config::GuardConfig good(const std::string& text) {
    config::ParseResult parsed = parse(text);
    for (const auto& diagnostic : parsed.diagnostics) ADD_FAILURE() << diagnostic.text();
    return parsed.file && parsed.file->guard ? *parsed.file->guard : config::GuardConfig();
  }
  Result<RuleOverride> rule(const std::string& text) {
    return rule_override(good("[[guard.rule]]\n" + text).rules.at(0));
  }
};

TEST_F(GuardSettings, HaveADefaultForEverything) {
  const auto frame = guard_frame(good("").frame);
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->interval, seconds(10));
  EXPECT_EQ(frame->resume_max, minutes(10));
  EXPECT_TRUE(frame->enabled);
  EXPECT_EQ(frame->state, "");
}

TEST_F(GuardSettings, OfARuleReplaceWhatTheyNameAndNothingElse) {
  const auto given = rule("alert = \"lag\"\nthreshold = \"2m\"\n");
  ASSERT_TRUE(given) << given.error().describe();
  EXPECT_EQ(given->rule, RuleId::kLag);
  EXPECT_EQ(given->threshold, 120);
  EXPECT_FALSE(given->for_ms || given->clear_ms || given->severity);
  EXPECT_TRUE(given->enabled);
}

TEST_F(GuardSettings, OfARuleTakeEveryField) {
  const auto given = rule(
      "alert = \"oplog_window\"\npipeline = \"orders\"\nthreshold = 0.4\nfor = \"5s\"\nclear = \"0s\"\n"
      "severity = \"critical\"\nenabled = false\n");
  ASSERT_TRUE(given) << given.error().describe();
  EXPECT_EQ(given->rule, RuleId::kOplogWindow);
  EXPECT_EQ(given->pipeline, "orders");
  EXPECT_DOUBLE_EQ(given->threshold.value(), 0.4);
  EXPECT_EQ(given->for_ms, milliseconds(5000));
  EXPECT_EQ(given->clear_ms, milliseconds(0));
  EXPECT_EQ(given->severity, Severity::kCritical);
  EXPECT_FALSE(given->enabled);
}

TEST_F(GuardSettings, ReadAThresholdInTheRulesOwnUnit) {
  EXPECT_EQ(rule("alert = \"lag\"\nthreshold = 45\n")->threshold, 45);
  EXPECT_EQ(rule("alert = \"lag\"\nthreshold = \"500ms\"\n")->threshold, 0.5);
  EXPECT_EQ(rule("alert = \"backlog_growing\"\nthreshold = 10\n")->threshold, 10);
  EXPECT_EQ(rule("alert = \"backlog_growing\"\nthreshold = \"10\"\n")->threshold, 10);
}

TEST_F(GuardSettings, RefuseAThresholdOfAnotherUnitAndSayWhatItTakes) {
  const auto duration = rule("alert = \"backlog_growing\"\nthreshold = \"10s\"\n");
  ASSERT_FALSE(duration);
  EXPECT_THAT(duration.error().describe(), HasSubstr("t.toml:10"));
  EXPECT_THAT(duration.error().describe(), HasSubstr("it is in messages: write a number, such as 1000"));
  const auto ratio = rule("alert = \"oplog_window\"\nthreshold = 40\n");
  ASSERT_FALSE(ratio);
  EXPECT_THAT(ratio.error().describe(), HasSubstr("from 0 to 1"));
}

TEST_F(GuardSettings, KnowNoOtherAlertAndNameTheNearest) {
  const auto parsed = parse("[[guard.rule]]\nalert = \"position_stuk\"\n");
  ASSERT_EQ(parsed.diagnostics.size(), 1u);
  EXPECT_THAT(parsed.diagnostics[0].text(), HasSubstr("did you mean \"position_stuck\"?"));
}

TEST_F(GuardSettings, OfAnAuditBecomeItsOptions) {
  const auto audit = scheduled_audit(
      good("[[guard.audit]]\npipeline = \"orders\"\nkind = \"count\"\nevery = \"1h\"\nbucket = \"1d\"\n"
           "bucket_field = \"created_at\"\ntolerance = 3\nrate = 500\npushdown = false\nrechecks = 7\n"
           "recheck_after = \"1s\"\nmemory = \"8MiB\"\n")
          .audits.at(0));
  ASSERT_TRUE(audit) << audit.error().describe();
  EXPECT_EQ(audit->pipeline, "orders");
  EXPECT_EQ(audit->every, std::chrono::hours(1));
  EXPECT_EQ(audit->options.kind, AuditKind::kCount);
  EXPECT_EQ(audit->options.buckets.field, "created_at");
  EXPECT_EQ(audit->options.buckets.width_ms, 86'400'000);
  EXPECT_EQ(audit->options.tolerance, 3u);
  EXPECT_EQ(audit->options.rate, 500);
  EXPECT_FALSE(audit->options.pushdown);
  EXPECT_EQ(audit->options.rechecks, 7);
  EXPECT_EQ(audit->options.recheck_after_ms, 1000);
  EXPECT_EQ(audit->options.memory_bytes_max, size_t{8} << 20);
}

TEST_F(GuardSettings, RefuseAToleranceForContent) {
  const auto audit =
      scheduled_audit(good("[[guard.audit]]\npipeline = \"orders\"\ntolerance = 3\n").audits.at(0));
  ASSERT_FALSE(audit);
  EXPECT_THAT(audit.error().describe(), HasSubstr("belongs to a count audit"));
}

TEST(RulesTable, HasALineForEachRule) {
  const std::string table = rules_table();
  EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), static_cast<ptrdiff_t>(kRules) + 2);
  EXPECT_THAT(table, HasSubstr("| `lag` | warning | above 60 s | 30s | at or below 30 s | 30s |"));
  EXPECT_THAT(table, HasSubstr("| `oplog_window` | warning | below 0.50 | 1m | from 0.55 | 30s |"));
  EXPECT_THAT(
      table,
      HasSubstr("| `position_lost` | critical | above 0 s | two looks | at or below 0 s | two looks |"));
}

}  // namespace
}  // namespace tidemark::guard
