#include "sinks/postgres/index_limit.h"

#include <span>

#include "base/log.h"

namespace tidemark::postgres {

Status IndexLimit::prepare(Connection& connection, std::stop_token stop) {
  for (const char* sql :
       {"BEGIN READ WRITE", "CREATE TEMPORARY TABLE tidemark_ids(id text PRIMARY KEY) ON COMMIT DELETE ROWS",
        "COMMIT"}) {
    if (auto done = connection.query(sql, stop); !done) {
      if (connection.lost() || stop.stop_requested()) return fail(std::move(done).error());
      static_cast<void>(connection.query("ROLLBACK", {}));
      log::warn(
          "{}: no temporary table can be made, so that documents whose _id is too long for an index "
          "look like missing ones: {}",
          connection.describe(), done.error().what);
      state_ = State::kRefused;
      return {};
    }
  }
  state_ = State::kReady;
  return {};
}

Status IndexLimit::check(const std::string& id, Connection& connection, std::stop_token stop) {
  if (state_ == State::kUnknown) TIDEMARK_TRY(prepare(connection, stop));
  if (state_ == State::kRefused) return {};
  auto taken = connection.query("INSERT INTO pg_temp.tidemark_ids VALUES ($1)", std::span(&id, 1), stop);
  if (!taken && taken.error().react == React::kReject)
    return fail(React::kReject, "its _id has " + std::to_string(id.size()) +
                                    " bytes as text, more than an index of PostgreSQL's holds");
  if (!taken) return fail(std::move(taken).error());
  return {};
}

}  // namespace tidemark::postgres
