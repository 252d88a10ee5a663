// The plain full scan of both ends: every document of a collection and every row of its table, read once, one end after the
// other, and nothing done with them. What any comparison of all content has to read, unless the servers compare for it.
//   --mongo URI --database D --collection C --table T (--sqlite PATH | --postgres URI) --count N
#include <libpq-fe.h>
#include <mongoc/mongoc.h>
#include <sqlite3.h>

#include "peers/peer.h"

using tidemark::bench::Arguments;
using tidemark::bench::die;

namespace {

uint64_t bytes = 0;  // read: so that reading isn't optimized away

int64_t scan_mongo(const Arguments& arguments) {
  mongoc_init();
  mongoc_client_t* client = mongoc_client_new(arguments.text("mongo").c_str());
  if (client == nullptr) die("the URI doesn't parse");
  mongoc_collection_t* collection = mongoc_client_get_collection(client, arguments.text("database").c_str(),
                                                                 arguments.text("collection").c_str());
  const bson_t everything = BSON_INITIALIZER;
  mongoc_cursor_t* cursor = mongoc_collection_find_with_opts(collection, &everything, nullptr, nullptr);
  const bson_t* document = nullptr;
  int64_t count = 0;
  for (; mongoc_cursor_next(cursor, &document); ++count) bytes += document->len;
  bson_error_t error = {};
  if (mongoc_cursor_error(cursor, &error)) die(error.message);
  mongoc_cursor_destroy(cursor);
  mongoc_collection_destroy(collection);
  mongoc_client_destroy(client);
  mongoc_cleanup();
  return count;
}

int64_t scan_sqlite(const Arguments& arguments) {
  sqlite3* database = nullptr;
  if (sqlite3_open_v2(arguments.text("sqlite").c_str(), &database, SQLITE_OPEN_READONLY, nullptr) !=
      SQLITE_OK)
    die(sqlite3_errmsg(database));
  sqlite3_stmt* rows = nullptr;
  const std::string query = "SELECT id, doc FROM \"" + arguments.text("table") + "\"";
  if (sqlite3_prepare_v2(database, query.c_str(), -1, &rows, nullptr) != SQLITE_OK)
    die(sqlite3_errmsg(database));
  int64_t count = 0;
  for (; sqlite3_step(rows) == SQLITE_ROW; ++count)
    bytes += static_cast<uint64_t>(sqlite3_column_bytes(rows, 0) + sqlite3_column_bytes(rows, 1));
  sqlite3_finalize(rows);
  sqlite3_close(database);
  return count;
}

int64_t scan_postgres(const Arguments& arguments) {
  PGconn* connection = PQconnectdb(arguments.text("postgres").c_str());
  if (PQstatus(connection) != CONNECTION_OK) die(PQerrorMessage(connection));
  const std::string query = "SELECT id, doc FROM " + arguments.text("table");
  if (PQsendQuery(connection, query.c_str()) == 0 || PQsetSingleRowMode(connection) == 0)
    die(PQerrorMessage(connection));
  int64_t count = 0;
  while (PGresult* row = PQgetResult(connection)) {
    const ExecStatusType status = PQresultStatus(row);
    if (status == PGRES_SINGLE_TUPLE) {
      ++count;
      bytes += static_cast<uint64_t>(PQgetlength(row, 0, 0) + PQgetlength(row, 0, 1));
    } else if (status != PGRES_TUPLES_OK) {
      die(PQerrorMessage(connection));
    }
    PQclear(row);
  }
  PQfinish(connection);
  return count;
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  const double started = tidemark::bench::seconds_now();
  const int64_t documents = scan_mongo(arguments);
  const int64_t rows = arguments.has("sqlite") ? scan_sqlite(arguments) : scan_postgres(arguments);
  const int64_t count = arguments.number("count");
  if (documents != count || rows != count || bytes == 0)
    die(std::to_string(documents) + " documents and " + std::to_string(rows) + " rows of " +
        std::to_string(count));
  tidemark::bench::print_result(count, tidemark::bench::seconds_now() - started);
  return 0;
}
