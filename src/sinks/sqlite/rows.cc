#include "sinks/sqlite/rows.h"

#include "bson/json.h"

namespace tidemark::sqlite {
namespace {

// Prepared statements are kept for so many tables; a deployment may have any number of collections.
constexpr size_t kTablesMax = 512;

constexpr const char* kCurrentColumns = "id TEXT PRIMARY KEY, doc TEXT, token TEXT, cluster_time TEXT";
constexpr const char* kLogColumns =
    "token TEXT PRIMARY KEY, cluster_time TEXT, op TEXT, ns TEXT, id TEXT, doc TEXT, before TEXT, \"update\" "
    "TEXT";
// The same as PRAGMA table_info gives them back.
constexpr const char* kCurrentShape = "id TEXT PRIMARY KEY, doc TEXT, token TEXT, cluster_time TEXT";
constexpr const char* kLogShape =
    "token TEXT PRIMARY KEY, cluster_time TEXT, op TEXT, ns TEXT, id TEXT, doc TEXT, before TEXT, update "
    "TEXT";

constexpr const char* kGuardedUpdate =
    " ON CONFLICT(id) DO UPDATE SET doc = excluded.doc, token = excluded.token, cluster_time = "
    "excluded.cluster_time"
    " WHERE excluded.token > token";

}  // namespace

Status RowWriter::open(Database& database) {
  if (!pattern_.fixed()) return {};
  pattern_.expand({}, name_);
  if (auto made = table(database, name_.name); !made) return fail(std::move(made).error());
  return {};
}

WriteResult RowWriter::prepare(std::span<const Event> events) {
  if (mode_ == Mode::kLog) return {};
  return plan_.plan(events);
}

WriteResult RowWriter::write(Database& database, std::span<const Event> events) {
  return mode_ == Mode::kLog ? write_log(database, events) : write_current(database, events);
}

// --- tables

Result<RowWriter::Table*> RowWriter::table(Database& database, const std::string& name) {
  if (const auto found = tables_.find(name); found != tables_.end()) return &found->second;
  TIDEMARK_TRY(create(database, name));
  TIDEMARK_TRY(check_shape(database, name));
  const std::string target = quoted(name);
  Table table;
  if (mode_ == Mode::kLog) {
    TIDEMARK_ASSIGN(table.put, database.prepare("INSERT INTO " + target +
                                                "(token, cluster_time, op, ns, id, doc, before, "
                                                "\"update\") VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) "
                                                "ON CONFLICT(token) DO NOTHING"));
  } else {
    TIDEMARK_ASSIGN(table.put, database.prepare("INSERT INTO " + target +
                                                "(id, doc, token, cluster_time) "
                                                "VALUES(?1, ?2, ?3, ?4)" +
                                                kGuardedUpdate));
    TIDEMARK_ASSIGN(table.remove,
                    database.prepare("DELETE FROM " + target + " WHERE id = ?1 AND token < ?2"));
    TIDEMARK_ASSIGN(table.clear, database.prepare("DELETE FROM " + target + " WHERE token < ?1"));
  }
  if (tables_.size() >= kTablesMax) tables_.clear();
  return &tables_.emplace(name, std::move(table)).first->second;
}

Result<bool> RowWriter::exists(Database& database, const std::string& name) {
  if (tables_.contains(name)) return true;
  TIDEMARK_ASSIGN(Statement named,
                  database.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1"));
  return named.bind(1, name).step();
}

Status RowWriter::create(Database& database, const std::string& name) {
  auto created = database.exec("CREATE TABLE IF NOT EXISTS " + quoted(name) + "(" +
                               (mode_ == Mode::kLog ? kLogColumns : kCurrentColumns) + ")");
  if (created) return {};
  // SQLite's general error here means the name: reserved, or a view's.
  Error error = std::move(created).error();
  if (error.unknown) {
    error.react = React::kConfig;
    error.hint = "choose another name for the table";
  }
  return fail(std::move(error));
}

Status RowWriter::check_shape(Database& database, const std::string& name) {
  TIDEMARK_ASSIGN(Statement named, database.prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND "
                                                    "name = ?1 COLLATE NOCASE"));
  TIDEMARK_ASSIGN(const bool there, named.bind(1, name).step());
  if (there && named.text(0) != name && !pattern_.fixed()) {
    return fail(React::kConfig,
                "sqlite " + database.path() + ": table '" + name + "' exists as '" + named.text(0) +
                    "', and to SQLite both names are one",
                "two collections differ only in upper and lower case: give each its own pipeline and table");
  }
  named.reset();
  TIDEMARK_ASSIGN(Statement columns, database.prepare("SELECT name, type, pk FROM pragma_table_info(?1)"));
  columns.bind(1, name);
  std::string found;
  while (true) {
    TIDEMARK_ASSIGN(const bool more, columns.step());
    if (!more) break;
    if (!found.empty()) found += ", ";
    found += columns.text(0) + " " + columns.text(1);
    if (columns.integer(2) != 0) found += " PRIMARY KEY";
  }
  const std::string expected = mode_ == Mode::kLog ? kLogShape : kCurrentShape;
  if (found == expected) return {};
  return fail(React::kConfig,
              "sqlite " + database.path() + ": table '" + name + "' has another shape: expected (" +
                  expected + "), found (" + found + ")",
              "choose another table, or move this one out of the way: it is created when absent");
}

// --- mode current

WriteResult RowWriter::write_current(Database& database, std::span<const Event> events) {
  const auto failed_at = [&](Error error, const Event* event) {
    return write_failed(std::move(error), 0, static_cast<size_t>(event - events.data()));
  };
  for (const RowStep& step : plan_.steps()) {
    Table* rows = nullptr;
    uint32_t rows_of = 0;
    for (const RowChange& each : step.changes) {
      if (rows == nullptr || rows_of != each.table) {
        auto made = table(database, plan_.tables()[each.table].name);
        if (!made) return failed_at(std::move(made).error(), each.event);
        rows = *made;
        rows_of = each.table;
      }
      if (auto done = change(*rows, each); !done) return failed_at(std::move(done).error(), each.event);
    }
    if (auto done = barrier(database, step.barrier); !done)
      return failed_at(std::move(done).error(), step.barrier.event);
  }
  return {};
}

Status RowWriter::change(Table& table, const RowChange& change) {
  if (change.remove) return table.remove.bind(1, change.id).bind(2, change.event->id).run();
  doc_.clear();
  bson::append_json(change.event->after, bson::JsonMode::kCanonical, doc_);
  render_time(*change.event);
  return table.put.bind(1, change.id).bind(2, doc_).bind(3, change.event->id).bind(4, time_).run();
}

Status RowWriter::barrier(Database& database, const RowBarrier& barrier) {
  if (barrier.kind == RowBarrier::Kind::kNone) return {};
  if (barrier.kind == RowBarrier::Kind::kMove) return move(database, barrier);
  const std::string& name = plan_.tables()[barrier.table].name;
  TIDEMARK_ASSIGN(const bool there, exists(database, name));
  if (!there) return {};
  TIDEMARK_ASSIGN(Table * rows, table(database, name));
  return rows->clear.bind(1, barrier.event->id).run();
}

Status RowWriter::move(Database& database, const RowBarrier& barrier) {
  const std::string& from = plan_.tables()[barrier.table].name;
  const std::string& to = plan_.tables()[barrier.target].name;
  TIDEMARK_ASSIGN(const bool has_rows, exists(database, from));
  if (!has_rows) {
    TIDEMARK_ASSIGN(const bool has_target, exists(database, to));
    if (!has_target) return {};
    TIDEMARK_ASSIGN(Table * old, table(database, to));
    return old->clear.bind(1, barrier.event->id).run();
  }
  // Both must exist before either is used: making the second may drop the statements of the first.
  if (auto made = table(database, from); !made) return fail(std::move(made).error());
  TIDEMARK_ASSIGN(Table * target, table(database, to));
  TIDEMARK_TRY(target->clear.bind(1, barrier.event->id).run());
  TIDEMARK_ASSIGN(Statement copy,
                  database.prepare("INSERT INTO " + quoted(to) +
                                   "(id, doc, token, cluster_time) SELECT id, doc, ?1, ?2 FROM " +
                                   quoted(from) + " WHERE token < ?1" + kGuardedUpdate));
  render_time(*barrier.event);
  TIDEMARK_TRY(copy.bind(1, barrier.event->id).bind(2, time_).run());
  TIDEMARK_ASSIGN(Table * source, table(database, from));
  return source->clear.bind(1, barrier.event->id).run();
}

// --- mode log

WriteResult RowWriter::write_log(Database& database, std::span<const Event> events) {
  Table* rows = nullptr;
  Namespace rows_of;
  for (size_t i = 0; i < events.size(); ++i) {
    const Event& event = events[i];
    // An event of a whole database (or an invalidate, of nothing named) has no place among tables of one
    // collection each.
    if (pattern_.has_collection() && event.ns.collection.empty()) continue;
    if (pattern_.has_database() && event.ns.database.empty()) continue;
    if (rows == nullptr || (!pattern_.fixed() && event.ns != rows_of)) {
      pattern_.expand(event.ns, name_);
      auto made = table(database, name_.name);
      if (!made) return write_failed(std::move(made).error(), 0, i);
      rows = *made;
      rows_of = event.ns;
    }
    if (auto done = log(*rows, event); !done) return write_failed(std::move(done).error(), 0, i);
  }
  return {};
}

Status RowWriter::log(Table& table, const Event& event) {
  const auto bind_document = [&](int index, bson::View document, std::string& text) {
    if (!document) {
      table.put.bind_null(index);
      return;
    }
    text.clear();
    bson::append_json(document, bson::JsonMode::kCanonical, text);
    table.put.bind(index, text);
  };
  id_.clear();
  ns_.clear();
  update_.clear();
  append_ns(event.ns, ns_);
  render_time(event);
  table.put.bind(1, event.id).bind(2, time_).bind(3, event.op_name).bind(4, ns_);
  append_row_id(event, id_) ? table.put.bind(5, id_) : table.put.bind_null(5);
  bind_document(6, event.after, doc_);
  bind_document(7, event.before, before_);
  append_log_update(event, update_) ? table.put.bind(8, update_) : table.put.bind_null(8);
  return table.put.run();
}

void RowWriter::render_time(const Event& event) {
  if (event.cluster_time.seconds == time_of_ && !time_.empty()) return;
  time_of_ = event.cluster_time.seconds;
  time_.clear();
  bson::append_rfc3339(int64_t{event.cluster_time.seconds} * 1000, time_);
}

}  // namespace tidemark::sqlite
