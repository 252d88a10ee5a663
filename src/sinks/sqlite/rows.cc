#include "sinks/sqlite/rows.h"

#include <algorithm>

#include "base/log.h"
#include "bson/json.h"
#include "bson/json_reader.h"
#include "core/row_identity.h"

namespace tidemark::sqlite {
namespace {

// Prepared statements are kept for so many tables; a deployment may have any number of collections.
constexpr size_t kTablesMax = 512;
// So many rows of a table that is cleared or moved are one transaction: the log of the database holds all pages that a
// transaction touches, and every other process waits for it.
constexpr int kPartRows = 5000;

constexpr const char* kLogColumns =
    "token TEXT PRIMARY KEY, cluster_time TEXT, op TEXT, ns TEXT, id TEXT, doc TEXT, before TEXT, \"update\" "
    "TEXT";
// The same as PRAGMA table_info gives them back.
constexpr const char* kLogShape =
    "token TEXT PRIMARY KEY, cluster_time TEXT, op TEXT, ns TEXT, id TEXT, doc TEXT, before TEXT, update "
    "TEXT";

// SQLite takes names that differ in the case of a-z alone for one.
constexpr const char* kOwnerColumns = "(name TEXT PRIMARY KEY COLLATE NOCASE, namespace TEXT, pipeline TEXT)";

constexpr const char* kGuardedUpdate =
    " ON CONFLICT(id) DO UPDATE SET doc = excluded.doc, token = excluded.token, cluster_time = "
    "excluded.cluster_time"
    " WHERE excluded.token > token";

}  // namespace

std::string lower_case(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

Status RowWriter::open(Database& database) {
  refused_.clear();
  if (mode_ == Mode::kCurrent)
    TIDEMARK_TRY(database.exec("CREATE TABLE IF NOT EXISTS " + quoted(options_.owner_table) + kOwnerColumns));
  if (!pattern_.fixed()) return {};
  pattern_.expand({}, name_);
  TIDEMARK_TRY(check_not_dropped(database, name_.name, {}));
  if (auto made = table(database, name_.name); !made) return fail(std::move(made).error());
  return {};
}

WriteResult RowWriter::prepare(std::span<const Event> events) {
  if (mode_ == Mode::kLog) return {};
  return plan_.plan(events, &refused_);
}

bool RowWriter::needs_parts() const {
  if (mode_ == Mode::kLog) return false;
  return std::any_of(plan_.steps().begin(), plan_.steps().end(),
                     [](const RowStep& step) { return step.barrier.kind != RowBarrier::Kind::kNone; });
}

WriteResult RowWriter::write(Database& database, std::span<const Event> events, const NextPart& next_part) {
  return mode_ == Mode::kLog ? write_log(database, events) : write_current(database, events, next_part);
}

// --- tables

Result<RowWriter::Table*> RowWriter::table(Database& database, const std::string& name) {
  if (const auto found = tables_.find(name); found != tables_.end()) return &found->second;
  TIDEMARK_TRY(create(database, name));
  Table table;
  TIDEMARK_ASSIGN(table.guards, check_shape(database, name));
  if (mode_ == Mode::kCurrent && table.guards == GuardForm::kText) tell_text_guards(database, name);
  const std::string target = quoted(name);
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
    TIDEMARK_ASSIGN(table.look, database.prepare("SELECT doc, token FROM " + target + " WHERE id = ?1"));
    TIDEMARK_ASSIGN(table.clear,
                    database.prepare("DELETE FROM " + target + " WHERE id > ?2 AND id <= ?3 AND token < ?1"));
    TIDEMARK_ASSIGN(table.range,
                    database.prepare("SELECT max(id) FROM (SELECT id FROM " + target +
                                     " WHERE id > ?1 ORDER BY id LIMIT " + std::to_string(kPartRows) + ")"));
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
    error.react = pattern_.fixed() ? React::kConfig : React::kReject;
    error.hint = "choose another name for the table";
  }
  return fail(std::move(error));
}

// Once, and of one table: a database may have thousands.
void RowWriter::tell_text_guards(const Database& database, const std::string& name) {
  if (std::exchange(text_guards_told_, true)) return;
  log::info(
      "{}: sqlite {}: table '{}' was made when guards were texts, and keeps them: it works as before. Bytes "
      "take a tenth of "
      "their room (about 150 bytes a row), in a table that is made anew: see \"upgrading\" in "
      "docs/operating.md",
      options_.pipeline, database.path(), name);
}

Result<GuardForm> RowWriter::check_shape(Database& database, const std::string& name) {
  TIDEMARK_ASSIGN(Statement named, database.prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND "
                                                    "name = ?1 COLLATE NOCASE"));
  TIDEMARK_ASSIGN(const bool there, named.bind(1, name).step());
  // A log keeps the namespace in each row, so that one table may hold both; rows of documents have an owner.
  const std::string same = there ? named.text(0) : name;
  named.reset();
  TIDEMARK_ASSIGN(Statement columns, database.prepare("SELECT name, type, pk FROM pragma_table_info(?1)"));
  columns.bind(1, same);
  std::string found;
  while (true) {
    TIDEMARK_ASSIGN(const bool more, columns.step());
    if (!more) break;
    if (!found.empty()) found += ", ";
    found += columns.text(0) + " " + columns.text(1);
    if (columns.integer(2) != 0) found += " PRIMARY KEY";
  }
  const std::string expected = mode_ == Mode::kLog ? kLogShape : kCurrentColumns;
  if (found == expected) return GuardForm::kBytes;
  if (mode_ == Mode::kCurrent && found == kTextGuardColumns) return GuardForm::kText;
  return fail(pattern_.fixed() ? React::kConfig : React::kReject,
              "sqlite " + database.path() + ": table '" + name + "' has another shape: expected (" +
                  expected + "), found (" + found + ")",
              "choose another table, or move this one out of the way: it is created when absent");
}

