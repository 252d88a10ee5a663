#include <thread>

#include "bson/json.h"
#include "sinks/postgres/component.h"
#include "sinks/postgres/rows.h"
#include "sinks/postgres/sqlstate.h"
#include "sinks/postgres/testing/support.h"

namespace tidemark::testing {
namespace {

class PostgresSink : public PostgresTest {};

TEST_F(PostgresSink, CurrentKeepsOneRowPerDocumentAndDeletesRemoveIt) {
  auto sink = opened(postgres_settings(uri_, "current"));
  EventBatch batch;
  add_event(batch, change_event(1, "insert", kKey, after(R"({"_id":1,"v":{"$numberDecimal":"1.50"}})")));
  add_insert(batch, 2);
  add_event(batch, change_event(3, "update", kKey, after(R"({"_id":1,"v":{"$numberDouble":"NaN"}})")));
  ASSERT_TRUE(write(*sink, batch, 3));
  EXPECT_EQ(
      rows("SELECT id, doc->'v'->>'$numberDouble', " + std::string(kGuardsAsTokens) +
           ", cluster_time AT TIME ZONE 'UTC' FROM orders "
           "ORDER BY token"),
      (std::vector<std::string>{R"({"$numberInt":"2"} | - | )" + token_hex(2) + " | 2023-11-14 22:13:20",
                                R"({"$numberInt":"1"} | NaN | )" + token_hex(3) + " | 2023-11-14 22:13:20"}));
  EventBatch gone;
  add_event(gone, change_event(4, "delete", kKey));
  ASSERT_TRUE(write(*sink, gone, 4));
  EXPECT_EQ(rows("SELECT id FROM orders"), std::vector<std::string>{R"({"$numberInt":"2"})"});
}

TEST_F(PostgresSink, AnOlderEventTurnsNoRowBack) {
  auto sink = opened(postgres_settings(uri_, "current"));
  EventBatch newer, older, removed;
  add_event(newer, change_event(5, "insert", kKey, after(R"({"_id":1,"v":5})")));
  add_event(older, change_event(3, "insert", kKey, after(R"({"_id":1,"v":3})")));
  add_event(removed, change_event(4, "delete", kKey));
  ASSERT_TRUE(write(*sink, newer, 5));
  ASSERT_TRUE(write(*sink, older, 6));
  ASSERT_TRUE(write(*sink, removed, 7));
  EXPECT_EQ(rows(std::string("SELECT ") + kGuardsAsTokens + " FROM orders"),
            std::vector<std::string>{token_hex(5)});
}

TEST_F(PostgresSink, LogKeepsEveryEventWithAllItsParts) {
  auto sink = opened(postgres_settings(uri_, "log"));
  EventBatch batch;
  add_event(batch, change_event(1, "insert", kKey, after(R"({"_id":1})")));
  add_event(
      batch,
      change_event(2, "update", kKey,
                   R"({"updateDescription":{"removedFields":["x"]},"fullDocumentBeforeChange":{"_id":1}})"));
  add_event(batch, change_event(3, "delete", kKey));
  add_event(batch, change_event(4, "rename", "{}", R"({"to":{"db":"shop","coll":"old"}})"));
  ASSERT_TRUE(write(*sink, batch, 4));
  ASSERT_TRUE(write(*sink, batch, 4));
  const std::string id = R"({"$numberInt":"1"})", doc = R"({"_id": {"$numberInt": "1"}})";
  EXPECT_EQ(rows("SELECT op, ns, id, doc, before, \"update\" FROM orders ORDER BY token"),
            (std::vector<std::string>{
                "insert | shop.orders | " + id + " | " + doc + " | - | -",
                "update | shop.orders | " + id + " | - | " + doc + R"( | {"removedFields": ["x"]})",
                "delete | shop.orders | " + id + " | - | - | -",
                R"(rename | shop.orders | - | - | - | {"to": {"db": "shop", "coll": "old"}})"}));
}

TEST_F(PostgresSink, DropAndRenameWorkOnTheRowsAndAReplayOfThemLosesNone) {
  uri_ = PostgresServer::shared().create_database();
  auto sink = opened(postgres_settings(uri_, "current", "{database}.{collection}"));
  EventBatch batch;
  add_insert(batch, 1);
  add_event(batch, change_event(2, "drop", "{}"));
  add_insert(batch, 3);
  add_insert(batch, 4);
  add_event(batch, change_event(5, "rename", "{}", R"({"to":{"db":"shop","coll":"old"}})"));
  add_insert(batch, 6);
  for (int times = 0; times < 2; ++times) {
    ASSERT_TRUE(write(*sink, batch, 6));
    EXPECT_EQ(rows(std::string("SELECT id, ") + kGuardsAsTokens + " FROM shop.old ORDER BY id"),
              (std::vector<std::string>{R"({"$numberInt":"3"} | )" + token_hex(5),
                                        R"({"$numberInt":"4"} | )" + token_hex(5)}));
    EXPECT_EQ(rows(std::string("SELECT ") + kGuardsAsTokens + " FROM shop.orders"),
              std::vector<std::string>{token_hex(6)});
  }
}

TEST_F(PostgresSink, TwoCollectionsWhoseNamesLeadToOneTableAreNotMixed) {
  uri_ = PostgresServer::shared().create_database();
  auto sink = opened(postgres_settings(uri_, "current", "{database}_{collection}"));
  EventBatch batch;
  add_event(batch, change_of(1, "insert", "a_b", "c", "x"));
  add_event(batch, change_of(2, "insert", "a", "b_c", "y"));
  const auto failed = write(*sink, batch, 2);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().error.react, React::kReject);
  EXPECT_EQ(failed.error().culprit, 1u);
  for (const char* part : {"a_b.c", "a.b_c", "exclude", "{database}.{collection}"})
    EXPECT_NE(failed.error().error.describe().find(part), std::string::npos) << part;
  EventBatch rest;
  add_event(rest, change_of(1, "insert", "a_b", "c", "x"));
  add_event(rest, change_of(2, "insert", "a", "b_c", "y"));
  add_event(rest, change_of(4, "drop", "a", "b_c"));
  add_event(rest, change_of(5, "insert", "other", "d", "w"));
  ASSERT_TRUE(write(*sink, rest, 5));
  EXPECT_EQ(rows("SELECT doc->>'v' FROM a_b_c"), std::vector<std::string>{"x"});
  EXPECT_EQ(rows("SELECT doc->>'v' FROM other_d"), std::vector<std::string>{"w"});
  EXPECT_EQ(rows("SELECT name, namespace FROM tidemark_tables ORDER BY name"),
            (std::vector<std::string>{"a_b_c | a_b.c", "other_d | other.d"}));
}

TEST_F(PostgresSink, ADropOfItsCollectionGivesTheTableBackAlsoWithinABatch) {
  uri_ = PostgresServer::shared().create_database();
  auto sink = opened(postgres_settings(uri_, "current", "{database}_{collection}"));
  EventBatch batch;
  add_event(batch, change_of(1, "insert", "a_b", "c", "x"));
  add_event(batch, change_of(2, "drop", "a_b", "c"));
  add_event(batch, change_of(3, "insert", "a", "b_c", "y"));
  ASSERT_TRUE(write(*sink, batch, 3));
  EXPECT_EQ(rows("SELECT doc->>'v' FROM a_b_c"), std::vector<std::string>{"y"});
  EXPECT_EQ(rows("SELECT namespace FROM tidemark_tables"), std::vector<std::string>{"a.b_c"});
}

TEST_F(PostgresSink, ACollectionThatCanHaveNoTableIsOneRejectAndTheOthersGoOn) {
  uri_ = PostgresServer::shared().create_database();
  PostgresServer::query(uri_, "CREATE TABLE invoices(number int)");
  PostgresServer::query(uri_, "CREATE VIEW totals AS SELECT 1 AS one");
  const std::string prefix(62, 'x');
  for (const std::string name :
       {"orders_pkey", "tidemark_positions", "tidemark_tables", "invoices", "totals"}) {
    auto sink = opened(postgres_settings(uri_, "current", "{collection}"));
    EventBatch first, batch;
    add_event(first, change_of(1, "insert", "shop", "orders", "x"));
    ASSERT_TRUE(write(*sink, first, 1));
    add_event(batch, change_of(2, "insert", "shop", name, "x"));
    const auto failed = write(*sink, batch, 2);
    ASSERT_FALSE(failed) << name;
    EXPECT_EQ(failed.error().error.react, React::kReject) << failed.error().error.describe();
    EXPECT_NE(failed.error().error.hint.find("shop." + name), std::string::npos);
    EventBatch more;
    add_event(more, change_of(3, "insert", "shop", name, "x"));
    add_event(more, change_of(4, "drop", "shop", name));
    add_event(more, change_of(5, "insert", "shop", "orders", "y"));
    EXPECT_TRUE(write(*sink, more, 5)) << name;
    sink->close();
    EXPECT_EQ(rows("SELECT count(*) FROM tidemark_positions"), std::vector<std::string>{"1"}) << name;
  }
  // Names that PostgreSQL would cut to the same 63 bytes.
  auto sink = opened(postgres_settings(uri_, "current", "{collection}"));
  EventBatch fits, longer, drop;
  add_event(fits, change_of(6, "insert", "shop", prefix + "a", "fits"));
  ASSERT_TRUE(write(*sink, fits, 6));
  add_event(longer, change_of(7, "insert", "shop", prefix + "ab", "longer"));
  const auto failed = write(*sink, longer, 7);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().error.react, React::kReject);
  add_event(drop, change_of(8, "drop", "shop", prefix + "ab"));
  ASSERT_TRUE(write(*sink, drop, 8));
  EXPECT_EQ(rows("SELECT doc->>'v' FROM " + prefix + "a"), std::vector<std::string>{"fits"});
  // A database whose name is no schema's: PostgreSQL keeps pg_ for itself.
  sink->close();
  sink = opened(postgres_settings(uri_, "current", "{database}.{collection}"));
  EventBatch reserved;
  add_event(reserved, change_of(9, "insert", "pg_x", "orders", "x"));
  const auto refused = write(*sink, reserved, 9);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().error.react, React::kReject) << refused.error().error.describe();
}

