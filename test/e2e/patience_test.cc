// Servers that stop answering, or stop taking a password, under a relay that has worked: it waits, says why, and goes on; and a
// stop ends when it said it would.
#include <csignal>

#include "e2e/relay.h"
#include "support/postgres.h"

namespace tidemark::e2e {
namespace {

using testing::eventually;
using testing::Finished;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Process;
using testing::ReplicaSet;

// Freezes a process, and thaws it whatever becomes of the test.
class Frozen {
 public:
  explicit Frozen(Process& process) : process_(process) { process_.signal(SIGSTOP); }
  ~Frozen() { process_.signal(SIGCONT); }
  Frozen(const Frozen&) = delete;
  Frozen& operator=(const Frozen&) = delete;

 private:
  Process& process_;
};

class Patience : public EndToEnd {
 protected:
  void SetUp() override {
    EndToEnd::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    auto other = ReplicaSet::start({.members = 1, .sandbox_only = true});
    if (!other && other.error().react == React::kConfig) GTEST_SKIP() << other.error().describe();
    ASSERT_TRUE(other) << other.error().describe();
    other_ = std::move(*other);
    elsewhere_ = std::make_unique<testing::Mongo>(other_->uri());
  }
  std::string option(const std::string& options) const {
    return other_->uri() + (other_->uri().find('?') == std::string::npos ? "?" : "&") + options;
  }
  std::string mongodb_sink(const std::string& options) const {
    return "[pipeline.sink]\ntype = \"mongodb\"\nuri = \"" + option(options) +
           "\"\ndatabase = \"copy\"\ncollection = \"orders\"\n";
  }
  size_t copied() { return static_cast<size_t>(elsewhere_->count("copy", "orders").value_or(0)); }
  void fail_elsewhere(const std::string& commands, int code) {
    ASSERT_TRUE(elsewhere_->run(
        "admin", R"({"configureFailPoint": "failCommand", "mode": "alwaysOn", "data": {"failCommands": )" +
                     commands + R"(, "errorCode": )" + std::to_string(code) + "}}"));
  }
  void heal_elsewhere() {
    ASSERT_TRUE(elsewhere_->run("admin", R"({"configureFailPoint": "failCommand", "mode": "off"})"));
  }

