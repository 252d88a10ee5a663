#include "sinks/postgres/rows.h"

#include <algorithm>

#include "bson/json.h"
#include "sinks/postgres/tables.h"

namespace tidemark::postgres {
namespace {

// One statement's share of a batch: large enough that the cost of a statement doesn't show, small enough that neither
// end holds much.
constexpr size_t kStatementRowsMax = 4096;
constexpr size_t kStatementBytesMax = 1 << 20;
constexpr size_t kKnownTablesMax = 10'000;

constexpr const char* kLogColumns =
    "token text PRIMARY KEY, cluster_time timestamp with time zone, op text, ns text, id text, doc jsonb, "
    "before jsonb, "
    "\"update\" jsonb";

// Tokens are compared byte by byte; a database's own collation may order them otherwise.
constexpr const char* kGuardedUpdate =
    " ON CONFLICT (id) DO UPDATE SET doc = excluded.doc, token = excluded.token, cluster_time = "
    "excluded.cluster_time "
    "WHERE excluded.token COLLATE \"C\" > t.token COLLATE \"C\"";

Param text_param(std::string_view text) { return {text, true, false, kText}; }

}  // namespace

bool contains_nul_escape(std::string_view json) {
  for (size_t at = json.find("\\u0000"); at != std::string_view::npos; at = json.find("\\u0000", at + 1)) {
    size_t before = at;
    while (before > 0 && json[before - 1] == '\\') --before;
    if ((at - before) % 2 == 0) return true;
  }
  return false;
}

// --- tables

Status RowWriter::open(Connection& connection, std::stop_token stop) {
  if (!pattern_.fixed()) return {};
  TableName name;
  pattern_.expand({}, name);
  TIDEMARK_TRY(
      ensure_table(connection, name, mode_ == Mode::kLog ? kLogColumns : kCurrentColumns, std::move(stop)));
  known_.insert(name.text());
  return {};
}

uint32_t RowWriter::table_index(const TableName& name) {
  const auto found = std::find(tables_.begin(), tables_.end(), name);
  const auto index = static_cast<uint32_t>(found - tables_.begin());
  if (found == tables_.end()) {
    tables_.push_back(name);
    sql_names_.push_back(sql_name(name));
  }
  return index;
}

WriteResult RowWriter::prepare(Connection& connection, std::span<const Event> events, std::stop_token stop) {
  events_ = events;
  tables_.clear();
  sql_names_.clear();
  rows_.clear();
  works_.clear();
  ids_text_.clear();
  if (mode_ == Mode::kCurrent) {
    if (auto planned = plan_.plan(events); !planned) return planned;
    lay_out_current();
  } else {
    lay_out_log();
  }
  if (known_.size() > kKnownTablesMax) known_.clear();
  if (Status seen = drop_barriers_of_nothing(connection, stop); !seen)
    return write_failed(std::move(seen).error());
  for (const Work& work : works_) {
    for (const uint32_t table : {work.table, work.target}) {
      const TableName& name = tables_[table];
      if (known_.contains(name.text())) continue;
      const Event* event = work.event != nullptr ? work.event : rows_[work.begin].event;
      auto made = ensure_table(connection, name, mode_ == Mode::kLog ? kLogColumns : kCurrentColumns, stop);
      if (!made) return write_failed(std::move(made).error(), 0, index_of(event));
      known_.insert(name.text());
    }
  }
  return {};
}

Status RowWriter::drop_barriers_of_nothing(Connection& connection, std::stop_token stop) {
  // Made by this batch before the barrier comes, or by an earlier one.
  std::set<std::string> there;
  std::vector<Work> kept;
  for (const Work& work : works_) {
    const std::string name = tables_[work.table].text();
    if (work.event == nullptr) {
      there.insert(name);
    } else if (!there.contains(name) && !known_.contains(name)) {
      // PostgreSQL would cut a name that is too long, and find another's table.
      if (!fits_name(tables_[work.table])) continue;
      TIDEMARK_ASSIGN(const std::string shape, shape_of(connection, tables_[work.table], stop));
      if (shape.empty()) continue;
      there.insert(name);
    }
    if (work.kind == Work::Kind::kMoveCopy) there.insert(tables_[work.target].text());
    kept.push_back(work);
  }
  works_ = std::move(kept);
  return {};
}

// --- layout

// Cuts rows_[begin, end) into statements.
void RowWriter::lay_out_rows(Work::Kind kind, uint32_t table, size_t begin) {
  size_t bytes = 0;
  for (size_t i = begin; i < rows_.size(); ++i) {
    // Canonical JSON is roughly twice its BSON.
    const Event& event = *rows_[i].event;
    const size_t cost = 2 * (size_t{event.after.size()} + event.before.size() + event.update.size());
    if (i > begin && (i - begin == kStatementRowsMax || bytes + cost > kStatementBytesMax)) {
      works_.push_back({kind, table, table, begin, i, nullptr});
      begin = i;
      bytes = 0;
    }
    bytes += cost;
  }
  if (begin < rows_.size()) works_.push_back({kind, table, table, begin, rows_.size(), nullptr});
}

void RowWriter::lay_out_current() {
  for (const TableName& name : plan_.tables()) {
    tables_.push_back(name);
    sql_names_.push_back(sql_name(name));
  }
  for (const RowStep& step : plan_.steps()) {
    for (size_t i = 0; i < step.changes.size();) {
      const uint32_t table = step.changes[i].table;
      size_t end = i;
      while (end < step.changes.size() && step.changes[end].table == table) ++end;
      for (const bool remove : {false, true}) {
        const size_t begin = rows_.size();
        for (size_t at = i; at < end; ++at) {
          const RowChange& change = step.changes[at];
          if (change.remove == remove) rows_.push_back({change.event, change.id});
        }
        lay_out_rows(remove ? Work::Kind::kRemove : Work::Kind::kPut, table, begin);
      }
      i = end;
    }
    const RowBarrier& barrier = step.barrier;
    if (barrier.kind == RowBarrier::Kind::kMove) {
      works_.push_back({Work::Kind::kMoveClear, barrier.target, barrier.target, 0, 0, barrier.event});
      works_.push_back({Work::Kind::kMoveCopy, barrier.table, barrier.target, 0, 0, barrier.event});
    }
    if (barrier.kind != RowBarrier::Kind::kNone)
      works_.push_back({Work::Kind::kClear, barrier.table, barrier.table, 0, 0, barrier.event});
  }
}

void RowWriter::lay_out_log() {
  TableName name;
  uint32_t table = 0;
  Namespace table_of;
  size_t begin = 0;
  for (const Event& event : events_) {
    // An event of a whole database (or an invalidate, of nothing named) has no place among tables of one collection.
    if (pattern_.has_collection() && event.ns.collection.empty()) continue;
    if (pattern_.has_database() && event.ns.database.empty()) continue;
    if (tables_.empty() || (!pattern_.fixed() && event.ns != table_of)) {
      pattern_.expand(event.ns, name);
      lay_out_rows(Work::Kind::kLog, table, begin);
      begin = rows_.size();
      table = table_index(name);
      table_of = event.ns;
    }
    rows_.push_back({&event, {}});
  }
  lay_out_rows(Work::Kind::kLog, table, begin);
}

// --- statements

WriteResult RowWriter::add(Connection& connection, std::stop_token stop) {
  for (Work& work : works_) {
    work.statement = connection.pipeline_size();
    const Event* at = work.event;
    if (auto added = add_work(connection, work, work.begin, work.end, at, stop); !added)
      return write_failed(std::move(added).error(), 0, at == nullptr ? 0 : index_of(at));
  }
  return {};
}

Status RowWriter::add_work(Connection& connection, const Work& work, size_t begin, size_t end,
                           const Event*& at, std::stop_token stop) {
  switch (work.kind) {
    case Work::Kind::kPut:
      return add_put(connection, work, begin, end, at, std::move(stop));
    case Work::Kind::kRemove:
      return add_remove(connection, work, begin, end, std::move(stop));
    case Work::Kind::kLog:
      return add_log(connection, work, begin, end, at, std::move(stop));
    default:
      return add_barrier(connection, work, std::move(stop));
  }
}

Status RowWriter::check_document(std::string_view json) const {
  if (!contains_nul_escape(json)) return {};
  return fail(React::kReject, "the document holds U+0000 in a text, which PostgreSQL's jsonb can't store",
              "take the character out at the source, redact the field, or send it to the dead letters");
}

Status RowWriter::add_document(ArrayParam& column, bson::View document) {
  if (!document) {
    column.add_null();
    return {};
  }
  text_.clear();
  bson::append_json(document, bson::JsonMode::kCanonical, text_);
  TIDEMARK_TRY(check_document(text_));
  column.add_jsonb(text_);
  return {};
}

Status RowWriter::add_put(Connection& connection, const Work& work, size_t begin, size_t end,
                          const Event*& at, std::stop_token stop) {
  ids_.start(kText, kTextArray);
  docs_.start(kJsonb, kJsonbArray);
  tokens_.start(kText, kTextArray);
  times_.start(kTimestamptz, kTimestamptzArray);
  for (size_t i = begin; i < end; ++i) {
    const Event& event = *(at = rows_[i].event);
    ids_.add(rows_[i].id);
    TIDEMARK_TRY(add_document(docs_, event.after));
    tokens_.add(event.id);
    times_.add_time(event.cluster_time);
  }
  sql_ = "INSERT INTO " + sql_names_[work.table] +
         " AS t (id, doc, token, cluster_time) SELECT * FROM unnest($1, $2, $3, $4)" + kGuardedUpdate;
  const Param params[] = {ids_.param(), docs_.param(), tokens_.param(), times_.param()};
  return connection.add(sql_, params, std::move(stop));
}

Status RowWriter::add_remove(Connection& connection, const Work& work, size_t begin, size_t end,
                             std::stop_token stop) {
  ids_.start(kText, kTextArray);
  tokens_.start(kText, kTextArray);
  for (size_t i = begin; i < end; ++i) {
    ids_.add(rows_[i].id);
    tokens_.add(rows_[i].event->id);
  }
  sql_ = "DELETE FROM " + sql_names_[work.table] +
         " AS t USING unnest($1, $2) AS gone(id, token) WHERE t.id = gone.id AND t.token COLLATE \"C\" < "
         "gone.token "
         "COLLATE \"C\"";
  const Param params[] = {ids_.param(), tokens_.param()};
  return connection.add(sql_, params, std::move(stop));
}

Status RowWriter::add_log(Connection& connection, const Work& work, size_t begin, size_t end,
                          const Event*& at, std::stop_token stop) {
  for (ArrayParam* column : {&tokens_, &ops_, &namespaces_, &ids_}) column->start(kText, kTextArray);
  for (ArrayParam* column : {&docs_, &befores_, &updates_}) column->start(kJsonb, kJsonbArray);
  times_.start(kTimestamptz, kTimestamptzArray);
  for (size_t i = begin; i < end; ++i) {
    const Event& event = *(at = rows_[i].event);
    tokens_.add(event.id);
    times_.add_time(event.cluster_time);
    ops_.add(event.op_name);
    text_.clear();
    append_ns(event.ns, text_);
    namespaces_.add(text_);
    text_.clear();
    append_row_id(event, text_) ? ids_.add(text_) : ids_.add_null();
    TIDEMARK_TRY(add_document(docs_, event.after));
    TIDEMARK_TRY(add_document(befores_, event.before));
    text_.clear();
    const bool update = append_log_update(event, text_);
    TIDEMARK_TRY(check_document(text_));
    update ? updates_.add_jsonb(text_) : updates_.add_null();
  }
  sql_ = "INSERT INTO " + sql_names_[work.table] +
         " (token, cluster_time, op, ns, id, doc, before, \"update\") SELECT * FROM unnest($1, $2, $3, $4, "
         "$5, $6, $7, $8) "
         "ON CONFLICT (token) DO NOTHING";
  const Param params[] = {tokens_.param(), times_.param(), ops_.param(),     namespaces_.param(),
                          ids_.param(),    docs_.param(),  befores_.param(), updates_.param()};
  return connection.add(sql_, params, std::move(stop));
}

Status RowWriter::add_barrier(Connection& connection, const Work& work, std::stop_token stop) {
  const Param token = text_param(work.event->id);
  if (work.kind != Work::Kind::kMoveCopy) {
    sql_ = "DELETE FROM " + sql_names_[work.table] + " WHERE token COLLATE \"C\" < $1";
    return connection.add(sql_, std::span(&token, 1), std::move(stop));
  }
  const std::string seconds = std::to_string(work.event->cluster_time.seconds);
  sql_ = "INSERT INTO " + sql_names_[work.target] +
         " AS t (id, doc, token, cluster_time) SELECT id, doc, $1, "
         "to_timestamp($2) FROM " +
         sql_names_[work.table] + " WHERE token COLLATE \"C\" < $1" + kGuardedUpdate;
  const Param params[] = {token, {seconds, false, false, 701}};  // float8, what to_timestamp takes
  return connection.add(sql_, params, std::move(stop));
}

// --- rejects

// Whether the statement over the work's first rows up to `end` fails for what is in them.
Result<bool> RowWriter::fails(Connection& connection, const Work& work, size_t end, std::stop_token stop) {
  connection.start_pipeline();
  TIDEMARK_TRY(connection.add("BEGIN", {}, stop));
  const Event* at = nullptr;
  TIDEMARK_TRY(add_work(connection, work, work.begin, end, at, stop));
  const PipelineEnd tried = connection.finish(stop);
  if (connection.lost()) return fail(*tried.error);
  TIDEMARK_TRY(connection.query("ROLLBACK", {}));
  if (tried.error && tried.error->react != React::kReject) return fail(*tried.error);
  return tried.error.has_value();
}

WriteResult RowWriter::find_culprit(Connection& connection, const PipelineEnd& end, std::stop_token stop) {
  const auto work = std::find_if(works_.begin(), works_.end(),
                                 [&](const Work& each) { return each.statement == end.statement; });
  if (work == works_.end()) return write_failed(Error{React::kFatal, end.error->what, end.error->hint});
  if (work->event != nullptr) return write_failed(*end.error, 0, index_of(work->event));
  // rows_[begin, good) pass, rows_[begin, bad) fail.
  size_t good = work->begin, bad = work->end;
  while (bad - good > 1) {
    const size_t middle = good + (bad - good) / 2;
    auto failed = fails(connection, *work, middle, stop);
    if (!failed) return write_failed(std::move(failed).error());
    (*failed ? bad : good) = middle;
  }
  return write_failed(*end.error, 0, index_of(rows_[good].event));
}

}  // namespace tidemark::postgres
