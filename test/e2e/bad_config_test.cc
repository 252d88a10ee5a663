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

TEST_F(BadConfig, ANumberThatNoTypeHoldsIsRefusedAndNotChanged) {
  for (const char* number :
       {"1e999", "18446744073709551615", "18446744073709551616", "-9223372036854775809"}) {
    PipelineSetup wrong = setup();
    wrong.source = R"(filter = '[{"$match": {"fullDocument.n": {"$gt": )" + std::string(number) + "}}}]'";
    expect_refused(wrong.toml(), AllOf(HasSubstr("orders.toml:"), HasSubstr("$numberDecimal")));
  }
  PipelineSetup fine = setup();
  fine.source =
      R"(filter = '[{"$match": {"fullDocument.n": {"$in": [-9223372036854775808, 1e30, 0.1, "18446744073709551616"]}}}]')";
  EXPECT_THAT(tidemark({"check", folder_.write("orders.toml", fine.toml())}), ExitsWith(0));
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

// Every field that may hold a secret, and everything that a hurried hand makes of it: it stands in no output of any command.
class Secrets : public BadConfig {
 protected:
  static constexpr const char* kSecret = "s3cr3tpa55";

  // One pipeline with `value` in place of the URI or secret of the given part.
  std::string with(const std::string& part, const std::string& value) const {
    const auto of = [&](const char* name, const char* otherwise) {
      return part == name ? value : std::string(otherwise);
    };
    const std::string uri = "\"mongodb://127.0.0.1:1/?replicaSet=none\"";
    return "[[pipeline]]\nname = \"orders\"\non_reject = \"dead_letter\"\n[pipeline.source]\ntype = "
           "\"mongodb\"\nuri = " +
           of("source", uri.c_str()) + "\ndatabase = \"shop\"\ncollection = \"orders\"\n" +
           "[[pipeline.transform]]\ntype = \"redact\"\npaths = [\"a\"]\nsalt = " + of("salt", "\"salt\"") +
           "\n" +
           (part == "mongodb" ? "[pipeline.sink]\ntype = \"mongodb\"\ndatabase = \"copy\"\ncollection = "
                                "\"orders\"\nuri = " +
                                    value
            : part == "rabbitmq" ? "[pipeline.sink]\ntype = \"rabbitmq\"\nuri = " + value
                                 : "[pipeline.sink]\ntype = \"postgres\"\ntable = \"orders\"\nuri = " +
                                       of("postgres", "\"postgres://127.0.0.1:1/d\"")) +
           "\n[pipeline.position]\ntype = \"mongodb\"\nuri = " + of("position", uri.c_str()) +
           "\n[pipeline.dead_letters]\ntype = \"mongodb\"\nuri = " + of("letters", uri.c_str()) +
           (part == "token" ? "\n[server]\nlisten = \"127.0.0.1:1\"\ntoken = " + value : "") +
           (part == "hook" ? "\n[guard]\n[[guard.webhook]]\nurl = " + value : "") + "\n";
  }
};

TEST_F(Secrets, StandInNoOutputHoweverWrongTheyAreWritten) {
  const std::string s = kSecret;
  const std::vector<std::string> shapes = {"\"mongodb://u:" + s + "@127.0.0.1:1/\"",
                                           "\"mongodb://u:a:" + s + "@127.0.0.1:1/\"",
                                           "\"mongodb://u:a@" + s + "@127.0.0.1:1/\"",
                                           "\"mongodb://u:a/" + s + "@127.0.0.1:1/\"",
                                           "\"mongodb://u:" + s + "\"",
                                           "\"mongodb://127.0.0.1:1/?authMechanismProperties=A:" + s + "\"",
                                           "\"postgres://u:a@" + s + "@127.0.0.1:1/\"",
                                           "\"postgres://u:a%" + s + "@127.0.0.1:1/d\"",
                                           "\"postgres://127.0.0.1:1/d?password=" + s + "&nonsense=1\"",
                                           "\"host=127.0.0.1 port=1 password=a " + s + "\"",
                                           "\"host=127.0.0.1 port=1 password='a " + s + "\"",
                                           "\"amqp://u:12/" + s + "@127.0.0.1:1/\"",
                                           "\"amqp://u:a?" + s + "@127.0.0.1:1/\"",
                                           "\"https://" + s + "@127.0.0.1:1/\"",
                                           "\"https://127.0.0.1:1/hooks/" + s + " x\"",
                                           "\"" + s + "\"",
                                           s,
                                           "{ file = \"" + s + "\" }",
                                           "{ file = \"mongodb://u:" + s + "@h/\" }",
                                           "{ " + s + " = 1 }",
                                           "[\"" + s + "\"]",
                                           "\"${" + s + "\"",
                                           "\"${X:-" + s + "}" + "\"",
                                           "\"mongodb://u:" + s};
  for (const char* part :
       {"source", "salt", "mongodb", "rabbitmq", "postgres", "position", "letters", "token", "hook"}) {
    for (const std::string& shape : shapes) {
      const std::string path = folder_.write("secret.toml", with(part, shape));
      const Finished checked = tidemark({"check", path});
      EXPECT_EQ((checked.output + checked.error_output).find(s), std::string::npos)
          << part << " = " << shape << "\n"
          << checked.output << checked.error_output;
    }
  }
}

// A connection string in a field that wants something else: the message may not quote it.
TEST_F(Secrets, StandInNoOutputWhereAConnectionStringDoesNotBelong) {
  const std::string s = kSecret, uri = "mongodb://u:" + s + "@127.0.0.1:1/";
  const std::string good = with("", "");
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  };
  const std::string quoted = "\"" + uri + "\"";
  for (const std::string& toml :
       {changed("name = \"orders\"", "name = " + quoted), changed("\"dead_letter\"", quoted),
        changed("type = \"mongodb\"", "type = " + quoted), changed("\"shop\"", quoted),
        changed("collection = \"orders\"", "collection = " + quoted),
        changed("database = \"shop\"", "database = \"shop\"\nexclude = [" + quoted + "]"),
        changed("database = \"shop\"", "database = \"shop\"\nbatch_size = " + quoted),
        changed("database = \"shop\"", "database = \"shop\"\nmax_await = " + quoted),
        changed("[\"a\"]", "[" + quoted + "]"), changed("table = \"orders\"", "table = " + quoted),
        good + "[server]\npeers = [" + quoted + "]\n",
        good + "[server]\nallowed_origins = [" + quoted + "]\n", good + "[server]\nlisten = " + quoted + "\n",
        good + "[server]\nlisten = \"u:" + s + "@127.0.0.1:1\"\n", good + "[guard]\nstate = " + quoted + "\n",
        good + "[[guard.rule]]\nalert = " + quoted + "\n", good + "[log]\nfile = " + quoted + "\n",
        good + "[log]\nlevel = " + quoted + "\n"}) {
    const std::string path = folder_.write("secret.toml", toml);
    for (const Finished& finished :
         {tidemark({"check", path}), tidemark({"run", path, "--only", uri}), tidemark({"check", uri})})
      EXPECT_EQ((finished.output + finished.error_output).find(s), std::string::npos)
          << toml << finished.output << finished.error_output;
  }
}

TEST_F(Secrets, StandInNoOutputOfTheOtherCommandsEither) {
  const std::string s = kSecret;
  for (const std::string& shape :
       {"\"mongodb://u:a:" + s + "@127.0.0.1:1/\"", "{ file = \"mongodb://u:" + s + "@h/\" }",
        "\"mongodb://u:" + s + "@127.0.0.1:1/?serverSelectionTimeoutMS=50&connectTimeoutMS=50\""}) {
    const std::string path = folder_.write("secret.toml", with("source", shape));
    for (const std::vector<std::string>& command :
         std::vector<std::vector<std::string>>{{"check", path, "--connect"},
                                               {"status", path},
                                               {"status", path, "--json"},
                                               {"position", "show", path}}) {
      const Finished finished = tidemark(command);
      EXPECT_EQ((finished.output + finished.error_output).find(s), std::string::npos)
          << command[0] << " with uri = " << shape << "\n"
          << finished.output << finished.error_output;
    }
  }
}

}  // namespace
}  // namespace tidemark::e2e
