#include "config/render.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "config/pipeline_spec.h"
#include "config/reference.h"
#include "config/units.h"
#include "support/sample_specs.h"

namespace tidemark::config {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Any text that TOML can hold: no lone surrogates or bytes that aren't UTF-8.
rc::Gen<std::string> any_text() {
  return rc::gen::map(rc::gen::container<std::vector<std::string>>(rc::gen::oneOf(
                          rc::gen::map(rc::gen::inRange<int>(0, 128),
                                       [](int c) { return std::string(1, static_cast<char>(c)); }),
                          rc::gen::element<std::string>("$", "${", "$${", "}", "\"", "\\", "ä",
                                                        "\xE2\x82\xAC", "\xF0\x9F\x8C\x8A", "\n"))),
                      [](const std::vector<std::string>& parts) {
                        std::string text;
                        for (const std::string& part : parts) text += part;
                        return text;
                      });
}

PipelineConfig sample_pipeline(Settings source) {
  PipelineConfig pipeline;
  pipeline.name = "orders";
  pipeline.frame.set("name", std::string("orders"));
  pipeline.source = {"sample", std::move(source), &testing::sample_source()};
  Settings sink;
  sink.set("path", std::string("out"));
  pipeline.sink = {"drain", std::move(sink), &testing::sample_sink()};
  return pipeline;
}

RC_GTEST_PROP(Render, ParsingWhatWasRenderedGivesTheSameSettings, ()) {
  Settings settings;
  const auto uri = "x" + *any_text();
  const auto database = *any_text();
  const auto mode = *rc::gen::element<std::string>("fast", "safe");
  const auto count = *rc::gen::inRange<int64_t>(1, 11);
  const auto expanded = *rc::gen::arbitrary<bool>();
  const auto wait = *rc::gen::inRange<int64_t>(0, 3'600'001);
  const auto buffer = *rc::gen::inRange<int64_t>(0, (int64_t{1} << 40) + 1);
  const auto paths = *rc::gen::container<std::vector<std::string>>(any_text());
  const auto keys = *rc::gen::unique<std::vector<std::string>>(any_text());
  std::vector<std::pair<std::string, std::string>> rename;
  for (const std::string& key : keys) rename.emplace_back(key, *any_text());
  settings.set("uri", uri);
  settings.set("database", database);
  settings.set("mode", mode);
  settings.set("count", count);
  settings.set("expanded", expanded);
  settings.set("wait", wait);
  settings.set("buffer", buffer);
  settings.set("paths", paths);
  settings.set("rename", rename);

  const std::string text = render(sample_pipeline(settings), Secrets::kShow);
  const ParseResult result = parse("x.toml", text, testing::sample_specs(), {});
  for (const Diagnostic& diagnostic : result.diagnostics) {
    if (diagnostic.severity == Severity::kError) RC_LOG() << diagnostic.text() << "\n" << text;
  }
  RC_ASSERT(result.ok());
  const Settings& parsed = result.file->pipelines[0].source.settings;
  RC_ASSERT(parsed.string("uri") == uri);
  RC_ASSERT(parsed.string("database") == database);
  RC_ASSERT(parsed.string("mode") == mode);
  RC_ASSERT(parsed.integer("count") == count);
  RC_ASSERT(parsed.boolean("expanded") == expanded);
  RC_ASSERT(parsed.duration("wait").count() == wait);
  RC_ASSERT(parsed.bytes("buffer") == buffer);
  RC_ASSERT(parsed.list("paths") == paths);
  RC_ASSERT(parsed.map("rename") == rename);
}

RC_GTEST_PROP(Units, WhatWasFormattedParsesBack, ()) {
  const auto value = *rc::gen::positive<int64_t>() - 1;
  RC_ASSERT(parse_duration_ms(format_duration_ms(value)) == value);
  RC_ASSERT(parse_bytes(format_bytes(value)) == value);
}

RC_GTEST_PROP(Suggestion, TheDistanceIsSymmetricAndZeroForEqualWordsAlone, ()) {
  const auto a = *rc::gen::string<std::string>();
  const auto b = *rc::gen::string<std::string>();
  RC_ASSERT(edit_distance(a, b) == edit_distance(b, a));
  RC_ASSERT((edit_distance(a, b) == 0) == (a == b));
  RC_ASSERT(edit_distance(a, b) <= std::max(a.size(), b.size()));
}

TEST(Units, KnowsTheirNamesAndNothingElse) {
  EXPECT_EQ(parse_duration_ms("250ms"), 250);
  EXPECT_EQ(parse_duration_ms("2d"), 172'800'000);
  EXPECT_EQ(parse_bytes("64KiB"), 65536);
  EXPECT_EQ(parse_bytes("12"), 12);
  for (const char* bad : {"", "s", "10", "-1s", "1.5s", "10S", "10 s", "1m30s", "9223372036854775807s"})
    EXPECT_EQ(parse_duration_ms(bad), std::nullopt) << bad;
  for (const char* bad : {"", "KiB", "1kib", "1MB", "-1", "99999999999TiB"})
    EXPECT_EQ(parse_bytes(bad), std::nullopt) << bad;
}

TEST(Render, HidesSecrets) {
  Settings settings;
  settings.set("uri", std::string("mongodb://app:hunter2@db1/?replicaSet=s"));
  settings.set("password", std::string("hunter2"));
  settings.set("database", std::string("shop"));
  const PipelineConfig pipeline = sample_pipeline(settings);
  for (const std::string& text : {render(pipeline, Secrets::kHide), describe(pipeline.source)}) {
    EXPECT_THAT(text, Not(HasSubstr("hunter2")));
    EXPECT_THAT(text, HasSubstr("***"));
    EXPECT_THAT(text, HasSubstr("app:***@db1"));
    EXPECT_THAT(text, HasSubstr("database = \"shop\""));
  }
}

TEST(Reference, HasARowForEveryField) {
  const std::string page =
      render_reference_page("Sources", "Where events come from.", {&testing::sample_source()});
  EXPECT_THAT(page, HasSubstr("# Sources"));
  EXPECT_THAT(page, HasSubstr("## sample"));
  for (const FieldSpec& field : testing::sample_source().fields)
    EXPECT_THAT(page, HasSubstr("\n| `" + field.name + "` |"));
  EXPECT_THAT(page, HasSubstr("| `count` | integer | `3` |  From 1 to 10. |"));
  EXPECT_THAT(page, HasSubstr("[pipeline.source]\ntype = \"sample\"\nuri = \"x://host\"\n"));
  EXPECT_THAT(render_reference_section(testing::sample_sink()), HasSubstr("Where to \\| drain."));
}

TEST(PipelineSpec, EveryDefaultFitsItsField) {
  const ParseResult result = parse("x.toml",
                                   render(sample_pipeline([] {
                                            Settings settings;
                                            settings.set("uri", std::string("x"));
                                            return settings;
                                          }()),
                                          Secrets::kShow),
                                   testing::sample_specs(), {});
  ASSERT_TRUE(result.ok());
  for (const FieldSpec& field : pipeline_spec().fields)
    EXPECT_TRUE(result.file->pipelines[0].frame.has(field.name)) << field.name;
}

}  // namespace
}  // namespace tidemark::config
