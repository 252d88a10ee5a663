// Whose is it: a table holds the rows of one collection, and stands under its owner's name in a table of owners.
#include "core/table_owners.h"
#include "sinks/sqlite/rows.h"

namespace tidemark::sqlite {

bool RowWriter::is_reserved(const std::string& name) const {
  return !pattern_.fixed() && options_.reserved.contains(lower_case(name));
}

Result<RowWriter::Table*> RowWriter::destination_table(Database& database, const std::string& name) {
  if (is_reserved(name))
    return fail(React::kReject, "sqlite " + database.path() + ": table '" + name + "' is the program's own");
  return table(database, name);
}

Result<RowWriter::Table*> RowWriter::owned_table(Database& database, const std::string& name,
                                                 const Namespace& ns) {
  const std::string owner = RefusedNames::text_of(ns);
  if (!is_reserved(name)) TIDEMARK_TRY(check_not_dropped(database, name, owner));
  TIDEMARK_ASSIGN(Table * rows, destination_table(database, name));
  if (rows->owner.empty()) TIDEMARK_TRY(claim(database, name, ns, rows->owner));
  if (rows->owner == owner) return rows;
  return fail(owned_by_another("sqlite " + database.path(), name, rows->owner, ns));
}

Status RowWriter::claim(Database& database, const std::string& name, const Namespace& ns,
                        std::string& owner) {
  const std::string wanted = RefusedNames::text_of(ns);
  TIDEMARK_ASSIGN(owner, owner_of(database, name));
  if (!owner.empty()) return {};
  // Made by a version that kept no owners, or by somebody else: of the collection whose name it has to the letter.
  TIDEMARK_ASSIGN(Statement spelled,
                  database.prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND "
                                   "name = ?1 COLLATE NOCASE"));
  TIDEMARK_ASSIGN(const bool there, spelled.bind(1, name).step());
  if (there && spelled.text(0) != name) {
    owner = "the collection behind '" + spelled.text(0) + "', which is the same name to SQLite";
    return {};
  }
  spelled.reset();
  TIDEMARK_ASSIGN(Statement insert,
                  database.prepare("INSERT INTO " + quoted(options_.owner_table) +
                                   "(name, namespace, pipeline) VALUES(?1, ?2, ?3) ON CONFLICT DO NOTHING"));
  TIDEMARK_TRY(insert.bind(1, name).bind(2, wanted).bind(3, options_.pipeline).run());
  TIDEMARK_ASSIGN(owner, owner_of(database, name));
  return {};
}

Result<std::string> RowWriter::owner_of(Database& database, const std::string& name) {
  TIDEMARK_ASSIGN(Statement select, database.prepare("SELECT namespace FROM " + quoted(options_.owner_table) +
                                                     " WHERE name = ?1"));
  TIDEMARK_ASSIGN(const bool there, select.bind(1, name).step());
  return there ? select.text(0) : std::string();
}

// kConfig where the table has an owner and isn't there. `wanted`: of this owner alone; empty: of any. The owner is asked for
// first: it is written behind its table, so that a table that another lane makes meanwhile is found.
Status RowWriter::check_not_dropped(Database& database, const std::string& name, const std::string& wanted) {
  if (mode_ == Mode::kLog || tables_.contains(name)) return {};
  TIDEMARK_ASSIGN(const std::string owner, owner_of(database, name));
  if (owner.empty() || (!wanted.empty() && owner != wanted)) return {};
  TIDEMARK_ASSIGN(Statement named, database.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND "
                                                    "name = ?1 COLLATE NOCASE"));
  TIDEMARK_ASSIGN(const bool there, named.bind(1, name).step());
  if (there) return {};
  std::string literal;
  for (const char c : name) literal.append(c == '\'' ? 2 : 1, c);
  return fail(dropped_by_somebody(
      "sqlite " + database.path(), name, owner,
      "`DELETE FROM " + quoted(options_.owner_table) + " WHERE name = '" + literal + "'`"));
}

Status RowWriter::free_table(Database& database, const std::string& name) {
  TIDEMARK_ASSIGN(Statement remove,
                  database.prepare("DELETE FROM " + quoted(options_.owner_table) + " WHERE name = ?1"));
  for (auto& [other, rows] : tables_)
    if (lower_case(other) == lower_case(name)) rows.owner.clear();
  return remove.bind(1, name).run();
}

// What is wrong with one collection's table must not end the pipeline of a whole deployment.
WriteResult RowWriter::failed_for(Error error, const Namespace& ns, size_t culprit) {
  if (pattern_.fixed() || error.react != React::kReject) return write_failed(std::move(error), 0, culprit);
  return refused_.refuse(ns, std::move(error), culprit);
}

// Of a table that somebody has dropped there is nothing to clear: the collection ends and gives it back all the same.
Status RowWriter::give_back_missing(Database& database, const std::string& name, const Event& event,
                                    const Namespace& ns) {
  if (!frees_table(event) || is_reserved(name)) return {};
  TIDEMARK_ASSIGN(const bool there, exists(database, name));
  if (there) return {};
  TIDEMARK_ASSIGN(const std::string owner, owner_of(database, name));
  return !owner.empty() && concerns(event, ns, owner) ? free_table(database, name) : Status();
}

}  // namespace tidemark::sqlite