TEST_F(PostgresSink, ATextWithNulIsRejectedWithItsEventAndTheRestGoesOn) {
  auto sink = opened(postgres_settings(uri_, "current"));
  EventBatch batch;
  add_insert(batch, 1);
  add_event(batch, change_event(2, "insert", R"({"_id":2})", after(R"({"_id":2,"s":"a\u0000b"})")));
  const auto failed = write(*sink, batch, 2);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().error.react, React::kReject);
  EXPECT_EQ(failed.error().culprit, 1u);
  EXPECT_TRUE(rows("SELECT 1 FROM orders").empty());
  EventBatch good;
  add_insert(good, 1);
  add_event(good, change_event(3, "insert", R"({"_id":3})", after(R"({"_id":3,"s":"a\\u0000b"})")));
  ASSERT_TRUE(write(*sink, good, 3));
  EXPECT_EQ(rows("SELECT doc->>'s' FROM orders WHERE " + std::string(kGuardsAsTokens) + " = '" +
                 token_hex(3) + "'"),
            std::vector<std::string>{R"(a\u0000b)"});
}

TEST_F(PostgresSink, WhatTheServerRejectsIsFoundAmongTheRest) {
  for (const char* mode : {"current", "log"}) {
    const std::string table = std::string("t_") + mode;
    auto sink = opened(postgres_settings(uri_, mode, table));
    rows("ALTER TABLE " + table + " ADD CONSTRAINT small CHECK (octet_length(id) < 100)");
    for (const uint32_t place : {0u, 37u, 99u}) {
      EventBatch batch;
      for (uint32_t n = 0; n < 100; ++n) {
        const std::string key = n == place ? "{\"_id\":\"" + std::string(200, 'x') + "\"}"
                                           : "{\"_id\":" + std::to_string(n) + "}";
        add_event(batch, change_event(n + 1, "insert", key, after(key)));
      }
      const auto failed = write(*sink, batch, 100);
      ASSERT_FALSE(failed);
      EXPECT_EQ(failed.error().error.react, React::kReject) << failed.error().error.describe();
      EXPECT_EQ(failed.error().culprit, place);
      EXPECT_TRUE(rows("SELECT 1 FROM " + table).empty());
    }
    sink->close();
  }
}

