// Tables that were made when guards were texts: they go on as they are, beside new ones, and are converted when their operator
// says so. docs/adr/0057-guards-are-bytes.md
#include <gmock/gmock.h>

#include "base/digest.h"
#include "base/log.h"
#include "core/row_guard.h"
#include "sinks/postgres/tables.h"
#include "sinks/postgres/testing/support.h"
#include "support/change_events.h"

namespace tidemark::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class KeptLog final : public LogWriter {
 public:
  bool write(std::string_view line) override {
    text += line;
    return true;
  }
  Status reopen() override { return {}; }
  std::string text;
};

class PostgresGuards : public ::testing::Test {
 protected:
  void SetUp() override {
    if (auto reason = PostgresServer::unavailable()) GTEST_SKIP() << *reason;
    uri_ = PostgresServer::shared().create_schema();
  }
  void TearDown() override { init_log(LogLevel::kOff); }

  std::vector<std::string> rows(const std::string& sql) { return PostgresServer::query(uri_, sql); }
  std::string type_of_guard(const std::string& table = "orders") {
    return rows(
               "SELECT format_type(atttypid, -1) FROM pg_attribute WHERE attname = 'token' AND attrelid = '" +
               table + "'::regclass")
        .at(0);
  }
  static std::string conversion(const std::string& table = "orders") {
    return postgres::conversion_sql({"", table});
  }

  std::unique_ptr<TransactionalSink> opened(const std::string& table = "orders") {
    auto sink = postgres_sink_component()
                    .transactional(postgres_settings(uri_, "current", table), {"orders", &clock_, &files_})
                    .value();
    auto loaded = sink->open_and_load({"orders", "f", "d"}, {});
    EXPECT_TRUE(loaded) << loaded.error().describe();
    return sink;
  }
  // {_id: 1, v: n} by an event n.
  static WriteResult put(TransactionalSink& sink, uint32_t n) {
    EventBatch batch;
    const std::string v = std::to_string(n);
    add_event(batch,
              change_event(n, "insert", R"({"_id":1})", R"({"fullDocument":{"_id":1,"v":")" + v + "\"}}"));
    return sink.write(batch.events(), position_at(n), {});
  }
  // The row of event 5, as a version before wrote it.
  void make_old_table() {
    rows(kTextGuardTable);
    rows(R"(INSERT INTO orders VALUES('{"$numberInt":"1"}', '{"_id":{"$numberInt":"1"},"v":"5"}', ')" +
         token_hex(5) + "', now())");
  }
  std::vector<std::string> values(const std::string& table = "orders") {
    return rows("SELECT doc->>'v' FROM " + table);
  }
  void expect_guarded_at_five(TransactionalSink& sink) {
    for (const uint32_t older : {4u, 5u}) {
      ASSERT_TRUE(put(sink, older));
      EXPECT_THAT(values(), ElementsAre("5")) << older;
    }
    ASSERT_TRUE(put(sink, 6));
    EXPECT_THAT(values(), ElementsAre("6"));
    ASSERT_TRUE(put(sink, 5));
    EXPECT_THAT(values(), ElementsAre("6"));
  }

  std::string uri_;
  PosixFileSystem files_;
  PosixClock clock_;
};

TEST_F(PostgresGuards, ANewTableKeepsBytesAndSaysNothing) {
  const auto kept = std::make_shared<KeptLog>();
  init_log(LogLevel::kInfo, kept);
  auto sink = opened();
  ASSERT_TRUE(put(*sink, 5));
  EXPECT_EQ(type_of_guard(), "bytea");
  expect_guarded_at_five(*sink);
  EXPECT_EQ(kept->text.find("ALTER TABLE"), std::string::npos) << kept->text;
}

TEST_F(PostgresGuards, ATableOfTextGuardsGoesOnAsItIsAndItsConversionIsSaidOnce) {
  make_old_table();
  const auto kept = std::make_shared<KeptLog>();
  init_log(LogLevel::kInfo, kept);
  auto sink = opened();
  expect_guarded_at_five(*sink);
  EXPECT_EQ(type_of_guard(), "text");
  EXPECT_THAT(rows("SELECT token FROM orders"), ElementsAre(token_hex(6)));
  const size_t said = kept->text.find("ALTER TABLE \"orders\"");
  EXPECT_NE(said, std::string::npos) << kept->text;
  EXPECT_EQ(kept->text.find("ALTER TABLE", said + 1), std::string::npos) << kept->text;
}

