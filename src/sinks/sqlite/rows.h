// Writes the rows of a batch into SQLite: creates the tables, checks the shape of those that stand there,
// runs the guarded statements. Knows nothing of positions and transactions. One thread; owned by one sink.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <span>
#include <string>

#include "base/result.h"
#include "core/event.h"
#include "core/row_guard.h"
#include "core/row_plan.h"
#include "core/sink.h"
#include "sinks/sql/settings.h"
#include "sinks/sqlite/database.h"

namespace tidemark::sqlite {

using sql::Mode;

// The columns of mode `current`, as a table is made and as PRAGMA table_info gives them back.
inline constexpr const char* kCurrentColumns = "id TEXT PRIMARY KEY, doc TEXT, token BLOB, cluster_time TEXT";
// Those of tables that were made when guards were texts: they stay as they are, and work.
inline constexpr const char* kTextGuardColumns =
    "id TEXT PRIMARY KEY, doc TEXT, token TEXT, cluster_time TEXT";

// As SQLite compares the names of tables.
std::string lower_case(std::string text);

class RowWriter {
 public:
  struct Options {
    TablePattern table;
    Mode mode = Mode::kCurrent;
    OnDrop on_drop = OnDrop::kApply;
    std::string owner_table;
    std::set<std::string> reserved;  // tables that are the program's own, in lower case
    std::string pipeline;
  };
  explicit RowWriter(Options options)
      : options_(std::move(options)),
        pattern_(options_.table),
        mode_(options_.mode),
        plan_(pattern_, options_.on_drop) {}

  // Creates the table when its name doesn't depend on the events, so that a table of another shape is found
  // at the start.
  Status open(Database& database);
  // What can be refused without touching the database. REQUIRES: write() of the same events comes next.
  WriteResult prepare(std::span<const Event> events);
  // Whether the prepared batch clears or moves tables: that grows with the tables, and no transaction may.
  bool needs_parts() const;
  // Commits what was written and begins the next transaction.
  using NextPart = std::function<Status()>;
  // REQUIRES prepare(events) and an open transaction; the caller commits. Where the batch needs parts, `next_part` is called
  // between them. After an error the caller rolls back and calls forget(); what is written already changes nothing twice.
  WriteResult write(Database& database, std::span<const Event> events, const NextPart& next_part);
  // Drops the prepared statements: they don't outlive a database, nor tables that a rollback took back.
  void forget() { tables_.clear(); }

 private:
  struct Table {
    GuardForm guards = GuardForm::kBytes;  // current
    Statement put;                         // current: the upsert; log: the insert
    Statement remove;                      // current
    Statement look;                        // current: document and guard of a row
    Statement clear;                       // current: of a range of ids
    Statement range;                       // current: the last id of the next rows
    std::string owner;                     // current: the collection whose rows it holds, once that is known
  };

  Result<Table*> table(Database& database, const std::string& name);
  // A reject for one of the program's own.
  Result<Table*> destination_table(Database& database, const std::string& name);
  // The table for rows of `ns`, which owns it from now on. A reject where another does, or where no table can be.
  Result<Table*> owned_table(Database& database, const std::string& name, const Namespace& ns);
  Status claim(Database& database, const std::string& name, const Namespace& ns, std::string& owner);
  // Empty where nobody has written into it.
  Result<std::string> owner_of(Database& database, const std::string& name);
  Status check_not_dropped(Database& database, const std::string& name, const std::string& wanted);
  Status give_back_missing(Database& database, const std::string& name, const Event& event,
                           const Namespace& ns);
  Status free_table(Database& database, const std::string& name);
  WriteResult failed_for(Error error, const Namespace& ns, size_t culprit);
  bool is_reserved(const std::string& name) const;
  // False where no table stands, which a barrier must not make.
  Result<bool> exists(Database& database, const std::string& name);
  Status create(Database& database, const std::string& name);
  Result<GuardForm> check_shape(Database& database, const std::string& name);
  // Binds the event's guard, which stays in token_ until the next.
  void bind_guard(Statement& statement, int index, GuardForm form, const Event& event);
  void tell_text_guards(const Database& database, const std::string& name);
  Status change(Table& table, const RowChange& change);
  Status remove_other_forms(Table& table, const RowChange& change);
  Result<bool> is_meant(Table& table, const RowChange& change);
  Status barrier(Database& database, const RowBarrier& barrier, const NextPart& next_part);
  Status move(Database& database, const RowBarrier& barrier, const NextPart& next_part);
  Status clear(Database& database, const std::string& name, const Event& event, const Namespace& ns,
               const NextPart& next_part);
  // The next range of ids behind `after`, up to and including `last`; false at the end.
  Result<bool> next_range(Table& table, const std::string& after, std::string& last);
  // A table stands there, and its rows are of the collection that the event concerns.
  Result<bool> is_of(Database& database, const std::string& name, const Event& event, const Namespace& ns);
  WriteResult write_current(Database& database, std::span<const Event> events, const NextPart& next_part);
  WriteResult write_log(Database& database, std::span<const Event> events);
  Status log(Table& table, const Event& event);
  void render_time(const Event& event);

  const Options options_;
  TablePattern pattern_;
  RefusedNames refused_;
  bool text_guards_told_ = false;
  Mode mode_;
  RowPlan plan_;
  std::map<std::string, Table, std::less<>> tables_;
  // Reused for every row.
  TableName name_;
  std::string doc_, before_, update_, id_, ns_, token_;
  std::string time_;  // of the second `time_of_`: many rows in a row share it
  uint32_t time_of_ = 0;
};

}  // namespace tidemark::sqlite