TEST_F(PostgresSink, AnIdBeyondTheIndexLimitIsRejected) {
  auto sink = opened(postgres_settings(uri_, "current"));
  std::string noise;
  for (uint32_t i = 0; i < 3000; ++i) noise += token_hex(i * 7919).substr(2, 8);
  EventBatch batch;
  add_insert(batch, 1);
  const std::string key = "{\"_id\":\"" + noise + "\"}";
  add_event(batch, change_event(2, "insert", key, after(key)));
  const auto failed = write(*sink, batch, 2);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().error.react, React::kReject) << failed.error().error.describe();
  EXPECT_EQ(failed.error().culprit, 1u);
}

TEST_F(PostgresSink, ATableOfAnotherShapeIsRefusedWithBothShapes) {
  rows("CREATE TABLE orders(id bigint PRIMARY KEY, total numeric)");
  const Error error = open_error(postgres_settings(uri_, "current"));
  EXPECT_EQ(error.react, React::kConfig);
  EXPECT_NE(error.what.find("id text PRIMARY KEY, doc jsonb"), std::string::npos) << error.what;
  EXPECT_NE(error.what.find("id bigint PRIMARY KEY, total numeric"), std::string::npos) << error.what;
}

TEST_F(PostgresSink, GeneratedColumnsAreTheOperatorsOwn) {
  rows(
      "CREATE TABLE orders(id text PRIMARY KEY, doc jsonb, token text, cluster_time timestamptz, "
      "item text GENERATED ALWAYS AS (doc->>'item') STORED)");
  auto sink = opened(postgres_settings(uri_, "current"));
  ASSERT_TRUE(write(*sink, *inserts(1, 1), 1));
  EXPECT_EQ(rows("SELECT item FROM orders"), std::vector<std::string>{"item 1"});
}

