// The table of positions in PostgreSQL, one row a pipeline, and the lease on a row. One thread.
//
// A lease is a session that holds an advisory lock on (position table, pipeline), plus the epoch that it wrote into the
// row. The server gives the lock back when the session ends; the epoch refuses an owner whose session ended without
// its knowing. Both together also settle an ambiguous commit: once a new session has raised the epoch in the row, the
// old one has either committed before or never will.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/component.h"
#include "core/position_store.h"
#include "core/row_plan.h"
#include "sinks/postgres/connection.h"
#include "sinks/sql/position_row.h"

namespace tidemark::postgres {

using sql::PositionRow;

class PositionLease {
 public:
  PositionLease(ConnectionOptions options, std::string table, ComponentContext context);

  // Connects, takes the lock (kFenced when another session keeps it), raises the epoch and loads.
  Result<std::optional<StoredPosition>> acquire(const PositionContext& context, std::stop_token stop);
  // The same after a lost connection, and kFenced when another owner was there meanwhile.
  Result<std::optional<StoredPosition>> reacquire(std::stop_token stop);
  // Without a lease, over a connection of its own.
  Result<std::optional<StoredPosition>> peek(const std::string& pipeline, std::stop_token stop);
  void release() { connection_.reset(); }

  // Null without a lease and after a release.
  Connection* connection() { return connection_.get(); }
  bool ever_acquired() const { return row_.epoch > 0; }

  // Adds to a pipeline the statement that saves `position` (or, empty, erases it). It fails with is_fenced() where the
  // epoch is no longer ours, and so takes back the whole transaction without a round trip to look. REQUIRES a lease.
  Status add_save(const Position& position, int64_t now_ms, std::stop_token stop);
  // True when `end` is that failure of statement `statement`.
  static bool is_fenced(const PipelineEnd& end, size_t statement);
  Error fenced_error() const;
  // What is_fenced() means: another owner, or a row that somebody deleted. REQUIRES no open transaction.
  Error refusal(std::stop_token stop);
  // Of reacquire(): no later try has another outcome.
  static bool is_final(const Error& error);

  std::string where() const;

 private:
  Result<std::optional<StoredPosition>> take(std::optional<uint64_t> expected_epoch, std::stop_token stop);
  Status create_table(Connection& connection, std::stop_token stop);
  Status lock(Connection& connection, std::stop_token stop);
  Result<std::optional<PositionRow>> read_row(Connection& connection, const std::string& pipeline,
                                              bool for_update, std::stop_token stop);
  Result<std::optional<StoredPosition>> raise(Connection& connection, std::optional<uint64_t> expected_epoch,
                                              std::stop_token stop);
  Error gone_error(const Connection& connection, const std::string& how) const;
  std::string held_by(Connection& connection, std::stop_token stop);

  ConnectionOptions options_;
  TableName table_;
  ComponentContext context_;
  PositionContext position_context_;
  PositionRow row_;
  std::unique_ptr<Connection> connection_;
  std::string save_sql_;
};

class PostgresPositionStore final : public PositionStore {
 public:
  PostgresPositionStore(ConnectionOptions options, std::string table, ComponentContext context)
      : context_(context), lease_(std::move(options), std::move(table), std::move(context)) {}

  Result<std::optional<StoredPosition>> acquire(const PositionContext& context,
                                                std::stop_token stop) override {
    return lease_.acquire(context, std::move(stop));
  }
  Status save(const DurablePosition& position, std::stop_token stop) override;
  Result<std::optional<StoredPosition>> peek(const std::string& pipeline, std::stop_token stop) override {
    return lease_.peek(pipeline, std::move(stop));
  }
  Status erase(std::stop_token stop) override;
  void release() override { lease_.release(); }
  std::string describe() const override { return lease_.where(); }

 private:
  Status put(const Position& position, std::stop_token stop);

  ComponentContext context_;
  PositionLease lease_;
};

}  // namespace tidemark::postgres
