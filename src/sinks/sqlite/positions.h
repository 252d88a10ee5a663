// The table of positions in SQLite: one row a pipeline. PositionTable works on a connection that somebody
// else owns, so that a sink can save inside its own transaction; SqlitePositionStore is the PositionStore
// with a connection of its own. One thread.
//
// Two things keep a second instance out: a lock file beside the database, which the operating system gives
// back however the owner ends, and the epoch in the row, which refuses an owner that lost the lock without
// knowing.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "core/component.h"
#include "core/position_store.h"
#include "sinks/sql/position_row.h"
#include "sinks/sqlite/database.h"

namespace tidemark::sqlite {

using sql::PositionRow;

class PositionTable {
 public:
  explicit PositionTable(std::string table) : table_(std::move(table)) {}

  // Creates the table when absent; kConfig when one of another shape stands there.
  Status create(Database& database);
  // Raises the epoch, which fences every owner before, and loads. In a transaction of its own.
  Result<std::optional<StoredPosition>> take(Database& database, const PositionContext& context);
  // In the caller's transaction. kFenced when the epoch is no longer the stored one. REQUIRES take().
  Status save(Database& database, const Position& position, int64_t now_ms);
  Status erase(Database& database);
  Result<std::optional<StoredPosition>> read(Database& database, const std::string& pipeline);

  const std::string& name() const { return table_; }
  std::string where(const Database& database) const;
  // kConfig for a position that was there and isn't any more; `how` it went. REQUIRES take().
  Error gone(const Database& database, const std::string& how) const;

 private:
  Result<std::optional<PositionRow>> read_row(Database& database, const std::string& pipeline);
  Result<std::optional<StoredPosition>> take_in_transaction(Database& database);
  Status update(Database& database);

  std::string table_;
  PositionContext context_;
  PositionRow row_;  // what the row holds while this owner lives
};

class SqlitePositionStore final : public PositionStore {
 public:
  SqlitePositionStore(DatabaseOptions options, std::string table, ComponentContext context);
  ~SqlitePositionStore() override;

  Result<std::optional<StoredPosition>> acquire(const PositionContext& context,
                                                std::stop_token stop) override;
  Status save(const DurablePosition& position, std::stop_token stop) override;
  Result<std::optional<StoredPosition>> peek(const std::string& pipeline, std::stop_token stop) override;
  Status erase(std::stop_token stop) override;
  void release() override;
  std::string describe() const override;

 private:
  DatabaseOptions options_;
  ComponentContext context_;
  PositionTable table_;
  std::unique_ptr<FileLock> lock_;
  std::unique_ptr<Database> database_;
};

// "orders.db.orders.lock": the lock file of one pipeline beside the database.
std::string lock_path(const std::string& database_path, const std::string& pipeline);

}  // namespace tidemark::sqlite
