// What PostgreSQL can't hold, what is too much for it at once, and what is taken away under the running sink.
#include <thread>

#include "sinks/postgres/component.h"
#include "sinks/postgres/connection.h"
#include "sinks/postgres/testing/support.h"

namespace tidemark::testing {
namespace {

class PostgresLimits : public PostgresTest {};

// --- what PostgreSQL can't hold

TEST_F(PostgresLimits, AFieldThatStandsTwiceIsARejectThatNamesIt) {
  bson::Builder inner, document, raw;
  inner.append("z", 1).append("z", 2);
  document.append("_id", 2).append("a", inner.view());
  for (const char* mode : {"current", "log"}) {
    auto sink = opened(postgres_settings(uri_, mode, mode));
    EventBatch batch;
    add_insert(batch, 1);
    add_insert(batch, 2).after = document.view();
    add_insert(batch, 3);
    const auto written = write(*sink, batch, 3);
    ASSERT_FALSE(written) << mode;
    EXPECT_EQ(written.error().error.react, React::kReject);
    EXPECT_EQ(written.error().culprit, 1u);
    EXPECT_NE(written.error().error.what.find("field a.z twice"), std::string::npos)
        << written.error().error.what;
    EXPECT_EQ(rows("SELECT count(*) FROM \"" + std::string(mode) + "\""), std::vector<std::string>{"0"});
    sink->close();
  }
}

TEST_F(PostgresLimits, ATextWithU0000IsARejectThatNamesItsField) {
  auto sink = opened(postgres_settings(uri_, "current"));
  EventBatch batch;
  add_event(batch, change_event(1, "insert", kKey, after(R"({"_id":1,"a":[{"b":"x\u0000"}]})")));
  const auto written = write(*sink, batch, 1);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().error.react, React::kReject);
  EXPECT_NE(written.error().error.what.find("field a.0.b"), std::string::npos) << written.error().error.what;
}

TEST_F(PostgresLimits, AnIdThatIsTooLongForTheIndexIsOneReject) {
  auto sink = opened(postgres_settings(uri_, "current"));
  // Random, because PostgreSQL packs before it measures.
  std::string id;
  uint64_t state = 1;
  for (int i = 0; i < 6000; ++i) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    id.push_back(static_cast<char>('a' + (state >> 33) % 26));
  }
  const std::string key = R"({"_id":")" + id + "\"}";
  EventBatch batch;
  add_insert(batch, 1);
  add_event(batch, change_event(2, "insert", key, after(key)));
  add_insert(batch, 3);
  const auto written = write(*sink, batch, 3);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().error.react, React::kReject) << written.error().error.describe();
  EXPECT_EQ(written.error().culprit, 1u);
}

TEST_F(PostgresLimits, WhatTheDatabasesEncodingCannotHoldIsOneRejectOfTheRightEvent) {
  const std::string latin = PostgresServer::shared().create_database("LATIN1");
  auto sink = opened(postgres_settings(latin, "current"));
  const std::string key = R"({"_id":"😀"})";
  for (const char* op : {"insert", "replace"}) {
    EventBatch batch;
    add_insert(batch, 1);
    add_event(batch, change_event(2, op, key, after(key)));
    add_event(batch, change_event(3, "replace", kKey, after(kKey)));
    const auto written = write(*sink, batch, 3);
    ASSERT_FALSE(written) << op;
    EXPECT_EQ(written.error().error.react, React::kReject) << written.error().error.describe();
    EXPECT_EQ(written.error().culprit, 1u) << op;
  }
  EventBatch value;
  add_event(value, change_event(4, "insert", kKey, after(R"({"_id":1,"v":"é"})")));
  add_event(value, change_event(5, "insert", R"({"_id":2})", after(R"({"_id":2,"v":"中"})")));
  const auto written = write(*sink, value, 5);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().culprit, 1u);
}

// --- what grows with the table, and what is too much at once

TEST_F(PostgresLimits, ADropAndARenameOfALargeTableFinishUnderAShortStatementTimeout) {
  auto settings = postgres_settings(uri_, "current", "{collection}");
  settings.set("statement_timeout", int64_t{200});
  auto sink = opened(settings);
  ASSERT_TRUE(write(*sink, *inserts(1, 1), 1));
  const std::string fill =
      "INSERT INTO orders SELECT 'old ' || i, jsonb_build_object('v', repeat(md5(i::text), 4)), '\\x81', "
      "now() "
      "FROM "
      "generate_series(1, 300000) AS i";
  rows(fill);
  EventBatch renamed;
  add_event(renamed, change_event(2, "rename", "{}", R"({"to":{"db":"shop","coll":"renamed"}})"));
  auto moved = write(*sink, renamed, 2);
  ASSERT_TRUE(moved) << moved.error().error.describe();
  EXPECT_EQ(rows("SELECT count(*), min(g), max(g) FROM (SELECT " + std::string(kGuardsAsTokens) +
                 " AS g FROM renamed) AS r"),
            std::vector<std::string>{"300001 | " + token_hex(2) + " | " + token_hex(2)});
  EXPECT_EQ(rows("SELECT count(*) FROM orders"), std::vector<std::string>{"0"});
  rows(fill);
  EventBatch dropped;
  add_event(dropped, change_event(3, "drop", "{}"));
  add_insert(dropped, 4);
  auto cleared = write(*sink, dropped, 4);
  ASSERT_TRUE(cleared) << cleared.error().error.describe();
  EXPECT_EQ(rows(std::string("SELECT ") + kGuardsAsTokens + " FROM orders"),
            std::vector<std::string>{token_hex(4)});
}

