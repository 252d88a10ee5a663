// Names, creation and shapes of tables: what rows and positions share. Stateless.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/row_guard.h"
#include "core/row_plan.h"
#include "sinks/postgres/connection.h"

namespace tidemark::postgres {

// "schema"."table", quoted.
std::string sql_name(const TableName& table);

// "schema.table" or "table", as a setting names it.
TableName table_name(const std::string& text);

// The columns of mode "current".
inline constexpr const char* kCurrentColumns =
    "id text PRIMARY KEY, doc jsonb, token bytea, cluster_time timestamp with time zone";
// Those of tables that were made when guards were texts: they stay as they are, and work.
inline constexpr const char* kTextGuardColumns =
    "id text PRIMARY KEY, doc jsonb, token text, cluster_time timestamp with time zone";
// How a table of these columns keeps its guards; none where they aren't those of mode "current".
std::optional<GuardForm> guard_form_of(std::string_view columns);
// What makes a table of kTextGuardColumns one of kCurrentColumns: one statement, which rewrites the table.
std::string conversion_sql(const TableName& table);

// The columns of the table as they stand in CREATE TABLE, in order; empty when there is no such table. Generated columns are
// the operator's own and no concern of ours.
Result<std::string> shape_of(Connection& connection, const TableName& table, std::stop_token stop);
// What is wrong with a table that has another one.
Error other_shape(const Connection& connection, const TableName& table, const std::string& expected,
                  const std::string& found);
// False for a name that PostgreSQL would cut off.
bool fits_name(const TableName& table);

// `columns` as they stand in CREATE TABLE and as check_shape reads them back: "id text PRIMARY KEY, doc jsonb, ...".
// Creates the table (and its schema) when absent; kConfig with both shapes when another one stands there; kReject for a
// name that PostgreSQL would cut off.
Status ensure_table(Connection& connection, const TableName& table, const std::string& columns,
                    std::stop_token stop);
// The same for kCurrentColumns, or a table of kTextGuardColumns that stands there already.
Result<GuardForm> ensure_current_table(Connection& connection, const TableName& table, std::stop_token stop);

}  // namespace tidemark::postgres
