#include "sinks/postgres/rows.h"

#include <algorithm>
#include <cstdlib>
#include <map>

#include "base/digest.h"
#include "bson/doubled_name.h"
#include "bson/json.h"
#include "core/row_identity.h"
#include "sinks/postgres/jsonb_values.h"
#include "sinks/postgres/tables.h"

namespace tidemark::postgres {
namespace {

// One statement's share of a batch: large enough that the cost of a statement doesn't show, small enough that neither
// end holds much.
constexpr size_t kStatementRowsMax = 4096;
constexpr size_t kStatementBytesMax = 1 << 20;
constexpr size_t kKnownTablesMax = 10'000;

// shard_key_of_guard() with the zero byte before it, as long as the one that is asked for: the JSON has no such byte.
constexpr const char* kKeyOfGuard =
    "length(t.token) > 9 AND substr(t.token, length(t.token)) = '\\x7d' THEN "
    "substr(t.token, length(t.token) - length(gone.key) + 1)";

constexpr const char* kOwnerColumns = "name text PRIMARY KEY, namespace text, pipeline text";

}  // namespace

std::string older(GuardForm form, const std::string& a, const std::string& b) {
  // Texts are compared byte by byte as well; a database's own collation may order them otherwise.
  const char* order = form == GuardForm::kText ? " COLLATE \"C\"" : "";
  return a + order + " < " + b + order;
}

std::string guarded_update(GuardForm form) {
  return " ON CONFLICT (id) DO UPDATE SET doc = excluded.doc, token = excluded.token, cluster_time = "
         "excluded.cluster_time WHERE " +
         older(form, "t.token", "excluded.token");
}

// --- tables

void RowWriter::clear_tables() {
  tables_.clear();
  sql_names_.clear();
  guard_forms_.clear();
}

Status RowWriter::open(Connection& connection, std::stop_token stop) {
  refused_.clear();
  if (mode_ == Mode::kCurrent)
    TIDEMARK_TRY(ensure_table(connection, options_.owner_table, kOwnerColumns, stop));
  if (!pattern_.fixed()) return {};
  TableName name;
  pattern_.expand({}, name);
  clear_tables();
  TIDEMARK_TRY(check_not_dropped(connection, name, {}, stop));
  return ensure(connection, table_index(name), std::move(stop));
}

void RowWriter::add_table(const TableName& name) {
  tables_.push_back(name);
  sql_names_.push_back(sql_name(name));
  guard_forms_.push_back(GuardForm::kBytes);
}

uint32_t RowWriter::table_index(const TableName& name) {
  const auto found = std::find(tables_.begin(), tables_.end(), name);
  const auto index = static_cast<uint32_t>(found - tables_.begin());
  if (found == tables_.end()) add_table(name);
  return index;
}

WriteResult RowWriter::prepare(Connection& connection, std::span<const Event> events, std::stop_token stop) {
  events_ = events;
  clear_tables();
  rows_.clear();
  works_.clear();
  forms_.clear();
  ids_text_.clear();
  if (mode_ == Mode::kCurrent) {
    if (auto planned = plan_.plan(events, &refused_); !planned) return planned;
    lay_out_current();
  } else {
    lay_out_log();
  }
  if (known_.size() > kKnownTablesMax) known_.clear();
  if (owners_.size() > kKnownTablesMax) owners_.clear();
  if (auto settled = settle_tables(connection, stop); !settled) return settled;
  if (mode_ == Mode::kCurrent) lay_out_other_forms();
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
  for (const TableName& name : plan_.tables()) add_table(name);
  for (const RowStep& step : plan_.steps()) {
    for (size_t i = 0; i < step.changes.size();) {
      const uint32_t table = step.changes[i].table;
      size_t end = i;
      while (end < step.changes.size() && step.changes[end].table == table) ++end;
      // Removals first: a row may have some, and then a put.
      for (const auto kind : {Work::Kind::kRemoveIf, Work::Kind::kRemove, Work::Kind::kPut}) {
        const size_t begin = rows_.size();
        for (size_t at = i; at < end; ++at) {
          const RowChange& change = step.changes[at];
          const auto its = !change.remove  ? Work::Kind::kPut
                           : change.if_key ? Work::Kind::kRemoveIf
                                           : Work::Kind::kRemove;
          if (its == kind) rows_.push_back({change.event, change.id, change.if_key});
        }
        lay_out_rows(kind, table, begin);
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

// Rows that stand under an older form of a replaced document's `_id`. That there is a row under the present form, older than
// the event, says nothing: a document that was read again, or looked up, comes under a form that the stream has yet to show.
void RowWriter::lay_out_other_forms() {
  std::map<uint32_t, std::vector<const Event*>> by_table;
  for (const RowStep& step : plan_.steps())
    for (const RowChange& change : step.changes)
      if (change.replaces_forms) by_table[change.table].push_back(change.event);
  for (const auto& [table, events] : by_table) {
    const size_t begin = rows_.size();
    for (const Event* event : events) {
      const auto id = row_id(*event);
      if (!id) continue;
      for (std::string& form : other_forms(*id))
        rows_.push_back({event, forms_.emplace_back(std::move(form)), {}});
    }
    const size_t works = works_.size();
    lay_out_rows(Work::Kind::kRemove, table, begin);
    // In front of everything: what this batch writes under those keys later stays.
    std::rotate(works_.begin(), works_.begin() + static_cast<ptrdiff_t>(works), works_.end());
  }
}

void RowWriter::lay_out_log() {
  TableName name;
  uint32_t table = 0;
  Namespace table_of;
  size_t begin = 0;
  for (const Event& event : events_) {
    const Namespace& ns = log_place(event);
    // An event of a whole database (or an invalidate, of nothing named) has no place among tables of one collection.
    if (pattern_.has_collection() && ns.collection.empty()) continue;
    if (pattern_.has_database() && ns.database.empty()) continue;
    if (refused_.has(ns)) continue;
    if (tables_.empty() || (!pattern_.fixed() && ns != table_of)) {
      pattern_.expand(ns, name);
      lay_out_rows(Work::Kind::kLog, table, begin);
      begin = rows_.size();
      table = table_index(name);
      table_of = ns;
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
    case Work::Kind::kRemoveIf:
      return add_remove_if(connection, work, begin, end, std::move(stop));
    case Work::Kind::kLog:
      return add_log(connection, work, begin, end, at, std::move(stop));
    case Work::Kind::kFree:
    case Work::Kind::kOwn:
      return add_owner(connection, work, std::move(stop));
    default:
      return fail(React::kFatal, "postgres sink: a barrier is written in parts");
  }
}

// What jsonb can't hold, or would drop without a word: it keeps one value for each name of an object, the last.
Status RowWriter::check_document(bson::View document, std::string_view json) const {
  if (contains_nul_escape(json)) {
    const auto field = field_with_nul(document);
    return fail(React::kReject,
                "the document holds U+0000 in a text" + (field ? " (field " + *field + ")" : std::string()) +
                    ", which PostgreSQL's jsonb can't store",
                "take the character out at the source, redact the field, or send it to the dead letters");
  }
  if (const auto field = bson::first_doubled_name(document)) {
    return fail(React::kReject,
                "the document has the field " + *field + " twice, of which PostgreSQL's jsonb keeps one",
                "write the document anew at the source with one of them, or send it to the dead letters");
  }
  return {};
}

Status RowWriter::add_document(ArrayParam& column, bson::View document) {
  if (!document) {
    column.add_null();
    return {};
  }
  text_.clear();
  bson::append_json(document, bson::JsonMode::kCanonical, text_);
  TIDEMARK_TRY(check_document(document, text_));
  column.add_jsonb(text_);
  return {};
}

void RowWriter::start_guards(GuardForm form) {
  form == GuardForm::kText ? tokens_.start(kText, kTextArray) : tokens_.start(kBytea, kByteaArray);
}

void RowWriter::add_guard(GuardForm form, const Event& event) {
  token_.clear();
  append_guard(form, event.id, token_);
  tokens_.add(token_);
}

Status RowWriter::add_put(Connection& connection, const Work& work, size_t begin, size_t end,
                          const Event*& at, std::stop_token stop) {
  const GuardForm form = guard_forms_[work.table];
  ids_.start(kText, kTextArray);
  docs_.start(kJsonb, kJsonbArray);
  start_guards(form);
  times_.start(kTimestamptz, kTimestamptzArray);
  for (size_t i = begin; i < end; ++i) {
    const Event& event = *(at = rows_[i].event);
    ids_.add(rows_[i].id);
    TIDEMARK_TRY(add_document(docs_, event.after));
    token_.clear();
    append_row_guard(form, event, token_);
    tokens_.add(token_);
    times_.add_time(event.cluster_time);
  }
  sql_ = "INSERT INTO " + sql_names_[work.table] +
         " AS t (id, doc, token, cluster_time) SELECT * FROM unnest($1, $2, $3, $4)" + guarded_update(form);
  const Param params[] = {ids_.param(), docs_.param(), tokens_.param(), times_.param()};
  return connection.add(sql_, params, std::move(stop));
}

Status RowWriter::add_remove(Connection& connection, const Work& work, size_t begin, size_t end,
                             std::stop_token stop) {
  const GuardForm form = guard_forms_[work.table];
  ids_.start(kText, kTextArray);
  start_guards(form);
  for (size_t i = begin; i < end; ++i) {
    ids_.add(rows_[i].id);
    add_guard(form, *rows_[i].event);
  }
  sql_ = "DELETE FROM " + sql_names_[work.table] +
         " AS t USING unnest($1, $2) AS gone(id, token) WHERE t.id = gone.id AND " +
         older(form, "t.token", "gone.token");
  const Param params[] = {ids_.param(), tokens_.param()};
  return connection.add(sql_, params, std::move(stop));
}

// Deletes of a sharded collection: each removes the row whose document has the shard key values that it names. jsonb contains
// the values that are there; those that are null may be missing as well. Where the guard carries the shard key, that counts.
Status RowWriter::add_remove_if(Connection& connection, const Work& work, size_t begin, size_t end,
                                std::stop_token stop) {
  const GuardForm form = guard_forms_[work.table];
  ids_.start(kText, kTextArray);
  start_guards(form);
  form == GuardForm::kText ? ops_.start(kText, kTextArray) : ops_.start(kBytea, kByteaArray);
  for (ArrayParam* column : {&docs_, &befores_}) column->start(kJsonb, kJsonbArray);
  for (size_t i = begin; i < end; ++i) {
    ids_.add(rows_[i].id);
    add_guard(form, *rows_[i].event);
    // The end of a guard that carries this key.
    text_ = form == GuardForm::kText ? ' ' : '\0';
    append_shard_key(rows_[i].if_key, text_);
    ops_.add(text_);
    std::string has, lacks;
    append_conditions(rows_[i].if_key, has, lacks);
    docs_.add_jsonb(has);
    befores_.add_jsonb(lacks);
  }
  sql_ =
      "DELETE FROM " + sql_names_[work.table] +
      " AS t USING unnest($1, $2, $3, $4, $5) AS gone(id, token, key, has, lacks) WHERE t.id = gone.id AND " +
      older(form, "t.token", "gone.token") + " AND CASE WHEN " +
      (form == GuardForm::kText ? "strpos(t.token, ' ') > 0 THEN substr(t.token, strpos(t.token, ' '))"
                                : kKeyOfGuard) +
      " = gone.key ELSE NOT EXISTS (SELECT 1 FROM "
      "jsonb_array_elements(gone.has) AS part WHERE NOT t.doc @> part) AND NOT EXISTS (SELECT 1 FROM "
      "jsonb_array_elements(gone.lacks) AS path WHERE coalesce(t.doc #> ARRAY(SELECT "
      "jsonb_array_elements_text(path)), 'null') <> 'null') END";
  const Param params[] = {ids_.param(), tokens_.param(), ops_.param(), docs_.param(), befores_.param()};
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
    TIDEMARK_TRY(check_document(event.update, text_));
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

}  // namespace tidemark::postgres