TEST_F(PostgresSink, WrongDatabaseAndUserAreConfigurationErrors) {
  const PostgresServer& server = PostgresServer::shared();
  EXPECT_EQ(open_error(postgres_settings(server.uri("nowhere"), "log")).react, React::kDenied);
  EXPECT_EQ(open_error(postgres_settings(server.uri("postgres", "nobody"), "log")).react, React::kDenied);
  rows("CREATE ROLE visitor LOGIN");
  const std::string database = uri_.substr(uri_.find_last_of('/') + 1);
  const Error error = open_error(postgres_settings(server.uri(database, "visitor"), "log"));
  EXPECT_EQ(error.react, React::kDenied) << error.describe();
  EXPECT_NE(error.hint.find("grant"), std::string::npos) << error.describe();
  rows("DROP ROLE visitor");
}

TEST_F(PostgresSink, AServerThatIsNotThereIsRetried) {
  const Error error = open_error(postgres_settings("postgresql://127.0.0.1:1/x", "log"));
  EXPECT_EQ(error.react, React::kRetry) << error.describe();
}

TEST_F(PostgresSink, NeverShowsThePassword) {
  const Error error = open_error(postgres_settings("postgresql://joe:s3cret@127.0.0.1:1/x", "log"));
  EXPECT_EQ(error.describe().find("s3cret"), std::string::npos);
  const auto bad = postgres_sink_component().plain(postgres_settings("host=x s3cret", "log"), context());
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().react, React::kConfig);
  EXPECT_EQ(bad.error().describe().find("s3cret"), std::string::npos);
}

