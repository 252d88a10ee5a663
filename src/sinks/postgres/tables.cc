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

namespace {

// Creates what is absent; the columns that stand there then.
Result<std::string> made_shape(Connection& connection, const TableName& table, const std::string& columns,
                               std::stop_token stop) {
  if (!fits_name(table)) {
    return fail(
        React::kReject, connection.describe() + ": the table name '" + table.text() + "' is too long",
        "names in PostgreSQL hold at most 63 bytes: give this collection a pipeline and table of its own");
  }
  TIDEMARK_ASSIGN(std::string shape, shape_of(connection, table, stop));
  if (!shape.empty()) return shape;
  TIDEMARK_TRY(create(connection, table, columns, stop));
  return shape_of(connection, table, stop);
}

}  // namespace

Status ensure_table(Connection& connection, const TableName& table, const std::string& columns,
                    std::stop_token stop) {
  TIDEMARK_ASSIGN(const std::string shape, made_shape(connection, table, columns, std::move(stop)));
  if (shape == columns) return {};
  return fail(other_shape(connection, table, columns, shape));
}

Result<GuardForm> ensure_current_table(Connection& connection, const TableName& table, std::stop_token stop) {
  TIDEMARK_ASSIGN(const std::string shape, made_shape(connection, table, kCurrentColumns, std::move(stop)));
  if (const auto form = guard_form_of(shape)) return *form;
  return fail(other_shape(connection, table, kCurrentColumns, shape));
}

std::optional<GuardForm> guard_form_of(std::string_view columns) {
  if (columns == kCurrentColumns) return GuardForm::kBytes;
  if (columns == kTextGuardColumns) return GuardForm::kText;
  return std::nullopt;
}

// append_row_guard() in SQL. By the places of what every event's token begins with; regular expressions, which would take ten
// times as long, are left to the rows that don't.
std::string conversion_sql(const TableName& table) {
  // Without a shard key.
  const std::string id = "split_part(token, ' {', 1)";
  return "ALTER TABLE " + sql_name(table) +
         " ALTER COLUMN token TYPE bytea USING "
         "CASE WHEN token LIKE '82%' AND substr(token, 19, 10) IN ('2B022C0100', '2B042C0100') AND "
         "substr(token, 29, 2) IN ('29', '2B', '2C', '2D', '2E') THEN decode(left(token, CASE substr(token, "
         "29, 2) "
         "WHEN '29' THEN 32 WHEN '2B' THEN 34 WHEN '2C' THEN 36 WHEN '2D' THEN 38 ELSE 40 END), 'hex') "
         "WHEN " +
         id + " ~ '^82([0-9A-F]{2}){8,}(R[0-9a-f]*)?$' THEN decode(split_part(" + id +
         ", 'R', 1), 'hex') ELSE convert_to(" + id + ", 'UTF8') END || CASE WHEN strpos(" + id +
         ", 'R') > 0 AND " + id +
         " ~ '^82([0-9A-F]{2}){8,}R' THEN '\\xff'::bytea ELSE '' END || CASE WHEN strpos(token, ' {') > 0 "
         "THEN "
         "'\\x00'::bytea || convert_to(substr(token, strpos(token, ' {') + 1), 'UTF8') ELSE '' END";
}

}  // namespace tidemark::postgres
