// A deployment that can't be used: the message says why, the exit code says whether waiting helps, nothing is lost.
#include <csignal>

#include "e2e/relay.h"

namespace tidemark::e2e {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using testing::Finished;
using ::testing::HasSubstr;

constexpr const char* kNeedsSandbox = "this fault is made in the sandbox";

class BadServer : public EndToEnd {
 protected:
  void SetUp() override {
    EndToEnd::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    use(SinkKind::kSqlite, Mode::kCurrent);
    init_position();
  }

  // What was written while the relay could not run arrives once it can.
  void expect_nothing_lost() {
    insert(R"({"_id": "after the trouble"})");
    run_until_equal();
    expect_equal_ends();
  }
};

TEST_F(BadServer, OneThatIsUnreachableIsWaitedForWithTheReason) {
  insert(R"({"_id": "before"})");
  PipelineSetup away = setup_;
  away.uri = "mongodb://127.0.0.1:" + std::to_string(testing::free_ports()) + "/?replicaSet=rs0";
  away.source = "server_selection_timeout = \"100ms\"";
  write_config(away);

  const auto relay = start_relay(config_);
  ASSERT_TRUE(testing::eventually([&] {
    return relay->error_output().find("127.0.0.1") != std::string::npos;
  })) << relay->error_output();
  EXPECT_TRUE(relay->running()) << relay->error_output();
  EXPECT_THAT(relay->error_output(), HasSubstr("orders"));
  relay->signal(SIGTERM);
  const auto stopped = relay->wait();
  ASSERT_TRUE(stopped.has_value()) << "waiting for a server must not hold up a stop";
  EXPECT_EQ(stopped->code, 0) << relay->error_output();

  const Finished status = tidemark({"status", config_, "--json"});
  EXPECT_THAT(status, ExitsWith(69));
  EXPECT_THAT(status.output, AllOf(HasSubstr("\"error\""), HasSubstr("\"position\"")));
  const Finished check = tidemark({"check", config_, "--connect"});
  EXPECT_THAT(check, ExitsWith(69));
  EXPECT_THAT(check.error_output, HasSubstr("what to do"));
  const Finished init = tidemark({"position", "set", config_, "orders", "--from", "now", "--yes"});
  EXPECT_THAT(init, ExitsWith(69));

  write_config();
  expect_nothing_lost();
}

TEST_F(BadServer, OneThatIsNoReplicaSetEndsTheRun) {
  if (!set_->is_sandbox()) GTEST_SKIP() << kNeedsSandbox;
  insert(R"({"_id": "before"})");
  fail_commands(R"({"failCommands": ["aggregate"], "errorCode": 40573})");
  const Finished finished = tidemark({"run", config_});
  EXPECT_THAT(finished, ExitsWith(78));
  EXPECT_THAT(finished.error_output, AllOf(HasSubstr("40573"), HasSubstr("--replSet")));
  stop_failing();
  expect_nothing_lost();
}

TEST_F(BadServer, AMissingPrivilegeEndsTheRunAndNamesTheGrant) {
  if (!set_->is_sandbox()) GTEST_SKIP() << kNeedsSandbox;
  insert(R"({"_id": "before"})");
  fail_commands(R"({"failCommands": ["aggregate"], "errorCode": 13})");
  const Finished finished = tidemark({"run", config_});
  EXPECT_THAT(finished, ExitsWith(78));
  EXPECT_THAT(finished.error_output, AllOf(HasSubstr("changeStream"), HasSubstr("role")));
  stop_failing();
  expect_nothing_lost();
}

TEST_F(BadServer, AnErrorThatPassesIsRetriedToTheEnd) {
  if (!set_->is_sandbox()) GTEST_SKIP() << kNeedsSandbox;
  insert(R"({"_id": "before"})");
  fail_commands(R"({"failCommands": ["aggregate"], "errorCode": 189})", R"({"times": 3})");
  run_until_equal();
  expect_equal_ends();
}

TEST_F(BadServer, ClosedConnectionsAndDeadCursorsAreSurvived) {
  if (!set_->is_sandbox()) GTEST_SKIP() << kNeedsSandbox;
  const auto relay = start_relay(config_);
  for (int i = 0; i < 3; ++i) {
    const std::string id = std::to_string(i);
    fail_commands(i % 2 == 0 ? R"({"failCommands": ["getMore"], "closeConnection": true})"
                             : R"({"failCommands": ["getMore"], "errorCode": 43})",
                  R"({"times": 2})");
    insert(R"({"_id": )" + id + "}");
    EXPECT_TRUE(testing::eventually([&] { return equal_ends(); }))
        << "after fault " << i << relay->error_output();
  }
  EXPECT_TRUE(relay->running()) << relay->error_output();
}

TEST_F(BadServer, APositionThatFellOffTheOplogIsTerminal) {
  if (!set_->is_sandbox()) GTEST_SKIP() << kNeedsSandbox;
  insert(R"({"_id": "gone"})");
  insert(R"({"_id": "gone too"})");
  ASSERT_TRUE(client_->run("admin", R"({"sandbox": "truncateOplog"})"));
  const Finished finished = tidemark({"run", config_});
  EXPECT_THAT(finished, ExitsWith(76));
  EXPECT_THAT(finished.error_output, HasSubstr("tidemark position set " + config_ + " orders --from"));
  const Finished again = tidemark({"run", config_});
  EXPECT_THAT(again, ExitsWith(76)) << "it does not heal by being tried again";

  // The operator accepts the gap: that is recorded, and the stream goes on.
  const Finished set = tidemark({"position", "set", config_, "orders", "--from", "now", "--yes"});
  EXPECT_THAT(set, ExitsWith(0));
  const Finished status = tidemark({"status", config_, "--json"});
  EXPECT_THAT(status, ExitsWith(0));
  EXPECT_THAT(status.output, HasSubstr("\"gaps_recorded\": 1"));
  insert(R"({"_id": "after the gap"})");
  const auto relay = start_relay(config_);
  EXPECT_TRUE(testing::eventually([&] { return destination_->documents().count("\"after the gap\"") == 1; }))
      << relay->error_output();
  EXPECT_EQ(destination_->documents().count("\"gone\""), 0u) << "the gap is a gap";
}

// A sandbox of its own, with a user.
TEST(BadCredentials, EndTheRunAtOnce) {
  const auto set = shared_replica_set();
  if (set && !(*set)->is_sandbox()) GTEST_SKIP() << "a server with users is made by the sandbox";
  testing::TempFolder folder;
  testing::Process sandbox({testing::bin_dir() + "/tidemark-sandbox", "--members", "1", "--port", "0",
                            "--user", "app", "--password", "right"});
  const auto line = sandbox.read_until("mongodb://");
  ASSERT_TRUE(line.has_value()) << sandbox.error_output();
  std::string uri = line->substr(line->find("mongodb://") + 10);
  if (const size_t at = uri.find('@'); at != std::string::npos) uri = uri.substr(at + 1);

  PipelineSetup setup;
  setup.database = "shop";
  setup.sink = Destination::make(SinkKind::kSqlite, Mode::kCurrent, folder)->toml();
  setup.uri = "mongodb://app:right@" + uri;
  const std::string config = folder.write("orders.toml", setup.toml());
  ASSERT_THAT(tidemark({"position", "init", config, "orders", "--from", "now", "--yes"}), ExitsWith(0));

  setup.uri = "mongodb://app:wrong@" + uri;
  folder.write("orders.toml", setup.toml());
  for (const std::vector<std::string>& args :
       {std::vector<std::string>{"run", config}, {"check", config, "--connect"}, {"status", config}}) {
    const Finished finished = tidemark(args);
    EXPECT_THAT(finished, ExitsWith(78)) << args[0];
    EXPECT_THAT(finished.error_output + finished.output, HasSubstr("authSource")) << args[0];
    EXPECT_THAT(finished.error_output + finished.output, Not(HasSubstr("wrong")))
        << "the password is a secret";
  }
}

}  // namespace
}  // namespace tidemark::e2e
