#include "config/parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/sample_specs.h"

namespace tidemark::config {
namespace {

using std::chrono_literals::operator""ms;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;
using ::testing::SizeIs;

class ParserTest : public ::testing::Test {
 protected:
  ParseResult parse_text(std::string_view text) {
    Environment environment;
    environment.variable = [this](const std::string& name) -> std::optional<std::string> {
      const auto it = variables_.find(name);
      if (it == variables_.end()) return std::nullopt;
      return it->second;
    };
    environment.read_file = [this](const std::string& path) -> Result<std::string> {
      const auto it = files_.find(path);
      if (it == files_.end())
        return fail(React::kConfig, "can't open " + path + ": No such file or directory");
      return it->second;
    };
    return parse("orders.toml", text, testing::sample_specs(), environment);
  }

  // The good file with more lines in its source table.
  ParseResult with_source(std::string_view lines) {
    std::string text(testing::kSamplePipeline);
    text.insert(text.find("\n[pipeline.sink]"), lines);
    return parse_text(text);
  }
  ParseResult with_frame(std::string_view lines) {
    std::string text(testing::kSamplePipeline);
    text.insert(text.find("\n[pipeline.source]"), lines);
    return parse_text(text);
  }

  const Settings& source(const ParseResult& result) {
    static const Settings kNone;
    if (result.ok()) return result.file->pipelines.at(0).source.settings;
    for (const Diagnostic& diagnostic : result.diagnostics) ADD_FAILURE() << diagnostic.text();
    return kNone;
  }

  // The only finding's text.
  std::string finding(const ParseResult& result) {
    EXPECT_THAT(result.diagnostics, SizeIs(1));
    return result.diagnostics.empty() ? "" : result.diagnostics[0].text();
  }