TEST_F(PostgresSink, ALostRequestIsNotTakenForACommit) {
  LossyProxy proxy(PostgresServer::shared().port());
  const std::string database = uri_.substr(uri_.rfind('/'));
  auto sink = opened(
      postgres_settings("postgresql://tidemark@127.0.0.1:" + std::to_string(proxy.port()) + database, "log"));
  ASSERT_TRUE(write(*sink, *inserts(1, 2), 2));
  proxy.lose_request();
  const auto failed = write(*sink, *inserts(3, 2), 4);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().error.react, React::kRetry) << failed.error().error.describe();
  EXPECT_EQ(rows("SELECT count(*) FROM orders"), std::vector<std::string>{"2"});
  // The session was made anew to find that out, so the same write simply works now.
  ASSERT_TRUE(write(*sink, *inserts(3, 2), 4));
  EXPECT_EQ(rows("SELECT count(*) FROM orders"), std::vector<std::string>{"4"});
}

TEST_F(PostgresSink, ALostAnswerIsFoundOutToBeACommit) {
  LossyProxy proxy(PostgresServer::shared().port());
  const std::string database = uri_.substr(uri_.rfind('/'));
  auto sink = opened(
      postgres_settings("postgresql://tidemark@127.0.0.1:" + std::to_string(proxy.port()) + database, "log"));
  ASSERT_TRUE(write(*sink, *inserts(1, 2), 2));
  lose_commit_answer(proxy);
  const auto written = write(*sink, *inserts(3, 2), 4);
  EXPECT_TRUE(proxy.lost());
  EXPECT_TRUE(written) << written.error().error.describe();
  EXPECT_EQ(rows("SELECT count(*) FROM orders"), std::vector<std::string>{"4"});
}

TEST_F(PostgresSink, AStopEndsAWriteThatWaits) {
  auto sink = opened(postgres_settings(uri_, "log"));
  // Another session holds the table, so the write waits until it is stopped.
  std::stop_source stop;
  std::thread holder([&] {
    rows(
        "BEGIN; LOCK TABLE orders; SELECT pg_sleep(0) FROM generate_series(1, 1); "
        "DO $$ BEGIN FOR i IN 1..2000 LOOP PERFORM pg_sleep(0.005); "
        "IF EXISTS (SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT%') "
        "THEN RETURN; END IF; PERFORM pg_stat_clear_snapshot(); END LOOP; END $$; SELECT pg_sleep(0.5); "
        "COMMIT");
  });
  std::thread stopper([&] {
    eventually([&] {
      return !rows("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT%'")
                  .empty();
    });
    stop.request_stop();
  });
  ASSERT_TRUE(eventually([&] {
    return !rows(
                "SELECT 1 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'orders'::regclass")
                .empty();
  }));
  const auto failed = sink->write(inserts(1, 5)->events(), position_at(5), stop.get_token());
  holder.join();
  stopper.join();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().error.react, React::kCancelled) << failed.error().error.describe();
  EXPECT_TRUE(rows("SELECT 1 FROM orders").empty());
  ASSERT_TRUE(write(*sink, *inserts(1, 5), 5));
}

TEST_F(PostgresSink, AKilledServerIsRetriedAndNothingIsLost) {
  PostgresServer server;
  const std::string uri = server.create_database();
  auto sink = opened(postgres_settings(uri, "log"));
  ASSERT_TRUE(write(*sink, *inserts(1, 3), 3));
  server.crash();
  const auto failed = write(*sink, *inserts(4, 3), 6);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().error.react, React::kRetry);
  server.start();
  auto loaded = sink->open_and_load({"orders", "f", "d"}, {});
  ASSERT_TRUE(loaded && *loaded) << loaded.error().describe();
  EXPECT_EQ((**loaded).position, position_at(3));
  ASSERT_TRUE(write(*sink, *inserts(4, 3), 6));
  EXPECT_EQ(PostgresServer::query(uri, "SELECT count(*) FROM orders"), std::vector<std::string>{"6"});
}

