// SQLite's own bulk upsert: the same rows that the sink writes, 1,000 to a transaction, WAL with synchronous
// = FULL.
//   --sqlite PATH --count N
#include <algorithm>

#include <sqlite3.h>

#include "peers/peer.h"

using tidemark::bench::die;

namespace {

constexpr int64_t kBatch = 1000;

void exec(sqlite3* database, const char* sql) {
  if (sqlite3_exec(database, sql, nullptr, nullptr, nullptr) != SQLITE_OK) die(sqlite3_errmsg(database));
}

void bind_text(sqlite3_stmt* statement, int index, const std::string& text) {
  sqlite3_bind_text(statement, index, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
}

}  // namespace

int main(int argc, char** argv) {
  const tidemark::bench::Arguments arguments(argc, argv);
  sqlite3* database = nullptr;
  if (sqlite3_open(arguments.text("sqlite").c_str(), &database) != SQLITE_OK) die(sqlite3_errmsg(database));
  exec(database, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  exec(database, "CREATE TABLE bulk (id TEXT PRIMARY KEY, doc TEXT, token BLOB NOT NULL, cluster_time TEXT)");
  sqlite3_stmt* upsert = nullptr;
  sqlite3_prepare_v2(
      database,
      "INSERT INTO bulk VALUES (?1, ?2, ?3, ?4) ON CONFLICT (id) DO UPDATE SET doc = excluded.doc, "
      "token = excluded.token, cluster_time = excluded.cluster_time WHERE token < excluded.token",
      -1, &upsert, nullptr);
  const std::string note(330, 'n'), time = "2026-01-01T00:00:00Z";
  const int64_t count = arguments.number("count");
  const double started = tidemark::bench::seconds_now();
  std::string id, document, token;
  for (int64_t done = 0; done < count;) {
    const int64_t size = std::min(kBatch, count - done);
    exec(database, "BEGIN IMMEDIATE");
    for (int64_t n = done; n < done + size; ++n) {
      id = "{\"$numberLong\":\"" + std::to_string(n) + "\"}";
      document = "{\"_id\":" + id + ",\"customer\":{\"$numberLong\":\"" + std::to_string(n * 7919 % 100'003) +
                 "\"},\"status\":\"open\",\"total\":{\"$numberDouble\":\"1.5\"},\"note\":\"" + note + "\"}";
      token = tidemark::bench::guard_bytes(n);
      bind_text(upsert, 1, id);
      bind_text(upsert, 2, document);
      sqlite3_bind_blob(upsert, 3, token.data(), static_cast<int>(token.size()), SQLITE_STATIC);
      bind_text(upsert, 4, time);
      if (sqlite3_step(upsert) != SQLITE_DONE) die(sqlite3_errmsg(database));
      sqlite3_reset(upsert);
    }
    exec(database, "COMMIT");
    done += size;
  }
  tidemark::bench::print_result(count, tidemark::bench::seconds_now() - started);
  sqlite3_finalize(upsert);
  sqlite3_close(database);
  return 0;
}