TEST_F(PostgresLimits, ADropThatIsBrokenOffKeepsItsPositionAndGoesOnWhereItWas) {
  auto sink = opened(postgres_settings(uri_, "current"));
  ASSERT_TRUE(write(*sink, *inserts(1, 1), 1));
  // The last row of the table holds the removal up, once.
  rows(
      "INSERT INTO orders SELECT 'old ' || i, to_jsonb(repeat('x', 900)), '\\x81', now() FROM "
      "generate_series(1, 5000) AS i; "
      "CREATE SEQUENCE tries; CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF OLD.id "
      "= 'old 5000' "
      "AND nextval('tries') = 1 THEN RAISE EXCEPTION 'injected' USING ERRCODE = '40001'; END IF; RETURN OLD; "
      "END $$; "
      "CREATE TRIGGER fail BEFORE DELETE ON orders FOR EACH ROW EXECUTE FUNCTION fail()");
  EventBatch batch;
  add_event(batch, change_event(2, "drop", "{}"));
  const auto broken = write(*sink, batch, 2);
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().error.react, React::kRetry) << broken.error().error.describe();
  const int left = std::stoi(rows("SELECT count(*) FROM orders")[0]);
  EXPECT_GT(left, 0);
  EXPECT_LT(left, 5001) << "what was done is lost with what failed";
  const std::string saved =
      "SELECT count(*) FROM tidemark_positions WHERE token LIKE '%" + token_hex(2) + "%'";
  EXPECT_EQ(rows(saved), std::vector<std::string>{"0"}) << "the position moved before the drop was done";
  ASSERT_TRUE(write(*sink, batch, 2));
  EXPECT_EQ(rows("SELECT count(*) FROM orders"), std::vector<std::string>{"0"});
  EXPECT_EQ(rows(saved), std::vector<std::string>{"1"});
}

TEST_F(PostgresLimits, ABatchThatTakesTooLongIsWrittenInSmallerOnes) {
  auto settings = postgres_settings(uri_, "current");
  settings.set("statement_timeout", int64_t{200});
  for (const bool lane : {false, true}) {
    std::unique_ptr<TransactionalSink> whole;
    std::unique_ptr<Sink> part;
    if (lane) {
      part = postgres_sink_component().plain(settings, context()).value();
      ASSERT_TRUE(part->open({}));
    } else {
      whole = opened(settings);
      rows(
          "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.03); "
          "RETURN NEW; END $$; "
          "CREATE TRIGGER slow BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION slow()");
    }
    const auto batch = inserts(lane ? 21 : 1, 20);
    const auto written = lane ? part->write(batch->events(), {}) : write(*whole, *batch, 20);
    ASSERT_TRUE(written) << written.error().error.describe();
    EXPECT_EQ(rows("SELECT count(*) FROM orders"), std::vector<std::string>{lane ? "40" : "20"});
    if (whole) whole->close();
  }
}

TEST_F(PostgresLimits, AnErrorKeepsTheServersAdvice) {
  auto sink = opened(postgres_settings(uri_, "current"));
  rows(
      "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no' USING HINT = "
      "'ask the DBA', "
      "ERRCODE = '53200'; END $$; CREATE TRIGGER no BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION "
      "no()");
  const auto written = write(*sink, *inserts(1, 2), 2);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().error.react, React::kRetry);
  EXPECT_NE(written.error().error.hint.find("ask the DBA"), std::string::npos)
      << written.error().error.describe();
}

// --- what is replaced under its feet

TEST_F(PostgresLimits, APositionThatIsGoneIsNeitherMadeAnewNorTakenForAnotherInstance) {
  for (const char* loss : {"DROP TABLE tidemark_positions", "DELETE FROM tidemark_positions"}) {
    uri_ = PostgresServer::shared().create_schema();
    auto sink = opened(postgres_settings(uri_, "current"));
    ASSERT_TRUE(write(*sink, *inserts(1, 3), 3));
    rows(loss);
    const auto written = write(*sink, *inserts(4, 3), 6);
    ASSERT_FALSE(written) << loss;
    EXPECT_EQ(written.error().error.react, React::kConfig)
        << loss << ": " << written.error().error.describe();
    const auto again = sink->open_and_load({"orders", "f", "d"}, {});
    ASSERT_FALSE(again) << loss;
    EXPECT_EQ(again.error().react, React::kConfig) << again.error().describe();
    EXPECT_NE(again.error().what.find("is gone while the pipeline runs"), std::string::npos)
        << again.error().what;
    EXPECT_EQ(rows("SELECT count(*) FROM orders"), std::vector<std::string>{"3"});
  }
}

