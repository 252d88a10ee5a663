// The end that audits SQLite through the suite that every one passes, and what is its own: the writer isn't disturbed.
#include "conformance/audit_end_contract.h"
#include "sinks/sqlite/component.h"
#include "sinks/sqlite/testing/support.h"

namespace tidemark::testing {
namespace {

struct SqliteAudit {
  std::optional<std::string> unavailable() { return std::nullopt; }
  ComponentContext context() { return {"orders", &clock, &files}; }
  std::string path() const { return folder.path() + "/orders.db"; }
  config::Settings settings() const { return sqlite_settings(path(), "current", "{collection}"); }

  std::shared_ptr<Sink> make_sink() { return sqlite_sink_component().plain(settings(), context()).value(); }
  std::unique_ptr<AuditEnd> make_end() {
    return sqlite_sink_component().audit(settings(), context()).value();
  }
  std::unique_ptr<AuditEnd> make_end_away() {
    return sqlite_sink_component()
        .audit(sqlite_settings(folder.path() + "/none.db", "current"), context())
        .value();
  }
  Result<std::unique_ptr<AuditEnd>> make_end_of_events() {
    return sqlite_sink_component().audit(sqlite_settings(path(), "log"), context());
  }
  void twist(const std::string& id) {
    SqliteReader(path()).exec(
        R"(UPDATE orders SET doc = replace(doc, '"n":{"$numberInt"', '"n":{"$numberLong"') WHERE id = ')" +
        id + "'");
  }
  bool put_text(const std::string& id, const std::string& text) {
    SqliteReader(path()).exec("UPDATE orders SET doc = '" + text + "' WHERE id = '" + id + "'");
    return true;
  }
  bool put_other_shape(const std::string& collection) {
    SqliteReader(path()).exec("CREATE TABLE " + collection + "(id INTEGER PRIMARY KEY, doc TEXT)");
    return true;
  }

  TempFolder folder;
  PosixFileSystem files;
  PosixClock clock;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, AuditEndContract, SqliteAudit);

class SqliteAuditEnd : public AuditEndContract<SqliteAudit> {};

TEST_F(SqliteAuditEnd, AFixedTableOfAnotherShapeIsFoundWhenItIsOpened) {
  harness.put_other_shape("orders");
  auto end =
      sqlite_sink_component().audit(sqlite_settings(harness.path(), "current"), harness.context()).value();
  const Status opened = end->open({});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().react, React::kConfig);
}

TEST_F(SqliteAuditEnd, AScanUnderWayNeitherBlocksAWriterNorHoldsTheLogBack) {
  write(audited_documents());
  auto end = opened();
  std::string last;
  auto page = end->scan(orders, {}, last, 3, [](const AuditRow&) { return Status(); }, {});
  ASSERT_TRUE(page);
  ASSERT_FALSE(page->done);
  // Between two pages nothing of the scan is open: rows are written, and the whole log can be checkpointed and begun anew.
  write(random_documents(1, 50));
  EXPECT_EQ(SqliteReader(harness.path()).column("PRAGMA wal_checkpoint(TRUNCATE)"),
            std::vector<std::string>{"0 | 0 | 0"});
  for (last = page->last_id; !page->done; last = page->last_id) {
    page = end->scan(orders, {}, last, 3, [](const AuditRow&) { return Status(); }, {});
    ASSERT_TRUE(page);
  }
}

TEST_F(SqliteAuditEnd, ItCannotWrite) {
  write(audited_documents());
  auto end = opened();
  // A visitor that writes by another connection while a page is read isn't refused: readers and the writer don't wait for
  // each other.
  bool written = false;
  const auto page =
      end->scan(orders, {}, "", 100,
                [&](const AuditRow&) -> Status {
                  if (!written) SqliteReader(harness.path()).exec("DELETE FROM orders WHERE id = '\"text\"'");
                  written = true;
                  return {};
                },
                {});
  ASSERT_TRUE(page);
  EXPECT_EQ(SqliteReader(harness.path()).column("SELECT count(*) FROM orders"),
            std::vector<std::string>{std::to_string(expected.size() - 1)});
}

TEST_F(SqliteAuditEnd, RowsOfManyPagesAreSummedOnceEach) {
  auto sink = harness.make_sink();
  ASSERT_TRUE(sink->open({}));
  constexpr uint32_t kRows = 9'000;
  for (uint32_t first = 1; first <= kRows; first += 1'000)
    ASSERT_TRUE(sink->write(inserts(first, 1'000)->events(), {}));
  auto end = opened();
  const AuditBuckets buckets{"created_at", 1000};
  const auto sums = end->sums(orders, buckets, {});
  ASSERT_TRUE(sums && *sums);
  EXPECT_EQ((*sums)->by_bucket.at(std::nullopt).count, kRows);
  EXPECT_TRUE((*sums)->by_leaf == sums_of(scan(*end, buckets, 777), buckets).by_leaf);
}

}  // namespace
}  // namespace tidemark::testing