  std::unique_ptr<ReplicaSet> other_;  // the destination's, or the position's
  std::unique_ptr<testing::Mongo> elsewhere_;
};

TEST_F(Patience, AnOrdinaryStartAndStopWarnOfNothing) {
  use(SinkKind::kSqlite, Mode::kCurrent);
  write_config();
  init_position();
  insert(R"({"_id": 1})");
  const auto relay = start_relay(config_);
  ASSERT_TRUE(eventually([&] { return equal_ends(); })) << relay->error_output();
  relay->signal(SIGTERM);
  ASSERT_TRUE(relay->wait());
  EXPECT_THAT(relay->error_output(), Not(HasSubstr("warning")));
}

TEST_F(Patience, AStopEndsAtItsDeadlineThoughTheDestinationIsFrozen) {
  setup_.frame = "drain_timeout = \"300ms\"\n";
  // Without the deadline it would end by these, long after the wait below.
  setup_.sink =
      mongodb_sink("socketTimeoutMS=120000&connectTimeoutMS=120000&serverSelectionTimeoutMS=120000");
  init_position();
  insert(R"({"_id": 1})");
  const auto relay = start_relay(config_);
  ASSERT_TRUE(eventually([&] { return copied() == 1; })) << relay->error_output();
  const Frozen frozen(other_->process());
  insert(R"({"_id": 2})");
  // Whether the write is under way or not, the lease can't be given back.
  relay->signal(SIGTERM);
  const auto status = relay->wait();
  ASSERT_TRUE(status) << relay->error_output();
  EXPECT_EQ(status->code, 0) << relay->error_output();
  EXPECT_THAT(relay->error_output(), HasSubstr("drain_timeout is over"));
}

TEST_F(Patience, AFrozenPositionStoreIsWaitedFor) {
  setup_.sink = "[pipeline.sink]\ntype = \"null\"\n[pipeline.position]\ntype = \"mongodb\"\nuri = \"" +
                option("socketTimeoutMS=300&serverSelectionTimeoutMS=300&connectTimeoutMS=300") + "\"\n";
  init_position();
  insert(R"({"_id": 1})");
  const auto saved = [&] {
    const auto found = elsewhere_->find("tidemark", "positions");
    return found && !found->empty() ? bson::Document((*found)[0].view().find("token")->document())
                                    : bson::Document();
  };
  const auto relay = start_relay(config_);
  const auto first = saved();
  ASSERT_TRUE(eventually([&] { return !(saved().view() == first.view()); })) << relay->error_output();
  {
    const Frozen frozen(other_->process());
    insert(R"({"_id": 2})");
    ASSERT_TRUE(eventually([&] {
      return relay->error_output().find("mongodb positions") != std::string::npos || !relay->running();
    })) << relay->error_output();
    ASSERT_TRUE(relay->running()) << relay->error_output();
  }
  const auto second = saved();
  insert(R"({"_id": 3})");
  EXPECT_TRUE(eventually([&] { return !(saved().view() == second.view()); })) << relay->error_output();
  relay->signal(SIGTERM);
  EXPECT_EQ(relay->wait()->code, 0) << relay->error_output();
}

TEST_F(Patience, AGrantThatIsRevokedAndGivenBackIsWaitedFor) {
  setup_.sink = mongodb_sink("appName=x");
  init_position();
  insert(R"({"_id": 1})");
  const auto relay = start_relay(config_);
  ASSERT_TRUE(eventually([&] { return copied() == 1; })) << relay->error_output();
  fail_elsewhere(R"(["update", "findAndModify", "find"])", 13);
  insert(R"({"_id": 2})");
  ASSERT_TRUE(eventually([&] { return relay->error_output().find("[code 13]") != std::string::npos; }))
      << relay->error_output();
  EXPECT_THAT(relay->error_output(), HasSubstr("auth_patience"));
  EXPECT_TRUE(relay->running());
  heal_elsewhere();
  EXPECT_TRUE(eventually([&] { return copied() == 2; })) << relay->error_output();
  relay->signal(SIGTERM);
  EXPECT_EQ(relay->wait()->code, 0) << relay->error_output();
}

TEST_F(Patience, AGrantThatStaysRevokedEndsTheRelayAfterItsPatience) {
  setup_.sink = mongodb_sink("appName=x");
  setup_.frame = "auth_patience = \"500ms\"\n";
  init_position();
  insert(R"({"_id": 1})");
  const auto relay = start_relay(config_);
  ASSERT_TRUE(eventually([&] { return copied() == 1; })) << relay->error_output();
  fail_elsewhere(R"(["update", "findAndModify", "find"])", 13);
  insert(R"({"_id": 2})");
  const auto status = relay->wait();
  heal_elsewhere();
  ASSERT_TRUE(status) << relay->error_output();
  EXPECT_EQ(status->code, 78) << relay->error_output();
  EXPECT_THAT(relay->error_output(), HasSubstr("auth_patience is over"));
}

TEST_F(Patience, AGrantThatWasNeverThereEndsTheRelaySoon) {
  setup_.sink = mongodb_sink("appName=x");
  init_position();
  insert(R"({"_id": 1})");
  fail_elsewhere(R"(["findAndModify", "update"])", 13);
  const Finished finished = tidemark({"run", config_});
  heal_elsewhere();
  EXPECT_THAT(finished, ExitsWith(78));
  EXPECT_THAT(finished.error_output, HasSubstr("readWrite"));
}

TEST_F(Patience, AnErrorThatNobodyKnowsIsWaitedOutLoudly) {
  setup_.sink = mongodb_sink("appName=x");
  init_position();
  const auto relay = start_relay(config_);
  insert(R"({"_id": 1})");
  ASSERT_TRUE(eventually([&] { return copied() == 1; })) << relay->error_output();
  fail_elsewhere(R"(["update", "findAndModify", "find", "commitTransaction"])", 31337);
  insert(R"({"_id": 2})");
  ASSERT_TRUE(eventually([&] { return relay->error_output().find("does not know") != std::string::npos; }))
      << relay->error_output();
  EXPECT_THAT(relay->error_output(), HasSubstr("[code 31337]"));
  heal_elsewhere();
  EXPECT_TRUE(eventually([&] { return copied() == 2; })) << relay->error_output();
  relay->signal(SIGTERM);
  EXPECT_EQ(relay->wait()->code, 0) << relay->error_output();
}

TEST_F(Patience, ARoleOfPostgresThatMayNotLogInForAWhileIsWaitedFor) {
  if (const auto reason = testing::PostgresServer::unavailable()) GTEST_SKIP() << *reason;
  auto& server = testing::PostgresServer::shared();
  const std::string admin = server.create_database();
  const auto run = [&](const std::string& sql) { return testing::PostgresServer::query(admin, sql); };
  run("DROP ROLE IF EXISTS carrier");
  run("CREATE ROLE carrier LOGIN");
  run("GRANT ALL ON SCHEMA public TO carrier");
  const std::string database = admin.substr(admin.find_last_of('/') + 1);
  setup_.sink = "[pipeline.sink]\ntype = \"postgres\"\nuri = \"" + server.uri(database, "carrier") +
                "\"\ntable = \"orders\"\n";
  init_position();
  insert(R"({"_id": 1})");
  const auto rows = [&] { return run("SELECT count(*) FROM orders").front(); };
  const auto relay = start_relay(config_);
  ASSERT_TRUE(eventually([&] {
    return run("SELECT to_regclass('orders') IS NOT NULL").front() == "t" && rows() == "1";
  })) << relay->error_output();
  run("ALTER ROLE carrier NOLOGIN; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = "
      "'carrier'");
  insert(R"({"_id": 2})");
  ASSERT_TRUE(eventually([&] { return relay->error_output().find("auth_patience") != std::string::npos; }))
      << relay->error_output();
  EXPECT_THAT(relay->error_output(), HasSubstr("not permitted to log in"));
  run("ALTER ROLE carrier LOGIN");
  ASSERT_TRUE(eventually([&] { return rows() == "2"; })) << relay->error_output();
  run("REVOKE INSERT ON orders FROM carrier; ALTER TABLE orders OWNER TO tidemark; REVOKE ALL ON orders FROM "
      "carrier");
  insert(R"({"_id": 3})");
  ASSERT_TRUE(eventually([&] {
    return relay->error_output().find("permission denied") != std::string::npos;
  })) << relay->error_output();
  EXPECT_TRUE(relay->running());
  run("GRANT ALL ON orders TO carrier");
  EXPECT_TRUE(eventually([&] { return rows() == "3"; })) << relay->error_output();
  relay->signal(SIGTERM);
  EXPECT_EQ(relay->wait()->code, 0) << relay->error_output();
  run("REASSIGN OWNED BY carrier TO tidemark; DROP OWNED BY carrier; DROP ROLE carrier");
}

}  // namespace
}  // namespace tidemark::e2e