TEST_F(PostgresGuards, AConvertedTableHoldsTheGuardsThatANewOneWould) {
  const std::vector<std::string> ids = {
      "826B025798000000032B022C0100296E5A1004B9B6D4A44852410AB006A54145D4B5AC461E5F6964002B020004",
      "826B025797000000252B042C01002C01906E5A100404",
      "826B025797000000252B042C0100296F5A100404",
      "826B025797000000252B042C01002E8000010029",
      "826B025797000000252B022C0100296E5A1004R0123456789abcdef",
      "826B025797000000252B022C0100296E5A1004R",
      "826B025797000000252B062C0100296E5A100404",
      "826B02579700000025",
      "826B0257970000002",
      "016b0257a0",
      "a-client's own id",
      ""};
  const std::string key = R"({"a b":"\u00e9 {"})";
  rows(kTextGuardTable);
  std::vector<std::string> expected;
  const auto add = [&](const std::string& text, std::string_view guard) {
    rows("INSERT INTO orders VALUES('" + std::to_string(1000 + expected.size()) + "', '{}', $$" + text +
         "$$, now())");
    expected.push_back("\\x" +
                       to_hex(std::span(reinterpret_cast<const uint8_t*>(guard.data()), guard.size())));
  };
  for (const std::string& id : ids) {
    std::string guard;
    append_guard(GuardForm::kBytes, id, guard);
    add(id, guard);
    add(id + " " + key, guard + '\0' + key);
  }
  rows("INSERT INTO orders VALUES('9999', '{}', NULL, now())");
  rows(conversion());
  expected.push_back("-");
  EXPECT_EQ(rows("SELECT token FROM orders ORDER BY id"), expected);
  EXPECT_EQ(type_of_guard(), "bytea");
}

TEST_F(PostgresGuards, RowsAreGuardedRightAfterAConversionAndAfterOneThatWasKilled) {
  make_old_table();
  EXPECT_THROW(rows("BEGIN; " + conversion() + "; SELECT pg_terminate_backend(pg_backend_pid())"),
               std::exception);
  EXPECT_EQ(type_of_guard(), "text");
  EXPECT_THAT(rows("SELECT token FROM orders"), ElementsAre(token_hex(5)));
  ASSERT_TRUE(put(*opened(), 4));
  EXPECT_THAT(values(), ElementsAre("5"));
  rows(conversion());
  EXPECT_EQ(type_of_guard(), "bytea");
  expect_guarded_at_five(*opened());
}

TEST_F(PostgresGuards, AConversionUnderTheRunningPipelineEndsItAndTheNextStartGoesOn) {
  make_old_table();
  {
    auto sink = opened();
    ASSERT_TRUE(put(*sink, 4));
    rows(conversion());
    const auto written = put(*sink, 6);
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().error.react, React::kConfig) << written.error().error.describe();
    EXPECT_THAT(written.error().error.hint, HasSubstr("start again"));
  }
  expect_guarded_at_five(*opened());
}

TEST_F(PostgresGuards, ARenameCarriesRowsBetweenTablesOfBothForms) {
  const std::string renamed = R"({"to":{"db":"shop","coll":"renamed"}})";
  const auto rename = [&](TransactionalSink& sink) {
    EventBatch batch;
    add_event(batch, change_event(7, "rename", "{}", renamed));
    return sink.write(batch.events(), position_at(7), {});
  };
  // From texts to a new table, then from bytes to an old one.
  for (const bool from_text : {true, false}) {
    SCOPED_TRACE(from_text ? "from text" : "from bytes");
    uri_ = PostgresServer::shared().create_schema();
    if (from_text) {
      make_old_table();
    } else {
      rows("CREATE TABLE renamed(id text PRIMARY KEY, doc jsonb, token text, cluster_time timestamptz)");
    }
    auto sink = opened("{collection}");
    ASSERT_TRUE(put(*sink, 6));
    for (int times = 0; times < 2; ++times) {
      const auto moved = rename(*sink);
      ASSERT_TRUE(moved) << moved.error().error.describe();
      EXPECT_THAT(values("renamed"), ElementsAre("6"));
      EXPECT_THAT(values(), ElementsAre());
      EXPECT_THAT(rows(std::string("SELECT ") + (from_text ? kGuardsAsTokens : "token") + " FROM renamed"),
                  ElementsAre(token_hex(7)));
    }
    // A drop that is older than the rename leaves the row, a later one takes it.
    EventBatch older, later;
    add_event(older, change_of(6, "drop", "shop", "renamed"));
    add_event(later, change_of(8, "drop", "shop", "renamed"));
    ASSERT_TRUE(sink->write(older.events(), position_at(6), {}));
    EXPECT_THAT(values("renamed"), ElementsAre("6"));
    ASSERT_TRUE(sink->write(later.events(), position_at(8), {}));
    EXPECT_THAT(values("renamed"), ElementsAre());
  }
}

}  // namespace
}  // namespace tidemark::testing
