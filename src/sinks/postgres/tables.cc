#include "sinks/postgres/tables.h"

#include <vector>

#include "sinks/postgres/sqlstate.h"

namespace tidemark::postgres {
namespace {

constexpr size_t kNameBytesMax = 63;

// Two lanes that create the same table at once collide in the catalog, on the table, on its row type or on an index of the
// catalog's own; whichever lost finds it there.
bool lost_a_race(const Connection& connection) {
  const std::string& sqlstate = connection.sqlstate();
  return sqlstate == kDuplicateTable || sqlstate == kUniqueViolation || sqlstate == kDuplicateObject ||
         sqlstate == kDuplicateSchema;
}

Status create(Connection& connection, const TableName& table, const std::string& columns,
              std::stop_token stop) {
  std::vector<std::string> statements;
  if (!table.schema.empty()) {
    TIDEMARK_ASSIGN(const Rows there, connection.query("SELECT 1 FROM pg_namespace WHERE nspname = $1",
                                                       std::span(&table.schema, 1), stop));
    if (there.empty()) statements.push_back("CREATE SCHEMA IF NOT EXISTS " + quoted(table.schema));
  }
  statements.push_back("CREATE TABLE IF NOT EXISTS " + sql_name(table) + "(" + columns + ")");
  for (const std::string& sql : statements) {
    auto done = connection.query(sql, stop);
    if (!done && !lost_a_race(connection)) return fail(std::move(done).error());
  }
  return {};
}

}  // namespace

std::string sql_name(const TableName& table) {
  return table.schema.empty() ? quoted(table.name) : quoted(table.schema) + "." + quoted(table.name);
}

TableName table_name(const std::string& text) {
  TableName name;
  const size_t dot = text.find('.');
  if (dot != std::string::npos) name.schema = text.substr(0, dot);
  name.name = dot == std::string::npos ? text : text.substr(dot + 1);
  return name;
}

Result<std::string> shape_of(Connection& connection, const TableName& table, std::stop_token stop) {
  const std::string name = sql_name(table);
  TIDEMARK_ASSIGN(
      const Rows rows,
      connection.query(
          "SELECT a.attname, format_type(a.atttypid, a.atttypmod), i.indrelid IS NOT NULL "
          "FROM pg_attribute a LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary "
          "AND a.attnum = ANY(i.indkey) WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 "
          "AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum",
          std::span(&name, 1), std::move(stop)));
  std::string shape;
  for (const auto& row : rows.rows) {
    if (!shape.empty()) shape += ", ";
    shape += (row[0] == "update" ? "\"update\"" : row[0]) + " " + row[1];
    if (row[2] == "t") shape += " PRIMARY KEY";
  }
  return shape;
}

Error other_shape(const Connection& connection, const TableName& table, const std::string& expected,
                  const std::string& found) {
  return {React::kConfig,
          connection.describe() + ": table " + table.text() + " has another shape: expected (" + expected +
              "), found (" + found + ")",
          "choose another table, or move this one out of the way: it is created when absent"};
}

bool fits_name(const TableName& table) {
  return table.name.size() <= kNameBytesMax && table.schema.size() <= kNameBytesMax;
}

Status ensure_table(Connection& connection, const TableName& table, const std::string& columns,
                    std::stop_token stop) {
  if (!fits_name(table)) {
    return fail(
        React::kReject, connection.describe() + ": the table name '" + table.text() + "' is too long",
        "names in PostgreSQL hold at most 63 bytes: give this collection a pipeline and table of its own");
  }
  TIDEMARK_ASSIGN(std::string shape, shape_of(connection, table, stop));
  if (shape.empty()) {
    TIDEMARK_TRY(create(connection, table, columns, stop));
    TIDEMARK_ASSIGN(shape, shape_of(connection, table, stop));
  }
  if (shape == columns) return {};
  return fail(other_shape(connection, table, columns, shape));
}

}  // namespace tidemark::postgres
