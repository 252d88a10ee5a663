// What grows with a table or beside it, and what is taken away under the running sink.
#include <filesystem>

#include "base/log.h"
#include "sinks/sqlite/component.h"
#include "sinks/sqlite/database.h"
#include "sinks/sqlite/testing/support.h"

namespace tidemark::testing {
namespace {

class SqliteLimits : public SqliteTest {};

// --- what is replaced under its feet

enum class Loss { kRemoved, kMoved, kReplaced, kLogRemoved };

class SqliteLoss : public SqliteLimits, public ::testing::WithParamInterface<Loss> {
 protected:
  void lose() {
    namespace fs = std::filesystem;
    if (GetParam() == Loss::kLogRemoved) {
      fs::remove(path_ + "-wal");
    } else if (GetParam() == Loss::kMoved) {
      fs::rename(path_, path_ + ".moved");
    } else {
      fs::remove(path_);
    }
    if (GetParam() == Loss::kReplaced) SqliteReader(path_).exec("CREATE TABLE other(x)");
  }
};

TEST_P(SqliteLoss, NothingIsClaimedOfADatabaseThatIsNoLongerThere) {
  auto sink = opened(sqlite_settings(path_, "current"));
  ASSERT_TRUE(sink->write(inserts(1, 3)->events(), position_at(3), {}));
  lose();
  const auto written = sink->write(inserts(4, 3)->events(), position_at(6), {});
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().error.react, React::kConfig) << written.error().error.describe();
  EXPECT_NE(written.error().error.what.find(path_), std::string::npos) << written.error().error.describe();
  EXPECT_EQ(written.error().durable_prefix, 0u);
  // And trying again makes no new file in its place.
  EXPECT_FALSE(sink->open_and_load({"orders", "f", "d"}, {}));
}

TEST_P(SqliteLoss, NothingIsClaimedByALaneEither) {
  auto sink = sqlite_sink_component().plain(sqlite_settings(path_, "log"), context()).value();
  ASSERT_TRUE(sink->open({}));
  ASSERT_TRUE(sink->write(inserts(1, 3)->events(), {}));
  lose();
  const auto written = sink->write(inserts(4, 3)->events(), {});
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().error.react, React::kConfig) << written.error().error.describe();
  EXPECT_FALSE(sink->open({}));
}

INSTANTIATE_TEST_SUITE_P(Every, SqliteLoss,
                         ::testing::Values(Loss::kRemoved, Loss::kMoved, Loss::kReplaced, Loss::kLogRemoved));

TEST_F(SqliteLimits, APositionThatSomebodyDeletedIsNotTakenForAnotherInstanceNorForNone) {
  auto sink = opened(sqlite_settings(path_, "current"));
  ASSERT_TRUE(sink->write(inserts(1, 3)->events(), position_at(3), {}));
  SqliteReader(path_).exec("DELETE FROM tidemark_positions");
  const auto written = sink->write(inserts(4, 3)->events(), position_at(6), {});
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().error.react, React::kConfig) << written.error().error.describe();
  EXPECT_NE(written.error().error.what.find("is gone while the pipeline runs"), std::string::npos);
  EXPECT_FALSE(sink->open_and_load({"orders", "f", "d"}, {}));
}

// --- what grows with the table

TEST_F(SqliteLimits, ADropOfALargeTableNeverHoldsAllOfItInOneTransaction) {
  auto sink = opened(sqlite_settings(path_, "current"));
  ASSERT_TRUE(sink->write(inserts(1, 1)->events(), position_at(1), {}));
  SqliteReader(path_).exec(
      "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 100000) INSERT INTO orders "
      "SELECT 'old ' || i, printf('%.1000c', 'x'), x'81', '2023' FROM n; INSERT INTO orders VALUES('newer', "
      "'{}', x'83', "
      "'2023'); PRAGMA wal_checkpoint(TRUNCATE)");
  EventBatch batch;
  add_event(batch, change_event(2, "drop", "{}"));
  ASSERT_TRUE(write(*sink, batch, 2));
  EXPECT_EQ(rows("SELECT id FROM orders"), std::vector<std::string>{"newer"});
  EXPECT_LT(std::filesystem::file_size(path_ + "-wal"), uint64_t{80} << 20);
  EXPECT_EQ(rows("SELECT count(*) FROM tidemark_positions WHERE token LIKE '%" + token_hex(2) + "%'"),
            std::vector<std::string>{"1"});
}

