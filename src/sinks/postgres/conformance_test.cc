// The PostgreSQL sink and its position store through the suites that every implementation passes.
#include "conformance/current_rows_contract.h"
#include "conformance/position_store_contract.h"
#include "conformance/sink_contract.h"
#include "conformance/transactional_sink_contract.h"
#include "sinks/postgres/testing/support.h"

namespace tidemark::testing {
namespace {

struct Base {
  std::optional<std::string> unavailable() { return PostgresServer::unavailable(); }

  ComponentContext context() { return {"orders", &clock, &files}; }
  // Made at the first use, so that a machine without a server can still ask whether there is one.
  const std::string& database() {
    if (uri_.empty()) {
      uri_ = PostgresServer::shared().create_schema();
      proxy = std::make_unique<LossyProxy>(PostgresServer::shared().port());
    }
    return uri_;
  }
  std::string proxied() {
    std::string uri = database();
    const std::string from = ":" + std::to_string(PostgresServer::shared().port()) + "/";
    return uri.replace(uri.find(from), from.size(), ":" + std::to_string(proxy->port()) + "/");
  }
  std::vector<std::string> query(const std::string& sql) { return PostgresServer::query(database(), sql); }

  // Ends the sessions that hold a lease, as a failing network would, and waits until they are gone.
  void break_lease() {
    const std::string holders =
        "FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database "
        "WHERE datname = current_database())";
    query("SELECT pg_terminate_backend(pid) " + holders);
    EXPECT_TRUE(eventually([&] { return query("SELECT 1 " + holders).empty(); }));
  }
  // A trigger fails the next change of a position and, as sequences don't roll back, no later one.
  bool fail_next_change() {
    query(
        "DROP TRIGGER IF EXISTS fail ON tidemark_positions; DROP SEQUENCE IF EXISTS failures; CREATE "
        "SEQUENCE failures; "
        "CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF nextval('failures') = 1 THEN RAISE EXCEPTION 'injected' USING ERRCODE = '40001'; END IF; RETURN "
        "NEW; "
        "END $$; CREATE TRIGGER fail BEFORE UPDATE ON tidemark_positions FOR EACH ROW EXECUTE FUNCTION "
        "fail()");
    return true;
  }

  PosixFileSystem files;
  PosixClock clock;
  std::unique_ptr<LossyProxy> proxy;

 private:
  std::string uri_;
};

struct StoreHarness : Base {
  std::shared_ptr<PositionStore> make() {
    return postgres_sink_component().own_positions(postgres_settings(database(), "log"), context()).value();
  }
  bool corrupt() {
    query("UPDATE tidemark_positions SET token = '82FF'");
    return true;
  }
  bool fail_next_save() { return fail_next_change(); }
};

struct OwnStoreHarness : StoreHarness {
  std::shared_ptr<PositionStore> make() {
    std::shared_ptr<TransactionalSink> sink =
        postgres_sink_component().transactional(postgres_settings(database(), "log"), context()).value();
    return {sink, &sink->position_store()};
  }
};

template <bool kLog>
struct TransactionalHarness : Base {
  std::shared_ptr<TransactionalSink> make() {
    return postgres_sink_component()
        .transactional(postgres_settings(proxied(), kLog ? "log" : "current"), context())
        .value();
  }
  std::vector<std::string> ids() {
    return query(std::string("SELECT ") + (kLog ? "token" : kGuardsAsTokens) + " FROM orders ORDER BY token" +
                 (kLog ? " COLLATE \"C\"" : ""));
  }
  bool fail_next_write() { return fail_next_change(); }
  bool lose_next_answer() {
    lose_commit_answer(*proxy);
    return true;
  }
};

template <bool kLog>
struct LaneHarness : Base {
  std::shared_ptr<Sink> make() {
    return postgres_sink_component()
        .plain(postgres_settings(proxied(), kLog ? "log" : "current"), context())
        .value();
  }
  std::vector<std::string> ids() {
    return query(std::string("SELECT ") + (kLog ? "token" : kGuardsAsTokens) + " FROM orders ORDER BY ctid");
  }
  // The connection breaks at what the client sends as the `n`th from now.
  bool fail_operation(int n) {
    database();
    proxy->lose_request(n);
    return true;
  }
  bool fault_was_hit() { return proxy->lost(); }
  // Nothing of the sink is on this side; what the server has committed is its own affair.
  void crash() { proxy->lose_nothing(); }
};

struct TextGuardHarness : LaneHarness<false> {
  std::shared_ptr<Sink> make() {
    query(kTextGuardTable);
    return LaneHarness::make();
  }
  std::vector<std::string> ids() { return query("SELECT token FROM orders ORDER BY ctid"); }
};

INSTANTIATE_TYPED_TEST_SUITE_P(Postgres, PositionStoreContract, StoreHarness);
INSTANTIATE_TYPED_TEST_SUITE_P(PostgresSinksOwn, PositionStoreContract, OwnStoreHarness);
INSTANTIATE_TYPED_TEST_SUITE_P(PostgresCurrent, TransactionalSinkContract, TransactionalHarness<false>);
INSTANTIATE_TYPED_TEST_SUITE_P(PostgresLog, TransactionalSinkContract, TransactionalHarness<true>);
INSTANTIATE_TYPED_TEST_SUITE_P(PostgresCurrentLane, SinkContract, LaneHarness<false>);
INSTANTIATE_TYPED_TEST_SUITE_P(PostgresLane, CurrentRowsContract, LaneHarness<false>);
INSTANTIATE_TYPED_TEST_SUITE_P(PostgresTextGuards, CurrentRowsContract, TextGuardHarness);
INSTANTIATE_TYPED_TEST_SUITE_P(PostgresTextGuardsLane, SinkContract, TextGuardHarness);
INSTANTIATE_TYPED_TEST_SUITE_P(PostgresLogLane, SinkContract, LaneHarness<true>);

}  // namespace
}  // namespace tidemark::testing