  std::map<std::string, std::string> variables_;
  std::map<std::string, std::string> files_;
};

TEST_F(ParserTest, ReadsAPipelineWithItsDefaults) {
  const auto result = parse_text(testing::kSamplePipeline);
  ASSERT_TRUE(result.ok()) << finding(result);
  ASSERT_THAT(result.file->pipelines, SizeIs(1));
  const PipelineConfig& pipeline = result.file->pipelines[0];
  EXPECT_EQ(pipeline.name, "orders");
  EXPECT_EQ(pipeline.where, "orders.toml:2:1, pipeline");
  EXPECT_EQ(pipeline.frame.integer("lanes"), 1);
  EXPECT_EQ(pipeline.frame.integer("batch_events_max"), 1000);
  EXPECT_EQ(pipeline.frame.bytes("batch_bytes_max"), 4 << 20);
  EXPECT_EQ(pipeline.frame.bytes("in_flight_bytes_max"), 8 << 20);
  EXPECT_EQ(pipeline.frame.duration("idle_save"), 10'000ms);
  EXPECT_EQ(pipeline.frame.duration("retry_initial"), 1000ms);
  EXPECT_EQ(pipeline.frame.duration("retry_max"), 30'000ms);
  EXPECT_EQ(pipeline.frame.string("on_reject"), "stop");
  EXPECT_EQ(pipeline.frame.duration("drain_timeout"), 10'000ms);
  EXPECT_EQ(pipeline.frame.duration("read_wait"), 1000ms);
  EXPECT_EQ(pipeline.source.type, "sample");
  EXPECT_EQ(pipeline.source.settings.string("uri"), "x://host");
  EXPECT_FALSE(pipeline.source.settings.has("database"));
  EXPECT_EQ(pipeline.source.settings.string("database"), "");
  EXPECT_EQ(pipeline.sink.settings.string("path"), "out");
  EXPECT_EQ(pipeline.sink.settings.where("path"), "orders.toml:11:8, pipeline.sink.path");
  EXPECT_FALSE(pipeline.position.has_value());
}

TEST_F(ParserTest, ReadsEveryTypeOfField) {
  const auto result = with_source(R"(
mode     = "safe"
count    = 7
expanded = true
wait     = "250ms"
buffer   = "8MiB"
paths    = ["b", "a"]
rename   = { zebra = "z", apple = "a" }
filter   = '{"total": {"$gt": 5}}'
)");
  const Settings& settings = source(result);
  EXPECT_EQ(settings.string("mode"), "safe");
  EXPECT_EQ(settings.integer("count"), 7);
  EXPECT_TRUE(settings.boolean("expanded"));
  EXPECT_EQ(settings.duration("wait"), 250ms);
  EXPECT_EQ(settings.bytes("buffer"), 8 << 20);
  EXPECT_THAT(settings.list("paths"), ElementsAre("b", "a"));
  EXPECT_THAT(settings.map("rename"), ElementsAre(Pair("zebra", "z"), Pair("apple", "a")));
  EXPECT_EQ(settings.string("filter"), R"({"total": {"$gt": 5}})");
}

TEST_F(ParserTest, AnUnknownKeyNamesItsPlaceAndTheNearestKnownName) {
  const auto result = with_source("databse = \"shop\"\n");
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(finding(result),
            "orders.toml:8:1, pipeline.source.databse: unknown key \"databse\" (did you mean \"database\"?)");
}

TEST_F(ParserTest, AnUnknownKeyFarFromAllListsTheKnownOnes) {
  const auto result = with_source("zzzzzzzz = 1\n");
  EXPECT_THAT(finding(result), HasSubstr("known: type, uri, database"));
}

TEST_F(ParserTest, UnknownTablesAreErrorsToo) {
  EXPECT_THAT(
      finding(parse_text(std::string(testing::kSamplePipeline) + "\n[pipeline.positon]\ntype = \"file\"\n")),
      HasSubstr("did you mean \"position\"?"));
  EXPECT_THAT(finding(parse_text(std::string(testing::kSamplePipeline) + "\n[logs]\nlevel = \"info\"\n")),
              HasSubstr("did you mean \"log\"?"));
  const auto plural = parse_text("[[pipelines]]\nname = \"a\"\n");
  EXPECT_THAT(finding(plural), HasSubstr("did you mean \"pipeline\"?"));
}

TEST_F(ParserTest, ReportsEveryErrorOfTheFileInItsOrder) {
  const auto result = parse_text(R"(
[[pipeline]]
name  = "Orders"
lanes = 65

[pipeline.source]
type  = "sampel"

[pipeline.sink]
type = "drain"
path = 3
pth  = "x"
)");
  ASSERT_FALSE(result.ok());
  std::vector<std::string> places;
  for (const Diagnostic& diagnostic : result.diagnostics) places.push_back(diagnostic.where());
  EXPECT_THAT(places,
              ElementsAre("orders.toml:3:9, pipeline.name", "orders.toml:4:9, pipeline.lanes",
                          "orders.toml:7:9, pipeline.source.type", "orders.toml:11:8, pipeline.sink.path",
                          "orders.toml:12:1, pipeline.sink.pth"));
  const Error error = to_error(result.diagnostics);
  EXPECT_EQ(error.react, React::kConfig);
  EXPECT_EQ(std::count(error.what.begin(), error.what.end(), '\n'), 4);
}

TEST_F(ParserTest, WrongTypesSayWhatTheFieldTakes) {
  EXPECT_THAT(finding(with_source("count = \"7\"\n")),
              HasSubstr("takes an integer, not a string (remove the quotes)"));
  EXPECT_THAT(finding(with_source("count = 7.5\n")), HasSubstr("not a floating-point number"));
  EXPECT_THAT(finding(with_source("wait = 30\n")), HasSubstr("write the unit too"));
  EXPECT_THAT(finding(with_source("wait = \"30 s\"\n")), HasSubstr("\"30 s\" is not a duration"));
  EXPECT_THAT(finding(with_source("buffer = \"8MB\"\n")), HasSubstr("\"8MB\" is not a size"));
  EXPECT_THAT(finding(with_source("mode = \"sfe\"\n")), HasSubstr("did you mean \"safe\"?"));
  EXPECT_THAT(finding(with_source("paths = \"a\"\n")), HasSubstr("put it in brackets"));
  EXPECT_THAT(finding(with_source("paths = [\"a\", 1]\n")), HasSubstr("takes strings, not an integer"));
  EXPECT_THAT(finding(with_source("rename = \"a\"\n")), HasSubstr("takes a table of strings"));
  EXPECT_THAT(finding(with_source("filter = '{total: 5}'\n")), HasSubstr("is not JSON, at byte 3"));
  EXPECT_THAT(finding(with_source("filter = '5'\n")), HasSubstr("is not a JSON object or array"));
  EXPECT_THAT(finding(with_source("database = { path = \"x\" }\n")), HasSubstr("{ file = \"path\" }"));
}

TEST_F(ParserTest, NumbersOutOfRangeSayTheLimit) {
  EXPECT_THAT(finding(with_source("count = 0\n")), HasSubstr("0 is below the least, 1"));
  EXPECT_THAT(finding(with_source("count = 11\n")), HasSubstr("11 is above the most, 10"));
  EXPECT_THAT(finding(with_source("wait = \"2h\"\n")), HasSubstr("2h is above the most, 1h"));
  EXPECT_THAT(finding(with_source("wait = \"99999999999999999d\"\n")), HasSubstr("is not a duration"));
  EXPECT_THAT(finding(with_frame("lanes = 65\n")), HasSubstr("65 is above the most, 64"));
}

TEST_F(ParserTest, FillsInTheEnvironment) {
  variables_ = {{"HOST", "db1"}, {"COUNT", "5"}, {"EMPTY", ""}};
  const auto result = with_source(R"(
count    = "${COUNT}"
database = "${HOST}-${EMPTY:-spare}-${MISSING:-none}-$${HOST}-$5-$$ROOT"
expanded = "${FLAG:-true}"
paths    = ["${HOST}"]
rename   = { a = "${HOST}" }
)");
  const Settings& settings = source(result);
  EXPECT_EQ(settings.integer("count"), 5);
  EXPECT_EQ(settings.string("database"), "db1-spare-none-${HOST}-$5-$$ROOT");
  EXPECT_TRUE(settings.boolean("expanded"));
  EXPECT_THAT(settings.list("paths"), ElementsAre("db1"));
  EXPECT_THAT(settings.map("rename"), ElementsAre(Pair("a", "db1")));
}

TEST_F(ParserTest, AMissingVariableIsNamed) {
  const std::string text = finding(with_source("database = \"${SHOP_DB}\"\n"));
  EXPECT_THAT(text, HasSubstr("orders.toml:8:12, pipeline.source.database"));
  EXPECT_THAT(text, HasSubstr("SHOP_DB is not set"));
  EXPECT_THAT(finding(with_source("database = \"${SHOP DB}\"\n")),
              HasSubstr("no name of an environment variable"));
  EXPECT_THAT(finding(with_source("database = \"${SHOP_DB\"\n")), HasSubstr("${ without its }"));
}

TEST_F(ParserTest, ReadsAValueFromAFileWithoutItsLineEnd) {
  files_ = {
      {"secret", "hunter2\r\n"}, {"two", "a\nb\n"}, {"large", std::string(kValueFileBytesMax + 1, 'x')}};
  EXPECT_EQ(source(with_source("password = { file = \"secret\" }\n")).string("password"), "hunter2");
  EXPECT_EQ(source(with_source("password = { file = \"two\" }\n")).string("password"), "a\nb");
  EXPECT_THAT(finding(with_source("password = { file = \"/absent\" }\n")), HasSubstr("can't open /absent"));
  EXPECT_THAT(finding(with_source("database = { file = \"large\" }\n")), HasSubstr("large is larger than"));
}

TEST_F(ParserTest, WhatMayBeASecretInAPlaceForAFileIsNotShown) {
  for (const char* value : {"mongodb://u:s3cret@h/", "s3cret", "host=h password=s3cret", "u:s3cret@h"}) {
    const std::string text = finding(with_source("password = { file = \"" + std::string(value) + "\" }\n"));
    EXPECT_THAT(text, HasSubstr("isn't shown"));
    EXPECT_THAT(text, Not(HasSubstr("s3cret")));
  }
}

TEST_F(ParserTest, ASecretWithoutItsQuotesIsNotShown) {
  for (const char* value : {"s3cret", "mongodb://u:s3cret@h/", "ts3cret", "fs3cret", "1s3cret", "0xs3cret",
                            "2024-s3cret", "[s3cret]", "{ s3cret }", "\"s3cret", "'s3cret", "\"\\s3cret\"",
                            "infs3cret", "true s3cret", "\"a\" s3cret"}) {
    const ParseResult result = with_source("password = " + std::string(value) + "\n");
    EXPECT_FALSE(result.file) << value;
    EXPECT_THAT(finding(result), Not(HasSubstr("s3cret"))) << value;
  }
}

TEST_F(ParserTest, APasswordThatBreaksItsUriIsRefusedUnseen) {
  for (const char* uri : {"mongodb://u:a:s3cret@h/", "mongodb://u:a@s3cret@h/", "mongodb://u:a/s3cret@h/",
                          "postgres://u:a@s3cret@h/d", "amqp://u:12/s3cret@h"}) {
    variables_ = {{"URI", uri}};
    const std::string text = finding(with_source("password = \"${URI}\"\n"));
    EXPECT_THAT(text, HasSubstr("pipeline.source.password"));
    EXPECT_THAT(text, HasSubstr("percent-encode"));
    EXPECT_THAT(text, Not(HasSubstr("s3cret")));
  }
}

TEST_F(ParserTest, ASecretInTheFileIsAWarningThatDoesNotShowIt) {
  const auto result = with_source("password = \"hunter2\"\n");
  EXPECT_TRUE(result.ok());
  const std::string text = finding(result);
  EXPECT_THAT(text, HasSubstr("a secret stands in the file itself"));
  EXPECT_THAT(text, Not(HasSubstr("hunter2")));
  EXPECT_EQ(result.diagnostics[0].severity, Severity::kWarning);
}

TEST_F(ParserTest, AnAddressWithoutPasswordIsNoSecret) {
  const auto with_uri = [&](const std::string& uri) {
    std::string text(testing::kSamplePipeline);
    text.replace(text.find("x://host"), 8, uri);
    return parse_text(text).diagnostics.size();
  };
  EXPECT_EQ(with_uri("mongodb://db1,db2/?replicaSet=rs0"), 0u);
  EXPECT_EQ(with_uri("mongodb://ann@db1/x:y"), 0u);
  EXPECT_EQ(with_uri("host=db1 user=ann"), 0u);
  EXPECT_EQ(with_uri("mongodb://ann:pw@db1/"), 1u);
  EXPECT_EQ(with_uri("host=db1 password=pw"), 1u);
}

TEST_F(ParserTest, WhatIsMissingIsSaid) {
  const auto result = parse_text("[[pipeline]]\nname = \"a\"\n[pipeline.source]\ntype = \"sample\"\n");
  ASSERT_THAT(result.diagnostics, SizeIs(2));
  EXPECT_THAT(result.diagnostics[0].text(), HasSubstr("the pipeline has no sink (add [pipeline.sink])"));
  EXPECT_THAT(result.diagnostics[1].text(), HasSubstr("`uri` is missing (write uri = \"x://host\")"));
  EXPECT_THAT(finding(parse_text("")), HasSubstr("the file has no pipeline"));
  EXPECT_THAT(finding(parse_text("[log]\nlevel = \"warn\"\n")), HasSubstr("the file has no pipeline"));
  std::string untyped(testing::kSamplePipeline);
  untyped.replace(untyped.find("type = \"drain\""), 14, "");
  EXPECT_THAT(finding(parse_text(untyped)), HasSubstr("`type` is missing (one of drain)"));
}

TEST_F(ParserTest, AnEmptyRequiredValueIsRefused) {
  variables_ = {{"OUT", ""}};
  std::string text(testing::kSamplePipeline);
  text.replace(text.find("\"out\""), 5, "\"${OUT}\"");
  EXPECT_THAT(finding(parse_text(text)), HasSubstr("pipeline.sink.path: is empty"));
}

TEST_F(ParserTest, NamesAreUniqueAndPlain) {
  EXPECT_THAT(
      finding(parse_text(std::string(testing::kSamplePipeline) + std::string(testing::kSamplePipeline))),
      HasSubstr("orders.toml:14:8, pipeline.name: there is another pipeline \"orders\" above"));
  for (const std::string& name :
       {std::string("a b"), std::string("Ä"), std::string(65, 'a'), std::string("a/b")}) {
    std::string text(testing::kSamplePipeline);
    text.replace(text.find("orders"), 6, name);
    EXPECT_THAT(finding(parse_text(text)), HasSubstr("is no pipeline name")) << name;
  }
}

TEST_F(ParserTest, TransformsKeepTheirOrder) {
  const auto result = parse_text(std::string(testing::kSamplePipeline) +
                                 "[[pipeline.transform]]\ntype = \"shape\"\nwhere = '{\"a\": 1}'\n"
                                 "[[pipeline.transform]]\ntype = \"shape\"\nwhere = '{\"b\": 1}'\n");
  ASSERT_TRUE(result.ok()) << finding(result);
  const auto& transforms = result.file->pipelines[0].transforms;
  ASSERT_THAT(transforms, SizeIs(2));
  EXPECT_EQ(transforms[0].settings.string("where"), "{\"a\": 1}");
  EXPECT_EQ(transforms[1].settings.string("where"), "{\"b\": 1}");
}

TEST_F(ParserTest, SingleAndDoubleBracketsAreToldApart) {
  EXPECT_THAT(finding(parse_text("[pipeline]\nname = \"a\"\n")),
              HasSubstr("[[pipeline]], in double brackets"));
  EXPECT_THAT(
      finding(parse_text(std::string(testing::kSamplePipeline) + "[pipeline.transform]\ntype = \"shape\"\n")),
      HasSubstr("[[pipeline.transform]], in double brackets"));
  EXPECT_THAT(
      finding(parse_text(std::string(testing::kSamplePipeline) + "[[pipeline.position]]\ntype = \"file\"\n")),
      HasSubstr("write it as [pipeline.position]"));
}

TEST_F(ParserTest, FieldsThatContradictEachOtherAreErrors) {
  EXPECT_THAT(finding(with_frame("retry_initial = \"40s\"\n")), HasSubstr("is shorter than retry_initial"));
  EXPECT_THAT(finding(with_frame("in_flight_bytes_max = \"1MiB\"\n")),
              HasSubstr("is smaller than batch_bytes_max"));
  EXPECT_THAT(finding(with_frame("on_reject = \"dead_letter\"\n")), HasSubstr("add [pipeline.dead_letters]"));
  const auto unused = parse_text(std::string(testing::kSamplePipeline) +
                                 "[pipeline.dead_letters]\ntype = \"box\"\npath = \"x\"\n");
  EXPECT_TRUE(unused.ok());
  EXPECT_EQ(unused.diagnostics.at(0).severity, Severity::kWarning);
}

TEST_F(ParserTest, BrokenTomlNamesThePlace) {
  EXPECT_THAT(finding(parse_text("[[pipeline]]\nname = \n")), HasSubstr("orders.toml:2:8"));
  EXPECT_THAT(finding(parse_text("a = 1\na = 2\n")), HasSubstr("orders.toml:2:"));
  EXPECT_FALSE(parse_text(std::string(kConfigBytesMax + 1, '\n')).ok());
  EXPECT_FALSE(parse_text("a = \xff\xfe").ok());
  EXPECT_FALSE(parse_text("a = " + std::string(5000, '[')).ok());
}

TEST_F(ParserTest, TheLogLevelIsTheFiles) {
  EXPECT_EQ(parse_text(std::string(testing::kSamplePipeline) + "[log]\nlevel = \"debug\"\n").file->log_level,
            LogLevel::kDebug);
  EXPECT_EQ(parse_text(testing::kSamplePipeline).file->log_level, LogLevel::kInfo);
  EXPECT_THAT(finding(parse_text(std::string(testing::kSamplePipeline) + "[log]\nlevel = \"warning\"\n")),
              HasSubstr("did you mean \"warn\"?"));
}

TEST(Suggestion, CountsASwapAsOneEdit) {
  EXPECT_EQ(edit_distance("databsae", "database"), 1u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(nearest("colection", {"collation", "collection"}), "collection");
  EXPECT_EQ(nearest("x", {"uri", "path"}), "");
}

TEST_F(ParserTest, ReadsTheServerTheStatsAndTheLogsFile) {
  const ParseResult parsed = parse_text(std::string(testing::kSamplePipeline) + R"(
[log]
file = "tidemark.log"
[server]
listen = "127.0.0.1:9"
[[stats]]
type = "counter"
uri = "x://host"
)");
  ASSERT_TRUE(parsed.ok()) << parsed.diagnostics.front().text();
  EXPECT_EQ(parsed.file->log_file, "tidemark.log");
  EXPECT_EQ(parsed.file->server.value().string("listen"), "127.0.0.1:9");
  ASSERT_THAT(parsed.file->stats, SizeIs(1));
  EXPECT_EQ(parsed.file->stats[0].settings.string("uri"), "x://host");
}

TEST_F(ParserTest, NamesTheShapeThatStatsAndServerMustHave) {
  const ParseResult parsed = parse_text("server = 1\nstats = 2\n" + std::string(testing::kSamplePipeline));
  ASSERT_THAT(parsed.diagnostics, SizeIs(2));
  EXPECT_THAT(parsed.diagnostics[0].text(), HasSubstr("[server]"));
  EXPECT_THAT(parsed.diagnostics[1].text(), HasSubstr("[[stats]]"));
}

TEST_F(ParserTest, SuggestsTheStatsThereAre) {
  const ParseResult parsed =
      parse_text(std::string(testing::kSamplePipeline) + "[[stats]]\ntype = \"countr\"\n");
  ASSERT_THAT(parsed.diagnostics, SizeIs(1));
  EXPECT_THAT(parsed.diagnostics[0].text(), HasSubstr("counter"));
}

}  // namespace
}  // namespace tidemark::config