// --- mode current

WriteResult RowWriter::write_current(Database& database, std::span<const Event> events,
                                     const NextPart& next_part) {
  const auto failed_at = [&](Error error, const Event* event) {
    return write_failed(std::move(error), 0, static_cast<size_t>(event - events.data()));
  };
  for (const RowStep& step : plan_.steps()) {
    Table* rows = nullptr;
    uint32_t rows_of = 0;
    for (const RowChange& each : step.changes) {
      if (rows == nullptr || rows_of != each.table) {
        auto made = owned_table(database, plan_.tables()[each.table].name, each.event->ns);
        if (!made)
          return failed_for(std::move(made).error(), each.event->ns,
                            static_cast<size_t>(each.event - events.data()));
        rows = *made;
        rows_of = each.table;
      }
      if (auto done = change(*rows, each); !done) return failed_at(std::move(done).error(), each.event);
    }
    if (auto done = barrier(database, step.barrier, next_part); !done) {
      if (step.barrier.kind != RowBarrier::Kind::kMove)
        return failed_at(std::move(done).error(), step.barrier.event);
      return failed_for(std::move(done).error(), step.barrier.event->to,
                        static_cast<size_t>(step.barrier.event - events.data()));
    }
  }
  return {};
}

Status RowWriter::change(Table& table, const RowChange& change) {
  if (change.replaces_forms) TIDEMARK_TRY(remove_other_forms(table, change));
  if (change.remove) {
    if (change.if_key) {
      TIDEMARK_ASSIGN(const bool meant, is_meant(table, change));
      if (!meant) return {};
    }
    bind_guard(table.remove, 2, table.guards, *change.event);
    return table.remove.bind(1, change.id).run();
  }
  doc_.clear();
  bson::append_json(change.event->after, bson::JsonMode::kCanonical, doc_);
  token_.clear();
  append_row_guard(table.guards, *change.event, token_);
  table.guards == GuardForm::kText ? table.put.bind(3, token_) : table.put.bind_blob(3, token_);
  render_time(*change.event);
  return table.put.bind(1, change.id).bind(2, doc_).bind(4, time_).run();
}

void RowWriter::bind_guard(Statement& statement, int index, GuardForm form, const Event& event) {
  token_.clear();
  append_guard(form, event.id, token_);
  form == GuardForm::kText ? statement.bind(index, token_) : statement.bind_blob(index, token_);
}

Status RowWriter::remove_other_forms(Table& table, const RowChange& change) {
  const auto id = row_id(*change.event);
  if (!id) return {};
  bind_guard(table.remove, 2, table.guards, *change.event);
  for (const std::string& form : other_forms(*id)) TIDEMARK_TRY(table.remove.bind(1, form).run());
  return {};
}

// Whether the row is the document that the delete names by its shard key.
Result<bool> RowWriter::is_meant(Table& table, const RowChange& change) {
  TIDEMARK_ASSIGN(const bool there, table.look.bind(1, change.id).step());
  if (!there) return false;
  doc_ = table.look.text_view(0);
  token_ = table.look.blob_view(1);
  table.look.reset();
  if (const std::string_view kept = shard_key_of_guard(table.guards, token_); !kept.empty()) {
    std::string meant;
    append_shard_key(change.if_key, meant);
    return kept == meant;
  }
  // Text that is no document is somebody else's; it goes as it went before.
  const auto document = bson::read_json(doc_);
  return !document || matches_shard_key(change.if_key, *document);
}

