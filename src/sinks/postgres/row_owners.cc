// Whose table is it: a table holds the rows of one collection, and stands under its owner's name in a table of owners.
#include <algorithm>
#include <array>

#include "base/log.h"
#include "core/table_owners.h"
#include "sinks/postgres/rows.h"
#include "sinks/postgres/tables.h"

namespace tidemark::postgres {
namespace {

Param text_param(std::string_view text) { return {text, true, false, kText}; }

std::string literal(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out.append(c == '\'' ? 2 : 1, c);
  return out + "'";
}

// Of a failure to make one table: another thing of this name stands there, or the server takes no such name.
bool is_about_the_name(const std::string& sqlstate, const Error& error) {
  constexpr std::array kStates = {"42939", "42602", "42622", "42809", "42P06", "42P07", "22021", "22P05"};
  if (error.react == React::kReject) return true;
  if (error.react != React::kConfig) return false;
  return sqlstate.empty() || std::find(kStates.begin(), kStates.end(), sqlstate) != kStates.end();
}

}  // namespace

WriteResult RowWriter::settle_tables(Connection& connection, std::stop_token stop) {
  std::vector<Work> kept;
  std::set<std::string> freed;  // by a barrier of this batch, which hasn't run yet
  for (const Work& work : works_) {
    if (work.event != nullptr) {
      // The only barrier that writes is a move, into its target.
      if (Status settled = settle_barrier(connection, work, freed, kept, stop); !settled)
        return failed_for(std::move(settled).error(), work.event->to, work.event);
      continue;
    }
    const Event* event = rows_[work.begin].event;
    if (Status settled = own(connection, work.table, log_place(*event), event, freed, kept, stop); !settled)
      return failed_for(std::move(settled).error(), log_place(*event), event);
    kept.push_back(work);
  }
  works_ = std::move(kept);
  return {};
}

Status RowWriter::settle_barrier(Connection& connection, const Work& work, std::set<std::string>& freed,
                                 std::vector<Work>& kept, std::stop_token stop) {
  const Event& event = *work.event;
  const Namespace& concerned = work.kind == Work::Kind::kMoveClear ? event.to : event.ns;
  TIDEMARK_ASSIGN(const bool there, is_of(connection, work.table, event, concerned, stop));
  // Of a table that somebody has dropped there is nothing to clear: the collection ends and gives it back all the same.
  if (!there && work.kind != Work::Kind::kMoveCopy && frees_table(event)) {
    TIDEMARK_ASSIGN(const std::string gone, owner_of_missing(connection, tables_[work.table], stop));
    if (gone.empty() || !concerns(event, concerned, gone)) return {};
    return give_back(work, freed, kept);
  }
  if (!there && work.kind == Work::Kind::kMoveCopy)
    return check_not_dropped(connection, tables_[work.table], RefusedNames::text_of(concerned), stop);
  if (!there) return {};
  if (work.kind == Work::Kind::kMoveCopy)
    TIDEMARK_TRY(own(connection, work.target, event.to, &event, freed, kept, std::move(stop)));
  kept.push_back(work);
  if (work.kind != Work::Kind::kClear || !frees_table(event)) return {};
  return give_back(work, freed, kept);
}

Status RowWriter::give_back(const Work& work, std::set<std::string>& freed, std::vector<Work>& kept) {
  const std::string name = tables_[work.table].text();
  freed.insert(name);
  owners_.erase(name);
  kept.push_back({Work::Kind::kFree, work.table, work.table, 0, 0, work.event});
  return {};
}

// The owner of a table that isn't there; empty where there is one, or there never was. The owner is asked for first: it is
// written behind its table, so that a table that another lane makes meanwhile is found.
Result<std::string> RowWriter::owner_of_missing(Connection& connection, const TableName& name,
                                                std::stop_token stop) {
  if (mode_ == Mode::kLog || !fits_name(name) || known_.contains(name.text())) return std::string();
  TIDEMARK_ASSIGN(std::string owner, owner_of(connection, name, stop));
  if (owner.empty()) return owner;
  TIDEMARK_ASSIGN(const std::string shape, shape_of(connection, name, std::move(stop)));
  return shape.empty() ? std::move(owner) : std::string();
}

// kConfig where the table has an owner and isn't there. `wanted`: of this owner alone; empty: of any.
Status RowWriter::check_not_dropped(Connection& connection, const TableName& name, const std::string& wanted,
                                    std::stop_token stop) {
  TIDEMARK_ASSIGN(const std::string owner, owner_of_missing(connection, name, std::move(stop)));
  if (owner.empty() || (!wanted.empty() && owner != wanted)) return {};
  return fail(dropped_by_somebody(
      connection.describe(), name.text(), owner,
      "`DELETE FROM " + sql_name(options_.owner_table) + " WHERE name = " + literal(name.text()) + "`"));
}

Status RowWriter::own(Connection& connection, uint32_t table, const Namespace& ns, const Event* event,
                      const std::set<std::string>& freed, std::vector<Work>& kept, std::stop_token stop) {
  const TableName& name = tables_[table];
  if (is_reserved(name))
    return fail(React::kReject, connection.describe() + ": table '" + name.text() + "' is the program's own");
  const std::string wanted = RefusedNames::text_of(ns);
  if (!freed.contains(name.text())) TIDEMARK_TRY(check_not_dropped(connection, name, wanted, stop));
  TIDEMARK_TRY(ensure(connection, table, stop));
  if (mode_ == Mode::kLog) return {};
  std::string& owner = owners_[name.text()];
  if (owner.empty() && freed.contains(name.text())) {
    owner = wanted;
    kept.push_back({Work::Kind::kOwn, table, table, 0, 0, event});
    return {};
  }
  if (owner.empty()) {
    const std::string params[] = {name.text(), wanted, options_.pipeline};
    TIDEMARK_TRY(
        connection.query("INSERT INTO " + sql_name(options_.owner_table) +
                             " (name, namespace, pipeline) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                         params, stop));
    TIDEMARK_ASSIGN(owner, owner_of(connection, name, std::move(stop)));
  }
  if (owner == wanted) return {};
  return fail(owned_by_another(connection.describe(), name.text(), owner, ns));
}

Status RowWriter::ensure(Connection& connection, uint32_t table, std::stop_token stop) {
  const TableName& name = tables_[table];
  if (const auto known = known_.find(name.text()); known != known_.end()) {
    guard_forms_[table] = known->second;
    return {};
  }
  const auto made = [&]() -> Result<GuardForm> {
    if (mode_ == Mode::kCurrent) return ensure_current_table(connection, name, stop);
    TIDEMARK_TRY(ensure_table(connection, name, kLogColumns, stop));
    return GuardForm::kText;
  }();
  if (made) {
    known_[name.text()] = guard_forms_[table] = *made;
    if (mode_ == Mode::kCurrent && *made == GuardForm::kText) tell_text_guards(connection, name);
    return {};
  }
  Error error = std::move(made).error();
  if (!pattern_.fixed() && is_about_the_name(connection.sqlstate(), error)) error.react = React::kReject;
  return fail(std::move(error));
}

// Once, and of one table: a deployment may have thousands.
void RowWriter::tell_text_guards(const Connection& connection, const TableName& name) {
  if (std::exchange(text_guards_told_, true)) return;
  log::info(
      "{}: {}: table {} was made when guards were texts, and keeps them: it works as before. Bytes take a "
      "tenth of "
      "their room (about 150 bytes a row). With the pipeline stopped, and for as long as it takes to write "
      "the table "
      "anew, during which nobody reads it: {}; see \"upgrading\" in docs/operating.md",
      options_.pipeline, connection.describe(), name.text(), conversion_sql(name));
}

Result<bool> RowWriter::is_of(Connection& connection, uint32_t table, const Event& event, const Namespace& ns,
                              std::stop_token stop) {
  const TableName& name = tables_[table];
  // PostgreSQL would cut a name that is too long, and find another's table.
  if (!fits_name(name) || is_reserved(name)) return false;
  if (!known_.contains(name.text())) {
    TIDEMARK_ASSIGN(const std::string shape, shape_of(connection, name, stop));
    const auto form = guard_form_of(shape);
    if (!form) return false;
    guard_forms_[table] = *form;
  } else {
    guard_forms_[table] = known_.at(name.text());
  }
  // Unknown ones are asked for each time: another pipeline may have taken the table meanwhile.
  const auto known = owners_.find(name.text());
  if (known != owners_.end() && !known->second.empty()) return concerns(event, ns, known->second);
  TIDEMARK_ASSIGN(const std::string owner, owner_of(connection, name, std::move(stop)));
  return concerns(event, ns, owner);
}

Result<std::string> RowWriter::owner_of(Connection& connection, const TableName& name, std::stop_token stop) {
  const std::string text = name.text();
  TIDEMARK_ASSIGN(const Rows found, connection.query("SELECT namespace FROM " +
                                                         sql_name(options_.owner_table) + " WHERE name = $1",
                                                     std::span(&text, 1), std::move(stop)));
  return found.empty() ? std::string() : found.rows[0][0];
}

// What is wrong with one collection's table must not end the pipeline of a whole deployment.
WriteResult RowWriter::failed_for(Error error, const Namespace& ns, const Event* event) {
  if (pattern_.fixed() || error.react != React::kReject)
    return write_failed(std::move(error), 0, index_of(event));
  return refused_.refuse(ns, std::move(error), index_of(event));
}

bool RowWriter::is_reserved(const TableName& name) const {
  if (pattern_.fixed()) return false;
  const auto is_default_schema = [](const std::string& schema) {
    return schema.empty() || schema == "public";
  };
  return std::any_of(options_.reserved.begin(), options_.reserved.end(), [&](const TableName& own) {
    return own.name == name.name &&
           (own.schema == name.schema || (is_default_schema(own.schema) && is_default_schema(name.schema)));
  });
}

Status RowWriter::add_owner(Connection& connection, const Work& work, std::stop_token stop) {
  const std::string name = tables_[work.table].text();
  if (work.kind == Work::Kind::kFree) {
    sql_ = "DELETE FROM " + sql_name(options_.owner_table) + " WHERE name = $1";
    const Param param = text_param(name);
    return connection.add(sql_, std::span(&param, 1), std::move(stop));
  }
  const Event& event = *work.event;
  const std::string owner = RefusedNames::text_of(event.op == Op::kRename ? event.to : event.ns);
  sql_ = "INSERT INTO " + sql_name(options_.owner_table) +
         " (name, namespace, pipeline) VALUES ($1, $2, $3) ON CONFLICT (name) DO UPDATE SET namespace = $2, "
         "pipeline = $3";
  const Param params[] = {text_param(name), text_param(owner), text_param(options_.pipeline)};
  return connection.add(sql_, params, std::move(stop));
}

}  // namespace tidemark::postgres
