// The SQLite sink and its position store through the suites that every implementation passes.
#include <filesystem>
#include <optional>

#include <sqlite3.h>

#include "conformance/current_rows_contract.h"
#include "conformance/position_store_contract.h"
#include "conformance/sink_contract.h"
#include "conformance/transactional_sink_contract.h"
#include "sinks/sqlite/positions.h"
#include "sinks/sqlite/testing/faulty_vfs.h"
#include "sinks/sqlite/testing/support.h"

namespace tidemark::testing {
namespace {

// A clock whose waits end what they wait for: the holder of the database's lock gives it back, and the waiter
// is told that it waited in vain. So one transaction fails, and the next doesn't.
class LockingClock final : public Clock {
 public:
  Mono now() const override { return real_.now(); }
  WallMs wall_ms() const override { return real_.wall_ms(); }
  bool sleep_until(Mono, std::stop_token) override {
    holder_.reset();
    return false;
  }
  void hold(const std::string& path) {
    holder_ = std::make_unique<SqliteReader>(path);
    holder_->exec("BEGIN IMMEDIATE");
  }

 private:
  PosixClock real_;
  std::unique_ptr<SqliteReader> holder_;
};

struct Base {
  std::optional<std::string> unavailable() { return std::nullopt; }
  ComponentContext context() { return {"orders", &clock, &files}; }
  void break_lease() { std::filesystem::remove(sqlite::lock_path(path, "orders")); }

  TempFolder folder;
  std::string path = folder.file("sink.db");
  PosixFileSystem files;
  LockingClock clock;
};

struct StoreHarness : Base {
  std::shared_ptr<PositionStore> make() {
    return sqlite_sink_component().own_positions(sqlite_settings(path, "log"), context()).value();
  }
  bool corrupt() {
    SqliteReader(path).exec("UPDATE tidemark_positions SET token = '82FF'");
    return true;
  }
  bool fail_next_save() {
    clock.hold(path);
    return true;
  }
};

template <bool kLog>
struct TransactionalHarness : Base {
  std::shared_ptr<TransactionalSink> make() {
    return sqlite_sink_component()
        .transactional(sqlite_settings(path, kLog ? "log" : "current"), context())
        .value();
  }
  std::vector<std::string> ids() {
    return SqliteReader(path).column(std::string("SELECT ") + (kLog ? "token" : kGuardsAsTokens) +
                                     " FROM orders ORDER BY token");
  }
  bool fail_next_write() {
    clock.hold(path);
    return true;
  }
  bool lose_next_answer() { return false; }
};

struct OwnStoreHarness : StoreHarness {
  std::shared_ptr<PositionStore> make() {
    std::shared_ptr<TransactionalSink> sink =
        sqlite_sink_component().transactional(sqlite_settings(path, "log"), context()).value();
    return {sink, &sink->position_store()};
  }
};

template <bool kLog>
struct LaneHarness : Base {
  std::shared_ptr<Sink> make() {
    return sqlite_sink_component().plain(sqlite_settings(path, kLog ? "log" : "current"), context()).value();
  }
  std::vector<std::string> ids() {
    vfs.heal();
    return SqliteReader(path).column(std::string("SELECT ") + (kLog ? "token" : kGuardsAsTokens) +
                                     " FROM orders ORDER BY rowid");
  }
  bool fail_operation(int n) {
    vfs.fail_operation(n, n % 2 == 0);
    return true;
  }
  bool fault_was_hit() { return vfs.fault_was_hit(); }
  // What was written stays written: a kill of the process, not of the machine.
  void crash() { vfs.heal(); }

  FaultyVfs vfs;
};

struct TextGuardHarness : LaneHarness<false> {
  std::shared_ptr<Sink> make() {
    SqliteReader(path).exec(kTextGuardTable);
    return LaneHarness::make();
  }
  std::vector<std::string> ids() {
    vfs.heal();
    return SqliteReader(path).column("SELECT token FROM orders ORDER BY rowid");
  }
};

INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, PositionStoreContract, StoreHarness);
INSTANTIATE_TYPED_TEST_SUITE_P(SqliteSinksOwn, PositionStoreContract, OwnStoreHarness);
INSTANTIATE_TYPED_TEST_SUITE_P(SqliteCurrent, TransactionalSinkContract, TransactionalHarness<false>);
INSTANTIATE_TYPED_TEST_SUITE_P(SqliteLog, TransactionalSinkContract, TransactionalHarness<true>);
INSTANTIATE_TYPED_TEST_SUITE_P(SqliteCurrentLane, SinkContract, LaneHarness<false>);
INSTANTIATE_TYPED_TEST_SUITE_P(SqliteLane, CurrentRowsContract, LaneHarness<false>);
INSTANTIATE_TYPED_TEST_SUITE_P(SqliteTextGuards, CurrentRowsContract, TextGuardHarness);
INSTANTIATE_TYPED_TEST_SUITE_P(SqliteTextGuardsLane, SinkContract, TextGuardHarness);
INSTANTIATE_TYPED_TEST_SUITE_P(SqliteLogLane, SinkContract, LaneHarness<true>);

// A fault at every single write and sync of a run, before and after it takes effect: whatever the sink answered, its word
// about the position is true, and going on from there loses and doubles nothing.
TEST(SqliteFaults, EveryAnswerAboutACommitIsTrue) {
  for (const bool done : {false, true}) {
    bool hit = true;
    for (int n = 0; hit; ++n) {
      ASSERT_LT(n, 1000) << "the work never ends";
      SCOPED_TRACE("fault at operation " + std::to_string(n) + (done ? ", carried out" : ", torn"));
      FaultyVfs vfs;
      Base base;
      auto sink =
          sqlite_sink_component().transactional(sqlite_settings(base.path, "log"), base.context()).value();
      vfs.fail_operation(n, done);
      uint32_t written = 0;
      for (int attempt = 0; attempt < 6 && written < 6;) {
        auto loaded = sink->open_and_load({"orders", "f", "d"}, {});
        if (!loaded) {
          ASSERT_EQ(loaded.error().react, React::kRetry) << loaded.error().describe();
          ++attempt;
          continue;
        }
        // Acknowledged is stored; and nothing else is.
        const Position expected = written == 0 ? Position() : position_at(written);
        const Position stored = *loaded ? (**loaded).position : Position();
        const bool unheard = stored == position_at(written + 3);
        ASSERT_TRUE(stored == expected || unheard);
        if (unheard) written += 3;
        while (written < 6) {
          auto answer = sink->write(inserts(written + 1, 3)->events(), position_at(written + 3), {});
          if (!answer) {
            ASSERT_EQ(answer.error().error.react, React::kRetry) << answer.error().error.describe();
            ++attempt;
            break;
          }
          written += 3;
        }
      }
      hit = vfs.fault_was_hit();
      vfs.heal();
      EXPECT_EQ(written, 6u);
      EXPECT_EQ(
          SqliteReader(base.path).column("SELECT count(*), count(DISTINCT token), max(token) FROM orders"),
          std::vector<std::string>{"6 | 6 | " + token_hex(6)});
      if (::testing::Test::HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace tidemark::testing
