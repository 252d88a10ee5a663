// Writes the rows of a batch into PostgreSQL with set-based statements: one statement carries up to a MiB of rows as
// binary arrays, and all statements of a batch travel in one pipeline. Knows nothing of positions and transactions. One
// thread; owned by one sink.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/event.h"
#include "core/row_guard.h"
#include "core/row_plan.h"
#include "core/sink.h"
#include "sinks/postgres/array.h"
#include "sinks/postgres/connection.h"
#include "sinks/postgres/jsonb_values.h"
#include "sinks/sql/settings.h"

namespace tidemark::postgres {

using sql::Mode;

inline constexpr const char* kLogColumns =
    "token text PRIMARY KEY, cluster_time timestamp with time zone, op text, ns text, id text, doc jsonb, "
    "before jsonb, "
    "\"update\" jsonb";

// "a < b", where both are guards of this form.
std::string older(GuardForm form, const std::string& a, const std::string& b);
// The end of an INSERT INTO ... AS t.
std::string guarded_update(GuardForm form);

class RowWriter {
 public:
  struct Options {
    TablePattern table;
    Mode mode = Mode::kCurrent;
    OnDrop on_drop = OnDrop::kApply;
    TableName owner_table;
    std::vector<TableName> reserved;  // tables that are the program's own
    std::string pipeline;
  };
  explicit RowWriter(Options options)
      : options_(std::move(options)),
        pattern_(options_.table),
        mode_(options_.mode),
        plan_(pattern_, options_.on_drop) {}

  // Creates the table when its name doesn't depend on the events, so that a table of another shape is found at the start.
  Status open(Connection& connection, std::stop_token stop);
  // Plans the batch and creates the tables it needs, each in a transaction of its own.
  WriteResult prepare(Connection& connection, std::span<const Event> events, std::stop_token stop);
  // Adds the statements of the prepared batch to the pipeline under way. An error is kReject (a document that jsonb can't
  // hold: end the pipeline with a rollback) or a lost connection.
  WriteResult add(Connection& connection, std::stop_token stop);
  // What every part of a write_in_parts() stands behind: `add` adds a statement to the pipeline that fails where this owner
  // was fenced, and `refusal` makes an error of that failure. Both empty for a sink without a position.
  struct Fence {
    std::function<Status()> add;
    std::function<std::optional<Error>(const PipelineEnd&)> refusal;
  };
  // Whether the batch clears or moves tables: that grows with the tables, and no statement and no transaction may.
  bool needs_parts() const;
  // Whether what went wrong is less likely in smaller statements.
  static bool parts_may_help(const PipelineEnd& end);
  // Instead of add(): writes the prepared batch in transactions of its own, each of one bounded statement. What was broken
  // off is done again and changes nothing twice: rows are guarded by their tokens.
  WriteResult write_in_parts(Connection& connection, const Fence& fence, std::stop_token stop);
  // After a pipeline failed with kReject at `statement`: which event it was. Tries parts of that statement in
  // transactions that it rolls back. REQUIRES no open transaction.
  WriteResult find_culprit(Connection& connection, const PipelineEnd& end, std::stop_token stop);
  // Forgets which tables exist.
  void forget() {
    known_.clear();
    owners_.clear();
  }

 private:
  struct Row {
    const Event* event;
    std::string_view id;
    bson::View if_key = {};  // of kRemoveIf
  };
  // One statement over rows_[begin, end), or one barrier.
  struct Work {
    enum class Kind { kPut, kRemove, kRemoveIf, kLog, kClear, kMoveClear, kMoveCopy, kFree, kOwn } kind;
    uint32_t table;   // index into tables_
    uint32_t target;  // of kMoveCopy
    size_t begin;
    size_t end;
    const Event* event;    // of a barrier
    size_t statement = 0;  // its place in the pipeline

    // It is as large as the table.
    bool grows() const { return kind == Kind::kClear || kind == Kind::kMoveClear || kind == Kind::kMoveCopy; }
  };

