// The end that audits PostgreSQL through the suite that every one passes, and what is its own.
#include <numeric>

#include "conformance/audit_end_contract.h"
#include "sinks/postgres/audit_sql.h"
#include "sinks/postgres/component.h"
#include "sinks/postgres/testing/support.h"

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

  std::shared_ptr<Sink> make_sink() { return postgres_sink_component().plain(settings(), context()).value(); }
  std::unique_ptr<AuditEnd> make_end() {
    return postgres_sink_component().audit(settings(), context()).value();
  }
  std::unique_ptr<AuditEnd> make_end_away() {
    return postgres_sink_component()
        .audit(postgres_settings("postgresql://nobody@127.0.0.1:1/none", "current"), context())
        .value();
  }
  Result<std::unique_ptr<AuditEnd>> make_end_of_events() {
    return postgres_sink_component().audit(postgres_settings(database(), "log"), context());
  }
  void twist(const std::string& id) {
    query(R"(UPDATE orders SET doc = jsonb_set(doc, '{n}', '{"$numberLong": "1"}') WHERE id = ')" + id + "'");
  }
  bool put_text(const std::string& id, const std::string& text) {
    query("UPDATE orders SET doc = '" + text + "' WHERE id = '" + id + "'");
    return true;
  }
  bool put_other_shape(const std::string& collection) {
    query("CREATE TABLE " + collection + "(id text PRIMARY KEY, doc json)");
    return true;
  }

  void use_latin1() { uri_ = PostgresServer::shared().create_database("LATIN1"); }

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
      "INSERT INTO orders SELECT 'more ' || n, '{}', '\\x82', orders.cluster_time FROM generate_series(1, "
      "3500) "
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
  const auto sums = end->sums(orders, {}, {});
  ASSERT_TRUE(sums && *sums);
  uint64_t summed = 0;
  for (const auto& [bucket, sum] : (*sums)->by_bucket) summed += sum.count;
  EXPECT_EQ(summed, 3500u + expected.size());
}

// LATIN1 can't store an emoji: the sink rejects it, and so does the audit, which goes on.
TEST_F(PostgresAuditEnd, WhatTheDatabaseHasNoLettersForIsRejectedAndNeverAskedFor) {
  harness.use_latin1();
  write({doc(R"({"_id":"é","a":"ö"})"), doc(R"({"_id":"😀"})"), doc(R"({"_id":1,"a":"😀"})"),
         doc(R"({"_id":2,"a":"plain"})")});
  EXPECT_EQ(expected.size(), 2u);
  auto end = opened();
  EXPECT_EQ(map_of(scan(*end)), expected);
  std::vector<AuditId> ids = {id_of(doc(R"({"_id":"é"})")), id_of(doc(R"({"_id":"😀"})"))};
  std::ranges::sort(ids);
  size_t found = 0;
  const auto count = [&](const AuditRow&) -> Status {
    ++found;
    return {};
  };
  const Status looked = end->lookup(orders, ids, count, {});
  ASSERT_TRUE(looked) << looked.error().describe();
  EXPECT_EQ(found, 1u);
}

// jsonb sorts the fields of an _id inside of the document as it does all others; the column `id` tells the two apart.
TEST_F(PostgresAuditEnd, AnIdWhoseFieldsJsonbPutsIntoAnotherOrderIsReadable) {
  write({doc(R"({"_id":{"b":2,"a":1},"v":1})"), doc(R"({"_id":{"a":1,"b":2},"v":2})"),
         doc(R"({"_id":{"$ref":"c","$id":{"z":1,"y":[{"n":1,"m":2}]}}})")});
  EXPECT_EQ(expected.size(), 3u);
  auto end = opened();
  const auto rows = scan(*end);
  EXPECT_EQ(map_of(rows), expected);
  for (const AuditRow& row : rows) EXPECT_EQ(row.flaw, "") << row.id;
  harness.query(
      "UPDATE orders SET doc = jsonb_set(doc, '{_id,a}', '7') WHERE doc->'v' @> '{\"$numberInt\": \"1\"}'");
  size_t flawed = 0;
  for (const AuditRow& row : scan(*end)) flawed += !row.flaw.empty();
  EXPECT_EQ(flawed, 1u);
}

// PostgreSQL packs a text before it measures it: of two ids of one length one fits the index.
TEST_F(PostgresAuditEnd, AnIdThatIsTooLongForTheIndexIsRejectedAndOneThatPacksIsNot) {
  std::string random;
  uint64_t state = 1;
  for (int i = 0; i < 6000; ++i) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    random.push_back(static_cast<char>('a' + (state >> 33) % 26));
  }
  write({doc("{\"_id\":\"" + random + "\"}"), doc("{\"_id\":\"" + std::string(6000, 'x') + "\"}"),
         doc("{\"_id\":\"" + random.substr(0, 2500) + "\"}"), doc(R"({"_id":1})")});
  EXPECT_EQ(expected.size(), 3u);
  auto end = opened();
  EXPECT_EQ(map_of(scan(*end)), expected);
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
  EXPECT_EQ(without, 11u);
  const auto sums = end->sums(orders, buckets, {});
  ASSERT_TRUE(sums) << sums.error().describe();
  EXPECT_TRUE((*sums)->by_bucket == sums_of(rows, buckets).by_bucket);
  EXPECT_TRUE((*sums)->by_leaf == sums_of(rows, buckets).by_leaf);
  // The server counts by the same texts, and a text that is no time ends nothing.
  const auto counts = end->counts(orders, buckets, {});
  ASSERT_TRUE(counts) << counts.error().describe();
  EXPECT_EQ(counts->at(std::nullopt), 11u);
}

TEST(PostgresAuditSql, TakesNumbersAndNull) {
  EXPECT_EQ(postgres::number_or_null(""), std::nullopt);
  EXPECT_EQ(postgres::number_or_null("-9223372036854775808"), INT64_MIN);
}

TEST(PostgresAuditSql, QuotesWhatAnArrayHolds) {
  const std::vector<std::string> items = {"", "a,b", R"(q"\)", "{}", "NULL"};
  EXPECT_EQ(postgres::array_text(items), R"({"","a,b","q\"\\","{}","NULL"})");
  EXPECT_EQ(postgres::time_paths("a.0"),
            (std::vector<std::string>{R"({"a","0","$date","$numberLong"})", R"({"a","0","$oid"})",
                                      R"({"a","0","$timestamp","t"})"}));
  EXPECT_EQ(postgres::parents_of("a.b.c"), (std::vector<std::string>{R"({"a"})", R"({"a","b"})"}));
  EXPECT_TRUE(postgres::parents_of("a").empty());
}

}  // namespace
}  // namespace tidemark::testing
