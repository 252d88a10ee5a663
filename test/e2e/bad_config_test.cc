// A configuration that is wrong: each mistake names its place and the way out, ends with 78 (or 64), and starts nothing.
#include "e2e/relay.h"

namespace tidemark::e2e {
namespace {

using ::testing::AllOf;
using testing::Finished;
using ::testing::HasSubstr;

// No server is needed: `check` connects to nothing.
class BadConfig : public ::testing::Test {
 protected:
  PipelineSetup setup() const {
    PipelineSetup setup;
    setup.uri = "mongodb://127.0.0.1:1/?replicaSet=none";
    setup.database = "shop";
    setup.sink = "[pipeline.sink]\ntype = \"sqlite\"\npath = \"" + folder_.file("orders.db") +
                 "\"\ntable = \"orders\"\nmode = \"current\"\n";
    return setup;
  }

  // Both commands refuse it alike.
  void expect_refused(const std::string& toml, const ::testing::Matcher<const std::string&>& message) {
    const std::string path = folder_.write("orders.toml", toml);
    for (const char* command : {"check", "run"}) {
      const Finished finished = tidemark({command, path});
      EXPECT_THAT(finished, ExitsWith(78)) << command;
      EXPECT_THAT(finished.error_output, message) << command;
    }
    EXPECT_FALSE(std::filesystem::exists(folder_.file("orders.db"))) << "nothing is made by a refused start";
  }

  testing::TempFolder folder_;
};

TEST_F(BadConfig, AnUnknownKeyIsNamedWithItsPlaceAndTheNearestName) {
  PipelineSetup wrong = setup();
  wrong.source = "colection = \"orders\"";
  expect_refused(wrong.toml(),
                 AllOf(HasSubstr("orders.toml:"), HasSubstr("colection"), HasSubstr("collection")));
}

TEST_F(BadConfig, AValueOfTheWrongTypeSaysWhatIsExpected) {
  PipelineSetup wrong = setup();
  wrong.frame = "lanes = \"two\"";
  expect_refused(wrong.toml(), AllOf(HasSubstr("orders.toml:"), HasSubstr("lanes"), HasSubstr("integer")));
}

TEST_F(BadConfig, AMissingVariableIsNamed) {
  PipelineSetup wrong = setup();
  wrong.uri = "${TIDEMARK_E2E_NOT_SET}";
  expect_refused(wrong.toml(), AllOf(HasSubstr("orders.toml:"), HasSubstr("TIDEMARK_E2E_NOT_SET")));
}

TEST_F(BadConfig, AFilterThatRemovesTheTokenIsRefused) {
  PipelineSetup wrong = setup();
  wrong.source = R"(filter = '[{"$project": {"_id": 0}}]')";
  expect_refused(wrong.toml(), AllOf(HasSubstr("filter"), HasSubstr("_id"), HasSubstr("resume")));
}

TEST_F(BadConfig, AStageThatChangeStreamsRefuseIsRefused) {
  PipelineSetup wrong = setup();
  wrong.source = R"(filter = '[{"$group": {"_id": "$ns.coll"}}]')";
  expect_refused(wrong.toml(), AllOf(HasSubstr("filter"), HasSubstr("$group"), HasSubstr("$match")));
}

TEST_F(BadConfig, AnUnknownComponentIsRefusedWithTheOnesThereAre) {
  PipelineSetup wrong = setup();
  wrong.sink = "[pipeline.sink]\ntype = \"postgress\"\n";
  expect_refused(wrong.toml(), AllOf(HasSubstr("postgress"), HasSubstr("postgres")));
}

TEST_F(BadConfig, ModeCurrentWithoutFullDocumentsIsRefused) {
  PipelineSetup wrong = setup();
  wrong.full_document = "default";
  expect_refused(wrong.toml(), AllOf(HasSubstr("full_document"), HasSubstr("update_lookup")));
}

TEST_F(BadConfig, ASinkWithoutAPositionIsRefused) {
  PipelineSetup wrong = setup();
  wrong.sink = "[pipeline.sink]\ntype = \"file\"\npath = \"" + folder_.file("orders.jsonl") + "\"\n";
  expect_refused(wrong.toml(), AllOf(HasSubstr("position"), HasSubstr("[pipeline.position]")));
}

TEST_F(BadConfig, WhatIsNoTomlIsRefusedWithItsLine) {
  expect_refused("[[pipeline]\nname = 1", HasSubstr("orders.toml:1"));
}

TEST_F(BadConfig, AFileThatIsNotThereIsRefused) {
  const Finished finished = tidemark({"run", folder_.file("absent.toml")});
  EXPECT_THAT(finished, ExitsWith(78));
  EXPECT_THAT(finished.error_output, HasSubstr("absent.toml"));
}

TEST_F(BadConfig, SecretsAreNeverPrinted) {
  PipelineSetup wrong = setup();
  wrong.uri = "mongodb://app:hunter2@127.0.0.1:1/?replicaSet=none";
  wrong.frame = "lanes = 0";
  const std::string path = folder_.write("orders.toml", wrong.toml());
  for (const char* command : {"check", "run", "status"}) {
    const Finished finished = tidemark({command, path});
    EXPECT_THAT(finished.error_output + finished.output, Not(HasSubstr("hunter2"))) << command;
  }
}

TEST(CommandLine, IsRefusedWith64AndTheUsage) {
  for (const std::vector<std::string>& args :
       {std::vector<std::string>{}, {"runn"}, {"run"}, {"run", "a.toml", "--nope"}, {"position", "show"}}) {
    const Finished finished = tidemark(args);
    EXPECT_THAT(finished, ExitsWith(64));
    EXPECT_FALSE((finished.output + finished.error_output).empty());
  }
}

TEST(CommandLine, VersionAndHelpSucceed) {
  const Finished version = tidemark({"version"});
  EXPECT_THAT(version, ExitsWith(0));
  EXPECT_THAT(version.output, ::testing::StartsWith("tidemark "));
  const Finished help = tidemark({"--help"});
  EXPECT_THAT(help, ExitsWith(0));
  for (const char* expected : {"run", "check", "status", "position", "demo", "78"})
    EXPECT_THAT(help.output, HasSubstr(expected));
}

}  // namespace
}  // namespace tidemark::e2e