Status RowWriter::barrier(Database& database, const RowBarrier& barrier, const NextPart& next_part) {
  if (barrier.kind == RowBarrier::Kind::kNone) return {};
  if (barrier.kind == RowBarrier::Kind::kMove) return move(database, barrier, next_part);
  return clear(database, plan_.tables()[barrier.table].name, *barrier.event, barrier.event->ns, next_part);
}

Result<bool> RowWriter::next_range(Table& table, const std::string& after, std::string& last) {
  TIDEMARK_ASSIGN(const bool any, table.range.bind(1, after).step());
  last = any ? table.range.text(0) : std::string();
  table.range.reset();
  return !last.empty();
}

// Removes what is older than the event from the table, if that is of the collection it concerns. By ranges of the key: what
// was broken off goes on with the rows that are left.
Status RowWriter::clear(Database& database, const std::string& name, const Event& event, const Namespace& ns,
                        const NextPart& next_part) {
  TIDEMARK_ASSIGN(const bool there, is_of(database, name, event, ns));
  if (!there) return give_back_missing(database, name, event, ns);
  TIDEMARK_ASSIGN(Table * rows, table(database, name));
  std::string after, last;
  while (true) {
    TIDEMARK_ASSIGN(const bool more, next_range(*rows, after, last));
    if (!more) break;
    bind_guard(rows->clear, 1, rows->guards, event);
    TIDEMARK_TRY(rows->clear.bind(2, after).bind(3, last).run());
    TIDEMARK_TRY(next_part());
    after.swap(last);
  }
  return frees_table(event) && ns == event.ns ? free_table(database, name) : Status();
}

Result<bool> RowWriter::is_of(Database& database, const std::string& name, const Event& event,
                              const Namespace& ns) {
  TIDEMARK_ASSIGN(const bool there, exists(database, name));
  if (!there || is_reserved(name)) return false;
  TIDEMARK_ASSIGN(const std::string owner, owner_of(database, name));
  return concerns(event, ns, owner);
}

Status RowWriter::move(Database& database, const RowBarrier& barrier, const NextPart& next_part) {
  const Event& event = *barrier.event;
  const std::string& from = plan_.tables()[barrier.table].name;
  const std::string& to = plan_.tables()[barrier.target].name;
  TIDEMARK_TRY(clear(database, to, event, event.to, next_part));
  TIDEMARK_ASSIGN(const bool has_rows, is_of(database, from, event, event.ns));
  if (!has_rows) return check_not_dropped(database, from, RefusedNames::text_of(event.ns));
  // Both must exist before either is used: making the second may drop the statements of the first.
  if (auto made = table(database, from); !made) return fail(std::move(made).error());
  TIDEMARK_ASSIGN(const Table* target, owned_table(database, to, event.to));
  const GuardForm target_guards = target->guards;
  TIDEMARK_ASSIGN(
      Statement copy,
      database.prepare("INSERT INTO " + quoted(to) +
                       "(id, doc, token, cluster_time) SELECT id, doc, ?5, ?2 FROM " + quoted(from) +
                       " WHERE id > ?3 AND id <= ?4 AND token < ?1" + kGuardedUpdate));
  TIDEMARK_ASSIGN(Table * source, table(database, from));
  render_time(event);
  std::string after, last, target_guard;
  append_guard(target_guards, event.id, target_guard);
  while (true) {
    TIDEMARK_ASSIGN(const bool more, next_range(*source, after, last));
    if (!more) break;
    bind_guard(source->clear, 1, source->guards, event);
    // The two tables may have been made by different versions.
    source->guards == GuardForm::kText ? copy.bind(1, token_) : copy.bind_blob(1, token_);
    target_guards == GuardForm::kText ? copy.bind(5, target_guard) : copy.bind_blob(5, target_guard);
    TIDEMARK_TRY(copy.bind(2, time_).bind(3, after).bind(4, last).run());
    TIDEMARK_TRY(source->clear.bind(2, after).bind(3, last).run());
    TIDEMARK_TRY(next_part());
    after.swap(last);
  }
  return clear(database, from, event, event.ns, next_part);
}

// --- mode log

WriteResult RowWriter::write_log(Database& database, std::span<const Event> events) {
  Table* rows = nullptr;
  Namespace rows_of;
  for (size_t i = 0; i < events.size(); ++i) {
    const Event& event = events[i];
    const Namespace& ns = log_place(event);
    // An event of a whole database (or an invalidate, of nothing named) has no place among tables of one
    // collection each.
    if (pattern_.has_collection() && ns.collection.empty()) continue;
    if (pattern_.has_database() && ns.database.empty()) continue;
    if (refused_.has(ns)) continue;
    if (rows == nullptr || (!pattern_.fixed() && ns != rows_of)) {
      pattern_.expand(ns, name_);
      auto made = destination_table(database, name_.name);
      if (!made) return failed_for(std::move(made).error(), ns, i);
      rows = *made;
      rows_of = ns;
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
