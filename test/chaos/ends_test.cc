// What the chaos reads of a destination, in every form in which one may stand there.
#include "chaos/ends.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "support/postgres.h"
#include "support/temp_folder.h"

namespace tidemark::chaos {
namespace {

using testing::PostgresServer;
using testing::TempFolder;

// A token of an _id that is a long: the key alone doesn't tell its type.
constexpr const char* kWhole =
    R"({"_data":"826B0DDF220000004E2B","_typeBits":{"$binary":{"base64":"goAB","subType":"00"}}})";
constexpr const char* kTables =
    "CREATE TABLE {} (token text); INSERT INTO {} "
    "VALUES('826B0DDF220000004D2B'), ('826B0DDF220000004F2B'), "
    "('826B0DDF220000004F2BR0123456789ABCDEF')";

void execute(const std::string& path, const std::string& sql) {
  sqlite3* handle = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &handle), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
      << sqlite3_errmsg(handle);
  sqlite3_close(handle);
}

void expect_data(End& end) {
  EXPECT_EQ(end.position(), "826B0DDF220000004E2B");
  EXPECT_EQ(time_of_token(end.position()), (bson::Timestamp{0x6B0DDF22, 0x4E}));
  // Of what a rename brings, rows stand in front of the position until all of it is there.
  EXPECT_EQ(end.rows_beyond_position(), 1);
}

std::string tables(const std::string& rows, const std::string& positions) {
  std::string sql = kTables;
  while (sql.find("{}") != std::string::npos) sql.replace(sql.find("{}"), 2, rows);
  return sql + "; CREATE TABLE " + positions + " (token text); INSERT INTO " + positions + " VALUES('" +
         kWhole + "')";
}

TEST(EndTest, APositionIsItsDataAlsoWhereTheWholeTokenIsStoredInSqlite) {
  const TempFolder folder;
  execute(folder.file("relay0.db"), tables("orders", "tidemark_positions"));
  Places places;
  places.folder = folder.path();
  const auto end = End::make(*find_relay_kind("sqlite-log"), places, 0);
  expect_data(*end);
}

TEST(EndTest, APositionIsItsDataAlsoWhereTheWholeTokenIsStoredInPostgres) {
  if (const auto why = PostgresServer::unavailable()) GTEST_SKIP() << *why;
  PostgresServer server;
  const std::string uri = server.create_schema();
  PostgresServer::query(uri, tables("relay0", "positions0"));
  Places places;
  places.postgres_uri = uri;
  const auto end = End::make(*find_relay_kind("postgres-log"), places, 0);
  expect_data(*end);
}

}  // namespace
}  // namespace tidemark::chaos
