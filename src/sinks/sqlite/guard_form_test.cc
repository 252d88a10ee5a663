// Tables that were made when guards were texts: they go on as they are, beside new ones. docs/adr/0057-guards-are-bytes.md
#include <gmock/gmock.h>

#include "base/log.h"
#include "sinks/sqlite/testing/support.h"
#include "support/change_events.h"

namespace tidemark::testing {
namespace {

using ::testing::ElementsAre;

class KeptLog final : public LogWriter {
 public:
  bool write(std::string_view line) override {
    text += line;
    return true;
  }
  Status reopen() override { return {}; }
  std::string text;
};

class SqliteGuards : public ::testing::Test {
 protected:
  void TearDown() override { init_log(LogLevel::kOff); }

  std::vector<std::string> rows(const std::string& sql) { return SqliteReader(path_).column(sql); }
  std::string type_of_guard(const std::string& table = "orders") {
    return rows("SELECT type FROM pragma_table_info('" + table + "') WHERE name = 'token'").at(0);
  }
  std::unique_ptr<TransactionalSink> opened(const std::string& table = "orders") {
    auto sink = sqlite_sink_component()
                    .transactional(sqlite_settings(path_, "current", table), {"orders", &clock_, &files_})
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
    SqliteReader(path_).exec(kTextGuardTable);
    SqliteReader(path_).exec(
        R"(INSERT INTO orders VALUES('{"$numberInt":"1"}', '{"_id":{"$numberInt":"1"},"v":"5"}', ')" +
        token_hex(5) + "', '')");
  }
  std::vector<std::string> values(const std::string& table = "orders") {
    return rows("SELECT json_extract(doc, '$.v') FROM " + table);
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

  TempFolder folder_;
  std::string path_ = folder_.file("orders.db");
  PosixFileSystem files_;
  PosixClock clock_;
};

TEST_F(SqliteGuards, ANewTableKeepsBytesAndSaysNothing) {
  const auto kept = std::make_shared<KeptLog>();
  init_log(LogLevel::kInfo, kept);
  auto sink = opened();
  ASSERT_TRUE(put(*sink, 5));
  EXPECT_EQ(type_of_guard(), "BLOB");
  EXPECT_THAT(rows("SELECT typeof(token), length(token) FROM orders"), ElementsAre("blob | 14"));
  expect_guarded_at_five(*sink);
  EXPECT_EQ(kept->text.find("guards were texts"), std::string::npos) << kept->text;
}

TEST_F(SqliteGuards, ATableOfTextGuardsGoesOnAsItIsAndThatIsSaidOnce) {
  make_old_table();
  const auto kept = std::make_shared<KeptLog>();
  init_log(LogLevel::kInfo, kept);
  auto sink = opened();
  expect_guarded_at_five(*sink);
  EXPECT_THAT(rows("SELECT typeof(token), token FROM orders"), ElementsAre("text | " + token_hex(6)));
  const size_t said = kept->text.find("guards were texts");
  EXPECT_NE(said, std::string::npos) << kept->text;
  EXPECT_EQ(kept->text.find("guards were texts", said + 1), std::string::npos) << kept->text;
}

TEST_F(SqliteGuards, ARenameCarriesRowsBetweenTablesOfBothForms) {
  for (const bool from_text : {true, false}) {
    SCOPED_TRACE(from_text ? "from text" : "from bytes");
    path_ = folder_.file(from_text ? "text.db" : "bytes.db");
    if (from_text) {
      make_old_table();
    } else {
      SqliteReader(path_).exec(
          "CREATE TABLE renamed(id TEXT PRIMARY KEY, doc TEXT, token TEXT, cluster_time TEXT)");
    }
    auto sink = opened("{collection}");
    ASSERT_TRUE(put(*sink, 6));
    EventBatch batch, older, later;
    add_event(batch, change_event(7, "rename", "{}", R"({"to":{"db":"shop","coll":"renamed"}})"));
    add_event(older, change_of(6, "drop", "shop", "renamed"));
    add_event(later, change_of(8, "drop", "shop", "renamed"));
    for (int times = 0; times < 2; ++times) {
      ASSERT_TRUE(sink->write(batch.events(), position_at(7), {}));
      EXPECT_THAT(values("renamed"), ElementsAre("6"));
      EXPECT_THAT(values(), ElementsAre());
      EXPECT_THAT(rows(std::string("SELECT ") + (from_text ? kGuardsAsTokens : "token") + " FROM renamed"),
                  ElementsAre(token_hex(7)));
    }
    // A drop that is older than the rename leaves the row, a later one takes it.
    ASSERT_TRUE(sink->write(older.events(), position_at(6), {}));
    EXPECT_THAT(values("renamed"), ElementsAre("6"));
    ASSERT_TRUE(sink->write(later.events(), position_at(8), {}));
    EXPECT_THAT(values("renamed"), ElementsAre());
  }
}

}  // namespace
}  // namespace tidemark::testing