TEST_F(PostgresSink, ADroppedTableStopsThePipelineWithAReason) {
  auto sink = opened(postgres_settings(uri_, "log"));
  ASSERT_TRUE(write(*sink, *inserts(1, 3), 3));
  rows("DROP TABLE orders");
  const auto failed = write(*sink, *inserts(4, 3), 6);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().error.react, React::kConfig) << failed.error().error.describe();
}

TEST_F(PostgresSink, EveryTypeComesBackFromTheDocument) {
  const auto document = doc(R"({"_id":{"$binary":{"base64":"c//SZESzTGmQ6OfR38A11A==","subType":"04"}},
      "l":{"$numberLong":"9007199254740993"},"d":{"$numberDouble":"-0.0"},"i":{"$numberDouble":"Infinity"},
      "c":{"$numberDecimal":"1E-6176"},"t":{"$timestamp":{"t":1,"i":2}},"w":{"$date":{"$numberLong":"-1"}},
      "r":{"$regularExpression":{"pattern":"a","options":"i"}},"k":{"$minKey":1},"n":null})");
  bson::Builder extra, key;
  extra.append("fullDocument", document.view());
  key.append("_id", *document.view().find("_id"));
  auto sink = opened(postgres_settings(uri_, "current"));
  EventBatch batch;
  add_event(batch, change_event(1, "insert", bson::to_json(key.view()), bson::to_json(extra.view())));
  ASSERT_TRUE(write(*sink, batch, 1));
  const auto stored = bson::Document::from_json(rows("SELECT doc FROM orders").at(0));
  ASSERT_TRUE(stored);
  // jsonb keeps every value and forgets the order of the fields.
  for (const auto field : document.view()) {
    const auto other = stored->view().find(field.key());
    ASSERT_TRUE(other) << field.key();
    EXPECT_EQ(other->type(), field.type()) << field.key();
    EXPECT_TRUE(std::ranges::equal(other->value_bytes(), field.value_bytes())) << field.key();
  }
}

TEST(PostgresErrors, EachStateSaysHowToReact) {
  const std::pair<const char*, React> expected[] = {
      {"08006", React::kRetry},  {"57P01", React::kRetry},   {"57P03", React::kRetry},
      {"57014", React::kRetry},  {"40001", React::kRetry},   {"40P01", React::kRetry},
      {"53100", React::kRetry},  {"53300", React::kRetry},   {"55P03", React::kRetry},
      {"25006", React::kRetry},  {"58030", React::kRetry},   {"26000", React::kRetry},
      {"28P01", React::kDenied}, {"28000", React::kDenied},  {"3D000", React::kDenied},
      {"42501", React::kDenied}, {"42P01", React::kConfig},  {"42703", React::kConfig},
      {"3F000", React::kDenied}, {"22021", React::kReject},  {"22P05", React::kReject},
      {"23514", React::kReject}, {"54000", React::kReject},  {"54001", React::kReject},
      {"P0001", React::kReject}, {"XX001", React::kCorrupt}, {"XX000", React::kRetry},
      {"", React::kRetry},
  };
  for (const auto& [state, react] : expected) EXPECT_EQ(postgres::reaction_to(state).react, react) << state;
}

TEST(ContainsNulEscape, TellsItFromABackslashBeforeIt) {
  EXPECT_TRUE(postgres::contains_nul_escape(R"("a\u0000")"));
  EXPECT_FALSE(postgres::contains_nul_escape(R"("a\\u0000")"));
  EXPECT_TRUE(postgres::contains_nul_escape(R"("a\\\u0000")"));
  EXPECT_TRUE(postgres::contains_nul_escape(R"("\\u0000\u0000")"));
  EXPECT_FALSE(postgres::contains_nul_escape(R"("u0000")"));
}

}  // namespace
}  // namespace tidemark::testing