TEST_F(PostgresLimits, ATableThatIsDroppedUnderTheRunningPipelineEndsItInsteadOfBeingMadeAnewEmpty) {
  auto sink = opened(postgres_settings(uri_, "current"));
  ASSERT_TRUE(write(*sink, *inserts(1, 3), 3));
  rows("DROP TABLE orders");
  const auto written = write(*sink, *inserts(4, 3), 6);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().error.react, React::kConfig) << written.error().error.describe();
  EXPECT_NE(written.error().error.what.find("orders"), std::string::npos) << written.error().error.describe();
  EXPECT_EQ(rows("SELECT to_regclass('orders') IS NULL"), std::vector<std::string>{"t"});
}

TEST_F(PostgresLimits, ATableThatSomebodyDroppedIsNotMadeAnewEmptyAtTheNextStart) {
  for (const char* table : {"orders", "{collection}"}) {
    SCOPED_TRACE(table);
    uri_ = PostgresServer::shared().create_schema();
    auto before = opened(postgres_settings(uri_, "current", table));
    ASSERT_TRUE(write(*before, *inserts(1, 3), 3));
    before->close();
    rows("DROP TABLE orders");
    auto sink =
        postgres_sink_component().transactional(postgres_settings(uri_, "current", table), context()).value();
    const auto start = sink->open_and_load({"orders", "f", "d"}, {});
    EXPECT_EQ(start.has_value(), std::string_view(table) != "orders");
    const auto written = start ? write(*sink, *inserts(4, 1), 4) : write_failed(start.error());
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().error.react, React::kConfig) << written.error().error.describe();
    for (const char* part : {"'orders' is gone", "shop.orders", "audit --repair"})
      EXPECT_NE(written.error().error.describe().find(part), std::string::npos)
          << written.error().error.describe();
    EXPECT_EQ(rows("SELECT to_regclass('orders')"), std::vector<std::string>{"-"});
    sink->close();
    // As the message says.
    rows("DELETE FROM \"tidemark_tables\" WHERE name = 'orders'");
    auto anew = opened(postgres_settings(uri_, "current", table));
    ASSERT_TRUE(write(*anew, *inserts(4, 1), 4));
    EXPECT_EQ(rows("SELECT count(*) FROM orders"), std::vector<std::string>{"1"});
    anew->close();
  }
}

TEST_F(PostgresLimits, ATableThatIsGoneIsGivenBackByADropOfItsCollectionAndNeverRenamedAway) {
  auto before = opened(postgres_settings(uri_, "current", "{collection}"));
  ASSERT_TRUE(write(*before, *inserts(1, 3), 3));
  before->close();
  rows("DROP TABLE orders");
  auto sink = opened(postgres_settings(uri_, "current", "{collection}"));
  EventBatch renamed, dropped;
  add_event(renamed, change_event(4, "rename", "{}", R"({"to": {"db": "shop", "coll": "archive"}})"));
  const auto refused = write(*sink, renamed, 4);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().error.react, React::kConfig) << refused.error().error.describe();
  add_event(dropped, change_event(4, "drop", "{}"));
  add_insert(dropped, 5);
  const auto written = write(*sink, dropped, 5);
  ASSERT_TRUE(written) << written.error().error.describe();
  EXPECT_EQ(rows("SELECT count(*) FROM orders"), std::vector<std::string>{"1"});
}

// Of two lanes that open at once, the other makes the table, and writes into it, between two questions of this one.
TEST_F(PostgresLimits, ATableThatAnotherLaneMakesMeanwhileIsNotTakenForOneThatIsGone) {
  const auto settings = postgres_settings(uri_, "current");
  auto before = opened(postgres_settings(uri_, "current", "another"));  // makes the table of owners
  before->close();
  postgres::ConnectionOptions options;
  options.uri = uri_;
  const auto lane = postgres::Connection::open(options, clock_, {}).value();
  ASSERT_TRUE(lane->query("BEGIN; LOCK TABLE tidemark_tables", {}));
  auto sink = postgres_sink_component().plain(settings, context()).value();
  Status opened;
  std::thread opener([&] { opened = sink->open({}); });
  const bool waits = eventually([&] {
    return !rows("SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'tidemark_tables'::regclass")
                .empty();
  });
  const auto made = lane->query(
      "CREATE TABLE orders(id text PRIMARY KEY, doc jsonb, token bytea, cluster_time timestamp with time "
      "zone); INSERT INTO tidemark_tables VALUES ('orders', 'shop.orders', 'orders'); COMMIT",
      {});
  opener.join();
  EXPECT_TRUE(waits);
  ASSERT_TRUE(made) << made.error().describe();
  EXPECT_TRUE(opened) << opened.error().describe();
}

}  // namespace
}  // namespace tidemark::testing
