// The commands as scripts see them: exit codes, and the shape of --json, which is a stable contract.
#include <filesystem>

#include <nlohmann/json.hpp>

#include "e2e/relay.h"

namespace tidemark::e2e {
namespace {

using testing::Finished;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;

class Commands : public EndToEnd {
 protected:
  void SetUp() override {
    EndToEnd::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    use(SinkKind::kSqlite, Mode::kCurrent);
    write_config();
  }

  Finished position(const std::string& action, std::vector<std::string> further = {}) {
    std::vector<std::string> args = {"position", action, config_, "orders"};
    args.insert(args.end(), further.begin(), further.end());
    return tidemark(args);
  }
  nlohmann::json shown() {
    const Finished finished = position("show", {"--json"});
    const auto parsed = nlohmann::json::parse(finished.output, nullptr, false);
    EXPECT_FALSE(parsed.is_discarded()) << describe(finished);
    return parsed;
  }
  static std::vector<std::string> keys(const nlohmann::json& object) {
    std::vector<std::string> names;
    for (const auto& [name, value] : object.items()) names.push_back(name);
    return names;
  }
};

TEST_F(Commands, APositionIsShownMadeMovedAndForgotten) {
  EXPECT_THAT(position("show"), ExitsWith(78));
  EXPECT_TRUE(shown()["position"].is_null());

  EXPECT_THAT(position("init"), ExitsWith(64)) << "where from is the operator's to say";
  EXPECT_THAT(position("init", {"--from", "yesterday"}), ExitsWith(64));
  EXPECT_THAT(position("init", {"--from", "now"}), ExitsWith(0));
  const auto first = shown();
  EXPECT_EQ(first["pipeline"], "orders");
  EXPECT_THAT(keys(first["position"]),
              IsSupersetOf({"token", "time", "saved_at", "deployment", "fingerprint", "epoch"}));
  EXPECT_THAT(position("init", {"--from", "now"}), ExitsWith(78)) << "init replaces nothing";
  EXPECT_EQ(shown()["position"]["token"], first["position"]["token"]);

  insert(R"({"_id": 1})");
  EXPECT_THAT(position("set", {"--from", "now"}), ExitsWith(64)) << "without --yes nothing moves";
  EXPECT_THAT(position("set", {"--from", "now", "--yes"}), ExitsWith(0));
  const std::string second = shown()["position"]["token"];
  EXPECT_GT(second, first["position"]["token"].get<std::string>());
  EXPECT_THAT(position("set", {"--from", "token:" + first["position"]["token"].get<std::string>(), "--yes"}),
              ExitsWith(0));
  EXPECT_EQ(shown()["position"]["token"], first["position"]["token"]);

  EXPECT_THAT(position("reset"), ExitsWith(64)) << "without --yes nothing is forgotten";
  EXPECT_THAT(position("reset", {"--yes"}), ExitsWith(0));
  EXPECT_TRUE(shown()["position"].is_null());
  EXPECT_THAT(tidemark({"run", config_}), ExitsWith(78));
}

TEST_F(Commands, EveryStartIsWhereItSays) {
  insert(R"({"_id": "early"})");
  ASSERT_THAT(position("init", {"--from", "earliest"}), ExitsWith(0));
  run_until_equal();
  expect_equal_ends();
  ASSERT_THAT(position("reset", {"--yes"}), ExitsWith(0));
  EXPECT_THAT(position("init", {"--from", "token:zz"}), ::testing::Not(ExitsWith(0)));
  EXPECT_TRUE(shown()["position"].is_null());
}

TEST_F(Commands, ATimeBeforeTheOplogIsRefused) {
  // A server takes any time while its oplog still begins with the set's own beginning.
  if (!set_->is_sandbox()) GTEST_SKIP() << "an oplog is cut short in the sandbox";
  ASSERT_TRUE(client_->run("admin", R"({"sandbox": "truncateOplog"})"));
  EXPECT_THAT(position("init", {"--from", "time:2001-01-01T00:00:00Z"}), ::testing::Not(ExitsWith(0)));
  EXPECT_TRUE(shown()["position"].is_null()) << "nothing else is taken in its place";
}

TEST_F(Commands, AnUnknownPipelineIsRefusedWithTheNamesThereAre) {
  const Finished finished = tidemark({"position", "show", config_, "ordres"});
  EXPECT_THAT(finished, ExitsWith(64));
  EXPECT_THAT(finished.error_output, HasSubstr("orders"));
  EXPECT_THAT(tidemark({"run", config_, "--only", "ordres"}), ExitsWith(64));
}

TEST_F(Commands, StatusIsAStableContract) {
  init_position();
  insert(R"({"_id": 1})");
  run_until_equal();
  const Finished finished = tidemark({"status", config_, "--json"});
  EXPECT_THAT(finished, ExitsWith(0));
  const auto status = nlohmann::json::parse(finished.output, nullptr, false);
  ASSERT_FALSE(status.is_discarded()) << describe(finished);
  EXPECT_EQ(status["file"], config_);
  ASSERT_EQ(status["pipelines"].size(), 1u);
  const auto& pipeline = status["pipelines"][0];
  EXPECT_THAT(keys(pipeline), IsSupersetOf({"pipeline", "source", "position_store", "gaps_recorded",
                                            "position", "server", "deployment", "lag_seconds",
                                            "oplog_window_left_seconds", "oplog_window_seconds"}));
  EXPECT_THAT(keys(pipeline["position"]), IsSupersetOf({"token", "time", "saved_at", "age_seconds",
                                                        "deployment", "epoch", "fits_configuration"}));
  EXPECT_EQ(pipeline["pipeline"], "orders");
  EXPECT_GE(pipeline["lag_seconds"].get<int>(), 0);
  EXPECT_LT(pipeline["lag_seconds"].get<int>(), 60);
  EXPECT_GE(pipeline["oplog_window_left_seconds"].get<int>(), 0);
  EXPECT_TRUE(pipeline["position"]["fits_configuration"].get<bool>());

  const Finished human = tidemark({"status", config_});
  EXPECT_THAT(human, ExitsWith(0));
  for (const char* expected : {"orders", "lag", "oplog window left"})
    EXPECT_THAT(human.output, HasSubstr(expected));
}

TEST_F(Commands, CheckReachesTheServersOnlyWhenAsked) {
  EXPECT_THAT(tidemark({"check", config_}), ExitsWith(0));
  const Finished connected = tidemark({"check", config_, "--connect"});
  EXPECT_THAT(connected, ExitsWith(0));
  EXPECT_THAT(connected.output, HasSubstr("replica set"));
  EXPECT_EQ(destination_->position(), "") << "check changes nothing";
}

TEST_F(Commands, APositionThatIsYetToComeIsRefusedNamingBothTimes) {
  for (const char* from : {"time:2100-01-01T00:00:00Z", "token:82F48657000000000129"}) {
    const Finished refused = position("init", {"--from", from});
    EXPECT_THAT(refused, ExitsWith(78)) << from;
    EXPECT_THAT(refused.error_output, HasSubstr("ahead of the deployment's own")) << from;
    EXPECT_THAT(refused.error_output, HasSubstr("2100-01-01T00:00:00")) << from;
  }
  EXPECT_EQ(destination_->position(), "") << "everything until then would have been skipped";
  EXPECT_THAT(position("init", {"--from", "time:1970-01-01T00:00:00Z"}), ExitsWith(64));
}

TEST_F(Commands, CheckOpensTheStreamAndSaysWhatIsWrongWithItsFilter) {
  PipelineSetup typo = setup_;
  typo.source = R"(filter = '[{"$match": {"fullDocument.total": {"$gth": 1}}}]')";
  write_config(typo);
  const Finished refused = tidemark({"check", config_, "--connect"});
  EXPECT_THAT(refused, ExitsWith(78));
  EXPECT_THAT(refused.error_output, HasSubstr("$gth"));
  EXPECT_THAT(refused.error_output, HasSubstr("`filter`"));
}

TEST_F(Commands, ThePositionsTimeIsShownAsItIsGivenBack) {
  ASSERT_THAT(position("init", {"--from", "now"}), ExitsWith(0));
  const std::string first = shown()["position"]["time"];
  std::string time;
  // The oplog may begin within this very second, where another test has just cut it short; a time means a second's beginning.
  ASSERT_TRUE(testing::eventually([&] {
    insert(R"({"any": 1})");
    EXPECT_THAT(position("set", {"--from", "now", "--yes"}), ExitsWith(0));
    time = shown()["position"]["time"];
    return time != first;
  }));
  EXPECT_THAT(position("show").output, HasSubstr("--from time:" + time));
  EXPECT_THAT(position("set", {"--from", "time:" + time, "--yes"}), ExitsWith(0));
}

TEST_F(Commands, AQuietStreamStillMovesItsPosition) {
  init_position();
  const auto relay = start_relay(config_);
  const std::string before = destination_->position();
  // Nothing is written to the collection; others write, or the deployment's own no-ops do.
  ASSERT_TRUE(client_->insert(setup_.database, "another", R"({"_id": 1})"));
  EXPECT_TRUE(testing::eventually([&] { return destination_->position() != before; }))
      << relay->error_output();
  EXPECT_TRUE(destination_->documents().empty());
}

TEST(Status, OfAServerThatDoesNotAnswerSaysWhatToDoOnALineOfItsOwn) {
  const testing::TempFolder folder;
  const std::map<std::string, std::string> env = {
      {"TIDEMARK_MONGODB_URI", "mongodb://[::1]:1/?replicaSet=rs0&serverSelectionTimeoutMS=50"},
      {"TIDEMARK_SQLITE", folder.file("orders.db")}};
  const std::string file = std::string(TIDEMARK_SOURCE_DIR) + "/examples/orders.toml";
  const Finished human = tidemark({"status", file}, env);
  EXPECT_THAT(human.output, HasSubstr("\n  error "));
  EXPECT_THAT(human.output, HasSubstr("\n  what to do "));
  const auto json = nlohmann::json::parse(tidemark({"status", file, "--json"}, env).output, nullptr, false);
  ASSERT_FALSE(json.is_discarded());
  EXPECT_TRUE(json["pipelines"][0].contains("hint")) << json.dump();
}

// A word that nobody knows is an error wherever it stands, and `--help` behind it does not make it one that is known.
TEST(Usage, AnUnknownCommandIsRefusedWithTheNearestName) {
  struct Case {
    std::vector<std::string> args;
    std::string named;
  };
  for (const auto& [args, named] :
       std::vector<Case>{{{"nosuch", "--help"}, "\"nosuch\""},
                         {{"satus", "orders.toml"}, "did you mean \"status\"?"},
                         {{"position", "nosuch", "--help"}, "choose one of show, init, set, reset"},
                         {{"position", "shwo"}, "did you mean \"show\"?"},
                         {{"dlq", "nosuch"}, "\"tidemark dlq\" has no command"},
                         {{"--hlep"}, "did you mean \"--help\"?"}}) {
    const Finished refused = tidemark(args);
    EXPECT_THAT(refused, ExitsWith(64)) << args.front();
    EXPECT_THAT(refused.error_output, HasSubstr(named)) << args.front();
    EXPECT_EQ(refused.output, "") << args.front();
  }
}

TEST(Usage, AnUnknownOptionIsRefusedWithTheNearestName) {
  const std::vector<std::vector<std::string>> misspelt = {{"status", "orders.toml", "--jsn"},
                                                          {"dlq", "list", "--jsn", "orders.toml"}};
  for (const auto& args : misspelt) {
    const Finished refused = tidemark(args);
    EXPECT_THAT(refused, ExitsWith(64));
    EXPECT_THAT(refused.error_output, HasSubstr("did you mean \"--json\"?"));
  }
  EXPECT_THAT(tidemark({"run", "orders.toml", "-x"}), ExitsWith(64));
}

TEST(Usage, HelpIsOfTheCommandThatIsNamed) {
  for (const std::vector<std::string>& args : std::vector<std::vector<std::string>>{
           {"--help"}, {"position", "--help"}, {"position", "show", "--help"}, {"audit", "-h"}}) {
    const Finished shown = tidemark(args);
    EXPECT_THAT(shown, ExitsWith(0)) << args.front();
    EXPECT_THAT(shown.output, HasSubstr("Usage: tidemark")) << args.front();
    if (args.size() > 1) {
      EXPECT_THAT(shown.output, HasSubstr(args.front())) << args.front();
    }
  }
}

// A value is not looked at as if it were a command or an option.
TEST(Usage, TheValueOfAnOptionMayLookLikeAnything) {
  EXPECT_THAT(tidemark({"run", "--only", "--nosuch", "/nonexistent.toml"}), ExitsWith(78));
  EXPECT_THAT(tidemark({"run", "--only=--nosuch", "/nonexistent.toml"}), ExitsWith(78));
  EXPECT_THAT(tidemark({"check", "--", "--nonexistent.toml"}), ExitsWith(78));
}

// Needs no server: every example is a file that `check` takes.
TEST(Examples, EveryOneIsWellFormed) {
  const std::filesystem::path folder = std::filesystem::path(TIDEMARK_SOURCE_DIR) / "examples";
  int examples = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".toml") continue;
    ++examples;
    const Finished finished = tidemark({"check", entry.path().string()},
                                       {{"TIDEMARK_MONGODB_URI", "mongodb://127.0.0.1:1/?replicaSet=rs0"},
                                        {"TIDEMARK_POSTGRES_URI", "postgresql://127.0.0.1:1/shop"}});
    EXPECT_THAT(finished, ExitsWith(0)) << entry.path();
  }
  EXPECT_GT(examples, 0) << "there are no examples in " << folder;
}

}  // namespace
}  // namespace tidemark::e2e
