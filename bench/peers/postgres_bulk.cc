// PostgreSQL's own bulk upsert: the same rows that the sink writes, 1,000 to a transaction, in one set-based
// statement, on one connection. What the server takes at most when it takes them this way.
//   --postgres URI --count N
#include <algorithm>

#include <libpq-fe.h>

#include "peers/peer.h"

using tidemark::bench::die;

namespace {

constexpr int64_t kBatch = 1000;

void check(PGconn* connection, PGresult* result) {
  const ExecStatusType status = PQresultStatus(result);
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) die(PQerrorMessage(connection));
  PQclear(result);
}

std::string document(int64_t number) {
  static const std::string note(330, 'n');
  return "{\"_id\":{\"$numberLong\":\"" + std::to_string(number) + "\"},\"customer\":{\"$numberLong\":\"" +
         std::to_string(number * 7919 % 100'003) + "\"},\"status\":\"" +
         (number % 3 == 0 ? "shipped" : "open") + "\",\"total\":{\"$numberDouble\":\"" +
         std::to_string(static_cast<double>(number % 10'000) / 100) + "\"},\"note\":\"" + note + "\"}";
}

// One item of a PostgreSQL array literal.
void append_quoted(std::string& array, const std::string& text) {
  array += array.size() > 1 ? ",\"" : "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') array += '\\';
    array += c;
  }
  array += '"';
}

}  // namespace

int main(int argc, char** argv) {
  const tidemark::bench::Arguments arguments(argc, argv);
  PGconn* connection = PQconnectdb(arguments.text("postgres").c_str());
  if (PQstatus(connection) != CONNECTION_OK) die(PQerrorMessage(connection));
  check(connection, PQexec(connection, "DROP TABLE IF EXISTS bench_bulk"));
  check(connection, PQexec(connection,
                           "CREATE TABLE bench_bulk (id text PRIMARY KEY, doc jsonb, token bytea NOT NULL, "
                           "cluster_time timestamptz)"));
  const int64_t count = arguments.number("count");
  const double started = tidemark::bench::seconds_now();
  for (int64_t done = 0; done < count;) {
    const int64_t size = std::min(kBatch, count - done);
    std::string ids = "{", documents = "{", tokens = "{";
    for (int64_t n = done; n < done + size; ++n) {
      append_quoted(ids, "{\"$numberLong\":\"" + std::to_string(n) + "\"}");
      append_quoted(documents, document(n));
      append_quoted(tokens, "\\x" + tidemark::bench::guard_hex(n));
    }
    for (std::string* array : {&ids, &documents, &tokens}) *array += '}';
    const char* values[] = {ids.c_str(), documents.c_str(), tokens.c_str()};
    check(connection,
          PQexecParams(connection,
                       "INSERT INTO bench_bulk AS t SELECT i, d, k, now() FROM "
                       "unnest($1::text[], $2::jsonb[], $3::bytea[]) AS s(i, d, k) "
                       "ON CONFLICT (id) DO UPDATE SET doc = EXCLUDED.doc, token = EXCLUDED.token, "
                       "cluster_time = EXCLUDED.cluster_time WHERE t.token < EXCLUDED.token",
                       3, nullptr, values, nullptr, nullptr, 0));
    done += size;
  }
  tidemark::bench::print_result(count, tidemark::bench::seconds_now() - started);
  PQfinish(connection);
  return 0;
}
