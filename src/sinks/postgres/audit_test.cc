// The end that audits PostgreSQL through the suite that every one passes, and what is its own.
#include "sinks/postgres/audit.h"

#include <numeric>

#include "conformance/audit_end_contract.h"
#include "sinks/postgres/audit_sql.h"
#include "sinks/postgres/test_support.h"

namespace tidemark::testing {
namespace {

struct PostgresAudit {
  std::optional<std::string> unavailable() { return PostgresServer::unavailable(); }
  ComponentContext context() { return {"orders", &clock, &files}; }
  const std::string& database() {
    if (uri_.empty()) uri_ = PostgresServer::shared().create_schema();
    return uri_;
  }
  config::Settings settings() { return postgres_settings(database(), "current", "{collection}"); }
  void query(const std::string& sql) { PostgresServer::query(database(), sql); }

  std::shared_ptr<Sink> make_sink() { return make_postgres_sink(settings(), context()).value(); }
  std::unique_ptr<AuditEnd> make_end() { return make_postgres_audit_end(settings(), context()).value(); }
  std::unique_ptr<AuditEnd> make_end_away() {
    return make_postgres_audit_end(postgres_settings("postgresql://nobody@127.0.0.1:1/none", "current"),
                                   context())
        .value();
  }
  Result<std::unique_ptr<AuditEnd>> make_end_of_events() {
    return make_postgres_audit_end(postgres_settings(database(), "log"), context());
  }
  void twist(const std::string& id) {
    query(R"(UPDATE orders SET doc = jsonb_set(doc, '{n}', '{"$numberLong": "1"}') WHERE id = ')" + id + "'");
  }
  bool put_other_shape(const std::string& collection) {
    query("CREATE TABLE " + collection + "(id text PRIMARY KEY, doc json)");
    return true;
  }

  PosixFileSystem files;
  PosixClock clock;

 private:
  std::string uri_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Postgres, AuditEndContract, PostgresAudit);

class PostgresAuditEnd : public AuditEndContract<PostgresAudit> {};

TEST_F(PostgresAuditEnd, ItCannotWrite) {
  write(audited_documents());
  auto end = opened();
  harness.query(
      "CREATE FUNCTION meddle(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN DELETE FROM orders; RETURN $1; "
      "END $$");
  harness.query(
      "ALTER TABLE orders RENAME TO kept; CREATE VIEW orders AS SELECT meddle(id) AS id, doc, token, "
      "cluster_time FROM kept");
  EXPECT_FALSE(end->scan(orders, {}, "", 10, [](const AuditRow&) { return Status(); }, {}));
}

TEST_F(PostgresAuditEnd, ALostSessionIsMadeAnew) {
  write(audited_documents());
  auto end = opened();
  EXPECT_EQ(map_of(scan(*end)), expected);
  harness.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tidemark audit "
      "orders'");
  const auto lost = end->scan(orders, {}, "", 10, [](const AuditRow&) { return Status(); }, {});
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().react, React::kRetry) << lost.error().describe();
  EXPECT_EQ(map_of(scan(*end)), expected);
}

TEST_F(PostgresAuditEnd, LeavesOfAnySizeAreReadPieceByPiece) {
  write(audited_documents());
  harness.query(
      "INSERT INTO orders SELECT 'more ' || n, '{}', '82', orders.cluster_time FROM generate_series(1, 3500) "
      "AS n, orders "
      "WHERE id = 'true'");
  auto end = opened();
  std::vector<uint16_t> leaves(kAuditLeaves);
  std::iota(leaves.begin(), leaves.end(), uint16_t{0});
  size_t seen = 0;
  const auto count = [&](const AuditRow&) -> Status {
    if (++seen == 2500) return fail(React::kFatal, "enough");
    return {};
  };
  EXPECT_FALSE(end->scan_leaves(orders, {}, leaves, count, {}));
  EXPECT_EQ(seen, 2500u);
  const auto done = end->scan_leaves(orders, {}, leaves, count, {});  // after the failure, and to the end
  ASSERT_TRUE(done) << done.error().describe();
  EXPECT_EQ(seen, 2500u + 3500u + expected.size());
}

TEST_F(PostgresAuditEnd, TextsThatAreNoTimesAreNoTimes) {
  write(audited_documents());
  harness.query(
      R"(UPDATE orders SET doc = '{"created_at": {"$date": {"$numberLong": "99999999999999999999"}}}' WHERE id = '"text"';
                   UPDATE orders SET doc = '{"created_at": {"$date": {"$numberLong": "9999999999999999999"}}}' WHERE id = '""';
                   UPDATE orders SET doc = '{"created_at": {"$date": "yesterday"}}' WHERE id = 'true';
                   UPDATE orders SET doc = '{"created_at": {"$oid": "short"}}' WHERE id = 'null';
                   UPDATE orders SET doc = '{"created_at": {"$timestamp": {"t": -1}}}' WHERE id = '"keys"';
                   UPDATE orders SET doc = NULL WHERE id = '"types"')");
  auto end = opened();
  const AuditBuckets buckets{"created_at", 1000};
  const auto rows = scan(*end, buckets);
  size_t without = 0;
  for (const AuditRow& row : rows) without += row.time_ms ? 0 : 1;
  EXPECT_EQ(without, 10u);
  const auto sums = end->sums(orders, buckets, {});
  ASSERT_TRUE(sums) << sums.error().describe();
  EXPECT_TRUE((*sums)->by_bucket == sums_of(rows, buckets).by_bucket);
  EXPECT_TRUE((*sums)->by_leaf == sums_of(rows, buckets).by_leaf);
}

TEST(PostgresAuditSql, TakesNumbersModuloTwoToThe64) {
  EXPECT_EQ(postgres::modulo_2_64("0"), 0u);
  EXPECT_EQ(postgres::modulo_2_64("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(postgres::modulo_2_64("-1"), UINT64_MAX);
  EXPECT_EQ(postgres::modulo_2_64("-18446744073709551615"), 1u);
  EXPECT_EQ(postgres::number_or_null(""), std::nullopt);
  EXPECT_EQ(postgres::number_or_null("-9223372036854775808"), INT64_MIN);
}

TEST(PostgresAuditSql, QuotesWhatAnArrayHolds) {
  const std::vector<std::string> items = {"", "a,b", R"(q"\)", "{}", "NULL"};
  EXPECT_EQ(postgres::array_text(items), R"({"","a,b","q\"\\","{}","NULL"})");
  EXPECT_EQ(postgres::time_paths("a.0"),
            (std::vector<std::string>{R"({"a","0","$date","$numberLong"})", R"({"a","0","$oid"})",
                                      R"({"a","0","$timestamp","t"})"}));
}

}  // namespace
}  // namespace tidemark::testing