TEST_F(SqliteLimits, ARenameOfALargeTableMovesEveryRowOnce) {
  auto sink = opened(sqlite_settings(path_, "current", "{collection}"));
  ASSERT_TRUE(sink->write(inserts(1, 1)->events(), position_at(1), {}));
  SqliteReader(path_).exec(
      "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 12345) INSERT INTO orders "
      "SELECT 'old ' || i, '{}', x'81', '2023' FROM n; CREATE TABLE renamed(id TEXT PRIMARY KEY, doc TEXT, "
      "token TEXT, "
      "cluster_time TEXT); INSERT INTO renamed SELECT 'before ' || i, '{}', '81', '2023' FROM (SELECT 1 AS i "
      "UNION "
      "SELECT 2)");
  EventBatch batch;
  add_event(batch, change_event(2, "rename", "{}", R"({"to":{"db":"shop","coll":"renamed"}})"));
  for (int times = 0; times < 2; ++times) {
    ASSERT_TRUE(write(*sink, batch, 2));
    EXPECT_EQ(rows("SELECT count(*), min(token), max(token) FROM renamed"),
              std::vector<std::string>{"12346 | " + token_hex(2) + " | " + token_hex(2)});
    EXPECT_EQ(rows("SELECT count(*) FROM orders"), std::vector<std::string>{"0"});
  }
}

class KeptLog final : public LogWriter {
 public:
  bool write(std::string_view line) override {
    text += line;
    return true;
  }
  Status reopen() override { return {}; }
  std::string text;
};

TEST_F(SqliteLimits, TheSinkTellsTheSizeOfTheLogBesideIts) {
  auto sink = opened(sqlite_settings(path_, "log"));
  const auto plain = sqlite_sink_component().plain(sqlite_settings(path_, "log"), context()).value();
  ASSERT_TRUE(write(*sink, *inserts(1, 50), 50));
  EXPECT_EQ(sink->wal_bytes(), std::filesystem::file_size(path_ + "-wal"));
  EXPECT_EQ(plain->wal_bytes(), sink->wal_bytes());
  EXPECT_GT(sink->wal_bytes(), 0u);
  sink->close();  // the last connection removes it
  EXPECT_FALSE(sink->wal_bytes());
}

TEST_F(SqliteLimits, ALogThatAReaderKeepsFromBeingEmptiedIsSaidAndGivenBackAfterwards) {
  const auto kept = std::make_shared<KeptLog>();
  init_log(LogLevel::kWarn, kept);
  sqlite::DatabaseOptions options;
  options.path = path_;
  options.checkpoint_pages = 50;
  options.wal_pages_warn = 200;
  options.synchronous_full = false;
  auto database = sqlite::Database::open(options, clock_).value();
  ASSERT_TRUE(database->exec("CREATE TABLE t(x)"));
  const auto grow = [&](int commits) {
    for (int i = 0; i < commits; ++i)
      ASSERT_TRUE(database->exec("INSERT INTO t VALUES(printf('%.8000c', 'x'))"));
  };
  grow(500);
  EXPECT_EQ(kept->text, "") << "nobody keeps the log from being emptied";
  SqliteReader reader(path_);
  reader.exec("BEGIN; SELECT count(*) FROM t");
  grow(500);
  EXPECT_NE(kept->text.find(path_ + "-wal has grown"), std::string::npos) << kept->text;
  EXPECT_NE(kept->text.find("keeps reading"), std::string::npos) << kept->text;
  const auto grown = std::filesystem::file_size(path_ + "-wal");
  reader.exec("COMMIT");
  grow(500);
  EXPECT_LT(std::filesystem::file_size(path_ + "-wal"), grown + (1 << 20)) << "the log doesn't begin anew";
  init_log(LogLevel::kOff);
}

TEST_F(SqliteLimits, ATableThatSomebodyDroppedIsNotMadeAnewEmptyAtTheNextStart) {
  for (const char* table : {"orders", "{collection}"}) {
    SCOPED_TRACE(table);
    path_ = folder_.file(std::string(table) + ".db");
    ASSERT_TRUE(write(*opened(sqlite_settings(path_, "current", table)), *inserts(1, 3), 3));
    SqliteReader(path_).exec("DROP TABLE orders");
    auto sink =
        sqlite_sink_component().transactional(sqlite_settings(path_, "current", table), context()).value();
    const auto start = sink->open_and_load({"orders", "f", "d"}, {});
    EXPECT_EQ(start.has_value(), std::string_view(table) != "orders");
    const auto written = start ? write(*sink, *inserts(4, 1), 4) : write_failed(start.error());
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().error.react, React::kConfig) << written.error().error.describe();
    for (const char* part : {"'orders' is gone", "shop.orders", "audit --repair"})
      EXPECT_NE(written.error().error.describe().find(part), std::string::npos)
          << written.error().error.describe();
    sink->close();
    // As the message says.
    SqliteReader(path_).exec("DELETE FROM \"tidemark_tables\" WHERE name = 'orders'");
    ASSERT_TRUE(write(*opened(sqlite_settings(path_, "current", table)), *inserts(4, 1), 4));
    EXPECT_EQ(rows("SELECT count(*) FROM orders"), std::vector<std::string>{"1"});
  }
}

TEST_F(SqliteLimits, ATableThatIsGoneIsGivenBackByADropOfItsCollectionAndNeverRenamedAway) {
  ASSERT_TRUE(write(*opened(sqlite_settings(path_, "current", "{collection}")), *inserts(1, 3), 3));
  SqliteReader(path_).exec("DROP TABLE orders");
  auto sink = opened(sqlite_settings(path_, "current", "{collection}"));
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

}  // namespace
}  // namespace tidemark::testing
