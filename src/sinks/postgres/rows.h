// Writes the rows of a batch into PostgreSQL with set-based statements: one statement carries up to a MiB of rows as
// binary arrays, and all statements of a batch travel in one pipeline. Knows nothing of positions and transactions. One
// thread; owned by one sink.
#pragma once

#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/event.h"
#include "core/row_plan.h"
#include "core/sink.h"
#include "sinks/postgres/array.h"
#include "sinks/postgres/connection.h"

namespace tidemark::postgres {

enum class Mode { kCurrent, kLog };

class RowWriter {
 public:
  RowWriter(TablePattern pattern, Mode mode, OnDrop on_drop)
      : pattern_(std::move(pattern)), mode_(mode), plan_(pattern_, on_drop) {}

  // Creates the table when its name doesn't depend on the events, so that a table of another shape is found at the start.
  Status open(Connection& connection, std::stop_token stop);
  // Plans the batch and creates the tables it needs, each in a transaction of its own.
  WriteResult prepare(Connection& connection, std::span<const Event> events, std::stop_token stop);
  // Adds the statements of the prepared batch to the pipeline under way. An error is kReject (a document that jsonb can't
  // hold: end the pipeline with a rollback) or a lost connection.
  WriteResult add(Connection& connection, std::stop_token stop);
  // After a pipeline failed with kReject at `statement`: which event it was. Tries parts of that statement in
  // transactions that it rolls back. REQUIRES no open transaction.
  WriteResult find_culprit(Connection& connection, const PipelineEnd& end, std::stop_token stop);
  // Forgets which tables exist.
  void forget() { known_.clear(); }

 private:
  struct Row {
    const Event* event;
    std::string_view id;
  };
  // One statement over rows_[begin, end), or one barrier.
  struct Work {
    enum class Kind { kPut, kRemove, kLog, kClear, kMoveClear, kMoveCopy } kind;
    uint32_t table;   // index into tables_
    uint32_t target;  // of kMoveCopy
    size_t begin;
    size_t end;
    const Event* event;    // of a barrier
    size_t statement = 0;  // its place in the pipeline
  };

  uint32_t table_index(const TableName& name);
  // Drops the barriers that find no table, which they must not make.
  Status drop_barriers_of_nothing(Connection& connection, std::stop_token stop);
  void lay_out_current();
  void lay_out_log();
  void lay_out_rows(Work::Kind kind, uint32_t table, size_t begin);
  Status add_work(Connection& connection, const Work& work, size_t begin, size_t end, const Event*& at,
                  std::stop_token stop);
  Status add_put(Connection& connection, const Work& work, size_t begin, size_t end, const Event*& at,
                 std::stop_token stop);
  Status add_remove(Connection& connection, const Work& work, size_t begin, size_t end, std::stop_token stop);
  Status add_log(Connection& connection, const Work& work, size_t begin, size_t end, const Event*& at,
                 std::stop_token stop);
  Status add_barrier(Connection& connection, const Work& work, std::stop_token stop);
  Status add_document(ArrayParam& column, bson::View document);
  Status check_document(std::string_view json) const;
  Result<bool> fails(Connection& connection, const Work& work, size_t end, std::stop_token stop);
  size_t index_of(const Event* event) const { return static_cast<size_t>(event - events_.data()); }

  TablePattern pattern_;
  Mode mode_;
  RowPlan plan_;
  std::set<std::string> known_;  // tables that exist in the right shape

  // Of the present batch; the vectors keep their memory.
  std::span<const Event> events_;
  std::vector<TableName> tables_;
  std::vector<std::string> sql_names_;
  std::vector<Row> rows_;
  std::vector<Work> works_;
  ArrayParam ids_, docs_, tokens_, times_, ops_, namespaces_, befores_, updates_;
  std::string ids_text_, text_, sql_;
};

// True when the text holds the escape of U+0000, which jsonb refuses.
bool contains_nul_escape(std::string_view json);

}  // namespace tidemark::postgres
