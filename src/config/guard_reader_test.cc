#include "config/guard_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/sample_specs.h"

namespace tidemark::config {
namespace {

using std::chrono_literals::operator""ms;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

ParseResult parse_text(std::string_view text) {
  return parse("orders.toml", text, testing::sample_specs(), Environment());
}

// The only finding's text.
std::string finding(const ParseResult& result) {
  EXPECT_THAT(result.diagnostics, SizeIs(1));
  return result.diagnostics.empty() ? "" : result.diagnostics[0].text();
}

TEST(GuardReader, ReadsTheGuardWithItsRulesWebhooksAndAudits) {
  // Before the pipelines it speaks of: order is the writer's.
  const ParseResult parsed = parse_text(R"(
[guard]
interval = "3s"
[[guard.rule]]
alert = "lag"
threshold = "90s"
[[guard.rule]]
alert = "lag"
pipeline = "orders"
threshold = 0.25
[[guard.rule]]
alert = "source_stalled"
threshold = 12
[[guard.webhook]]
url = "http://host/hook"
alerts = ["lag"]
[[guard.audit]]
pipeline = "orders"
kind = "count"
[[guard.audit]]
pipeline = "orders"
)" + std::string(testing::kSamplePipeline));
  ASSERT_TRUE(parsed.ok()) << parsed.diagnostics.front().text();
  const GuardConfig& guard = parsed.file->guard.value();
  EXPECT_EQ(guard.frame.duration("interval"), 3000ms);
  ASSERT_THAT(guard.rules, SizeIs(3));
  EXPECT_EQ(guard.rules[0].string("threshold"), "90s");
  EXPECT_EQ(guard.rules[1].string("threshold"), "0.25");
  EXPECT_EQ(guard.rules[2].string("threshold"), "12");
  ASSERT_THAT(guard.webhooks, SizeIs(1));
  EXPECT_THAT(guard.webhooks[0].list("alerts"), ElementsAre("lag"));
  ASSERT_THAT(guard.audits, SizeIs(2));
  EXPECT_EQ(guard.audits[1].string("kind"), "checksum");
  EXPECT_THAT(guard.audits[1].where(), HasSubstr("guard.audit"));
  EXPECT_FALSE(parse_text(testing::kSamplePipeline).file->guard.has_value());
}

TEST(GuardReader, AnAuditAloneIsAGuardToo) {
  const ParseResult parsed =
      parse_text(std::string(testing::kSamplePipeline) + "[[guard.audit]]\npipeline = \"orders\"\n");
  ASSERT_TRUE(parsed.ok()) << parsed.diagnostics.front().text();
  EXPECT_EQ(parsed.file->guard.value().frame.duration("interval"), 10'000ms);
}

TEST(GuardReader, WhatTheGuardSaysOfPipelinesMustBeTrue) {
  const auto guard = [&](const std::string& text) {
    return finding(parse_text(std::string(testing::kSamplePipeline) + text));
  };
  const std::string audit = "[[guard.audit]]\npipeline = ";
  EXPECT_THAT(guard(audit + "\"ordres\"\n"),
              ::testing::AllOf(HasSubstr("orders.toml:13:12, guard.audit.pipeline"),
                               HasSubstr("no pipeline \"ordres\""), HasSubstr("did you mean \"orders\"?")));
  EXPECT_THAT(guard("[[guard.rule]]\nalert = \"lag\"\npipeline = \"x\"\n"),
              HasSubstr("no pipeline \"x\" (known: orders)"));
  EXPECT_THAT(guard("[[guard.rule]]\nalert = \"lagg\"\n"), HasSubstr("did you mean \"lag\"?"));
  EXPECT_THAT(guard("[[guard.webhook]]\nurl = \"x\"\nalerts = [\"lag\", \"source_stall\"]\n"),
              HasSubstr("there is no \"source_stall\" (did you mean \"source_stalled\"?)"));
  EXPECT_THAT(guard(audit + "\"orders\"\n" + audit + "\"orders\"\nkind = \"checksum\"\n"),
              ::testing::AllOf(HasSubstr("another checksum audit"), HasSubstr("at orders.toml:12:1")));
  EXPECT_THAT(guard("[[guard.audit]]\nkind = \"count\"\n"), HasSubstr("`pipeline` is missing"));
}

TEST(GuardReader, TheGuardsTablesHaveOneShape) {
  EXPECT_THAT(finding(parse_text("guard = 1\n" + std::string(testing::kSamplePipeline))),
              HasSubstr("write it as [guard]"));
  EXPECT_THAT(
      finding(parse_text("[guard.audit]\npipeline = \"orders\"\n" + std::string(testing::kSamplePipeline))),
      HasSubstr("[[guard.audit]], in double brackets"));
  EXPECT_THAT(finding(parse_text("[guard]\naudits = 1\n" + std::string(testing::kSamplePipeline))),
              HasSubstr("did you mean \"audit\"?"));
  EXPECT_THAT(finding(parse_text("guards = 1\n" + std::string(testing::kSamplePipeline))),
              HasSubstr("did you mean \"guard\"?"));
}

TEST(GuardReader, AThresholdIsANumberOrADuration) {
  const auto threshold = [&](const std::string& text) {
    return parse_text(std::string(testing::kSamplePipeline) +
                      "[[guard.rule]]\nalert = \"lag\"\nthreshold = " + text + "\n");
  };
  for (const char* good : {"0", "3", "0.5", "\"0.5\"", "\"250ms\"", "\"2h\""})
    EXPECT_TRUE(threshold(good).ok()) << good;
  for (const char* bad : {"-1", "-0.5", "nan", "inf", "\"soon\"", "\"-3s\"", "true", "[1]", "\"\""})
    EXPECT_FALSE(threshold(bad).ok()) << bad;
}

}  // namespace
}  // namespace tidemark::config