  void clear_tables();
  void add_table(const TableName& name);
  uint32_t table_index(const TableName& name);
  // Makes the tables that the works need and sees to their owners; leaves out the barriers that find no table, or another
  // collection's.
  WriteResult settle_tables(Connection& connection, std::stop_token stop);
  Status settle_barrier(Connection& connection, const Work& work, std::set<std::string>& freed,
                        std::vector<Work>& kept, std::stop_token stop);
  // The table for rows of `ns`, which owns it from now on. A reject where another does, or where no table can be.
  Status own(Connection& connection, uint32_t table, const Namespace& ns, const Event* event,
             const std::set<std::string>& freed, std::vector<Work>& kept, std::stop_token stop);
  Status give_back(const Work& work, std::set<std::string>& freed, std::vector<Work>& kept);
  Result<std::string> owner_of_missing(Connection& connection, const TableName& name, std::stop_token stop);
  Status check_not_dropped(Connection& connection, const TableName& name, const std::string& wanted,
                           std::stop_token stop);
  Status ensure(Connection& connection, uint32_t table, std::stop_token stop);
  void tell_text_guards(const Connection& connection, const TableName& name);
  // A table stands there, and its rows are of the collection that the event concerns.
  Result<bool> is_of(Connection& connection, uint32_t table, const Event& event, const Namespace& ns,
                     std::stop_token stop);
  Result<std::string> owner_of(Connection& connection, const TableName& name, std::stop_token stop);
  WriteResult failed_for(Error error, const Namespace& ns, const Event* event);
  bool is_reserved(const TableName& name) const;
  void lay_out_current();
  void lay_out_log();
  void lay_out_other_forms();
  void lay_out_rows(Work::Kind kind, uint32_t table, size_t begin);
  Status add_work(Connection& connection, const Work& work, size_t begin, size_t end, const Event*& at,
                  std::stop_token stop);
  Status add_put(Connection& connection, const Work& work, size_t begin, size_t end, const Event*& at,
                 std::stop_token stop);
  Status add_remove(Connection& connection, const Work& work, size_t begin, size_t end, std::stop_token stop);
  Status add_remove_if(Connection& connection, const Work& work, size_t begin, size_t end,
                       std::stop_token stop);
  Status add_log(Connection& connection, const Work& work, size_t begin, size_t end, const Event*& at,
                 std::stop_token stop);
  Status add_barrier(Connection& connection, const Work& work, uint64_t first_page, uint64_t end_page,
                     std::stop_token stop);
  PipelineEnd run_part(Connection& connection, const Fence& fence,
                       const std::function<Status()>& add_statement, std::stop_token stop);
  WriteResult write_rows(Connection& connection, const Work& work, const Fence& fence, std::stop_token stop);
  WriteResult write_barrier(Connection& connection, const Work& work, const Fence& fence,
                            std::stop_token stop);
  WriteResult find_culprit_in(Connection& connection, const Work& work, const Error& error,
                              std::stop_token stop);
  Status add_owner(Connection& connection, const Work& work, std::stop_token stop);
  void start_guards(GuardForm form);
  void add_guard(GuardForm form, const Event& event);
  Status add_document(ArrayParam& column, bson::View document);
  Status check_document(bson::View document, std::string_view json) const;
  Result<bool> fails(Connection& connection, const Work& work, size_t end, std::stop_token stop);
  size_t index_of(const Event* event) const { return static_cast<size_t>(event - events_.data()); }

  const Options options_;
  TablePattern pattern_;
  RefusedNames refused_;
  Mode mode_;
  RowPlan plan_;
  std::map<std::string, GuardForm> known_;     // tables that exist in the right shape
  std::map<std::string, std::string> owners_;  // of those, in mode current
  bool text_guards_told_ = false;

  // Of the present batch; the vectors keep their memory.
  std::span<const Event> events_;
  std::vector<TableName> tables_;
  std::vector<std::string> sql_names_;
  std::vector<GuardForm> guard_forms_;  // of those tables, once they are known to stand
  std::vector<Row> rows_;
  std::vector<Work> works_;
  std::deque<std::string> forms_;  // row keys of documents that have another one now
  ArrayParam ids_, docs_, tokens_, times_, ops_, namespaces_, befores_, updates_;
  std::string ids_text_, text_, token_, sql_;
};

}  // namespace tidemark::postgres
