#include "sinks/postgres/positions.h"

#include <algorithm>
#include <cassert>
#include <charconv>

#include "base/digest.h"
#include "sinks/postgres/sqlstate.h"
#include "sinks/postgres/tables.h"

namespace tidemark::postgres {
namespace {

constexpr const char* kColumns =
    "pipeline text PRIMARY KEY, token text, cluster_time timestamp with time zone, saved_at timestamp with "
    "time zone, "
    "fingerprint text, deployment text, epoch bigint, owner text, checksum text";

int64_t number(const std::string& text) {
  int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

Param text_param(std::string_view text) { return {text, false, false, 0}; }

}  // namespace

PositionLease::PositionLease(ConnectionOptions options, std::string table, ComponentContext context)
    : options_(std::move(options)), table_(table_name(table)), context_(std::move(context)) {
  // Dividing by the number of rows changed turns "no row has this epoch" into an error, which aborts the transaction
  // and every statement behind it in the pipeline.
  save_sql_ =
      "WITH saved AS (UPDATE " + sql_name(table_) +
      " SET token = $3, cluster_time = $4::timestamptz, saved_at = $5::timestamptz, fingerprint = $6, "
      "deployment = $7, checksum = $8 WHERE pipeline = $1 AND epoch = $2::bigint RETURNING 1) "
      "SELECT 1 / count(*) FROM saved";
}

std::string PositionLease::where() const {
  return (connection_ ? connection_->describe() : std::string("postgres")) + ", table " + table_.text();
}

Result<std::optional<StoredPosition>> PositionLease::acquire(const PositionContext& context,
                                                             std::stop_token stop) {
  position_context_ = context;
  return take(std::nullopt, std::move(stop));
}

Result<std::optional<StoredPosition>> PositionLease::reacquire(std::stop_token stop) {
  assert(ever_acquired());
  return take(row_.epoch, std::move(stop));
}

Result<std::optional<StoredPosition>> PositionLease::take(std::optional<uint64_t> expected_epoch,
                                                          std::stop_token stop) {
  if (stop.stop_requested()) return fail(React::kCancelled, "postgres: stopped");
  connection_.reset();
  TIDEMARK_ASSIGN(auto connection, Connection::open(options_, *context_.clock, stop));
  if (ever_acquired()) {
    // A position that was there is never replaced by none: that would be a start from nowhere.
    TIDEMARK_ASSIGN(const std::string shape, shape_of(*connection, table_, stop));
    if (shape.empty())
      return fail(gone_error(*connection, "its table was dropped, or the database made anew"));
    TIDEMARK_ASSIGN(const auto row, read_row(*connection, position_context_.pipeline, false, stop));
    if (!row) return fail(gone_error(*connection, "its row was deleted"));
    // Before waiting for the lock: another owner may hold it for good.
    if (expected_epoch && row->epoch != *expected_epoch) return fail(fenced_error());
  } else {
    TIDEMARK_TRY(ensure_table(*connection, table_, kColumns, stop));
  }
  TIDEMARK_TRY(lock(*connection, stop));
  auto loaded = raise(*connection, expected_epoch, stop);
  if (!loaded) {
    return loaded;
  }
  connection_ = std::move(connection);
  return loaded;
}

Status PositionLease::lock(Connection& connection, std::stop_token stop) {
  // Not at once: the server needs a moment to notice that the session of an owner that was killed is gone.
  const auto patience = std::max<int64_t>(options_.takeover_timeout.count(), 1);
  TIDEMARK_TRY(connection.query("SET lock_timeout = " + std::to_string(patience), stop));
  const std::string& pipeline = position_context_.pipeline;
  const auto hash = static_cast<int32_t>(
      hash64(std::span(reinterpret_cast<const uint8_t*>(pipeline.data()), pipeline.size())));
  const std::string params[] = {sql_name(table_), std::to_string(hash)};
  auto locked = connection.query("SELECT pg_advisory_lock($1::regclass::oid::int4, $2::int4)", params, stop);
  if (!locked && connection.sqlstate() == kLockNotAvailable) {
    return fail(React::kFenced,
                connection.describe() + ": another instance runs pipeline '" + pipeline + "'" +
                    held_by(connection, stop),
                "let one instance run; the lock is given back when the other one ends");
  }
  if (!locked) return fail(std::move(locked).error());
  TIDEMARK_TRY(connection.query("SET lock_timeout = 0", stop));
  return {};
}

std::string PositionLease::held_by(Connection& connection, std::stop_token stop) {
  const auto rows = connection.query("SELECT owner FROM " + sql_name(table_) + " WHERE pipeline = $1",
                                     std::span(&position_context_.pipeline, 1), stop);
  return rows && !rows->empty() ? " (" + rows->rows[0][0] + ")" : "";
}

Result<std::optional<PositionRow>> PositionLease::read_row(Connection& connection,
                                                           const std::string& pipeline, bool for_update,
                                                           std::stop_token stop) {
  TIDEMARK_ASSIGN(
      const Rows rows,
      connection.query("SELECT token, (extract(epoch FROM cluster_time) * 1000000)::bigint, "
                       "(extract(epoch FROM saved_at) * 1000)::bigint, fingerprint, deployment, epoch, "
                       "checksum FROM " +
                           sql_name(table_) + " WHERE pipeline = $1" + (for_update ? " FOR UPDATE" : ""),
                       std::span(&pipeline, 1), std::move(stop)));
  if (rows.empty()) return std::nullopt;
  const auto& columns = rows.rows[0];
  PositionRow row;
  row.pipeline = pipeline;
  row.token = columns[0];
  row.cluster_time_us = number(columns[1]);
  row.saved_at_ms = number(columns[2]);
  row.fingerprint = columns[3];
  row.deployment = columns[4];
  row.epoch = static_cast<uint64_t>(number(columns[5]));
  row.checksum = columns[6];
  return row;
}

Result<std::optional<StoredPosition>> PositionLease::raise(Connection& connection,
                                                           std::optional<uint64_t> expected_epoch,
                                                           std::stop_token stop) {
  TIDEMARK_TRY(connection.query("BEGIN", stop));
  TIDEMARK_ASSIGN(const auto row, read_row(connection, position_context_.pipeline, true, stop));
  std::optional<StoredPosition> loaded;
  PositionRow next;
  next.pipeline = position_context_.pipeline;
  if (row) {
    if (expected_epoch && row->epoch != *expected_epoch) return fail(fenced_error());
    TIDEMARK_ASSIGN(loaded, row->stored(where()));
    next = *row;
  }
  ++next.epoch;
  next.seal();
  const std::string params[] = {
      next.pipeline,    next.token,      next.cluster_time_text(),   next.saved_at_text(),
      next.fingerprint, next.deployment, std::to_string(next.epoch), next.checksum};
  TIDEMARK_TRY(connection.query(
      "INSERT INTO " + sql_name(table_) +
          "(pipeline, token, cluster_time, saved_at, fingerprint, deployment, epoch, owner, checksum) "
          "VALUES($1, $2, "
          "$3::timestamptz, $4::timestamptz, $5, $6, $7::bigint, 'session ' || pg_backend_pid() || ' from ' "
          "|| "
          "coalesce(host(inet_client_addr()), 'this machine'), $8) ON CONFLICT(pipeline) DO UPDATE SET "
          "cluster_time = excluded.cluster_time, saved_at = excluded.saved_at, epoch = excluded.epoch, "
          "owner = excluded.owner, checksum = excluded.checksum",
      params, stop));
  TIDEMARK_TRY(connection.query("COMMIT", stop));
  row_ = next;
  return loaded;
}

Result<std::optional<StoredPosition>> PositionLease::peek(const std::string& pipeline, std::stop_token stop) {
  TIDEMARK_ASSIGN(const auto connection, Connection::open(options_, *context_.clock, stop));
  const std::string name = sql_name(table_);
  TIDEMARK_ASSIGN(const Rows there,
                  connection->query("SELECT 1 WHERE to_regclass($1) IS NOT NULL", std::span(&name, 1), stop));
  if (there.empty()) return std::nullopt;
  TIDEMARK_ASSIGN(const auto row, read_row(*connection, pipeline, false, stop));
  if (!row) return std::nullopt;
  return row->stored(connection->describe() + ", table " + table_.text());
}

Status PositionLease::add_save(const Position& position, int64_t now_ms, std::stop_token stop) {
  assert(connection_ && ever_acquired());
  if (position.empty())
    row_.erase();
  else
    row_.put(position, position_context_, now_ms);
  const std::string epoch = std::to_string(row_.epoch), time = row_.cluster_time_text(),
                    saved = row_.saved_at_text();
  const Param params[] = {text_param(row_.pipeline),   text_param(epoch),
                          text_param(row_.token),      text_param(time),
                          text_param(saved),           text_param(row_.fingerprint),
                          text_param(row_.deployment), text_param(row_.checksum)};
  return connection_->add(save_sql_, params, std::move(stop));
}

bool PositionLease::is_fenced(const PipelineEnd& end, size_t statement) {
  return end.error && end.statement == statement && end.sqlstate == kDivisionByZero;
}

Error PositionLease::gone_error(const Connection& connection, const std::string& how) const {
  return sql::position_gone(connection.describe() + ", table " + table_.text(), position_context_.pipeline,
                            how,
                            "put the table back as it was; or, where the rows are gone too, `tidemark "
                            "position init` and copy anew");
}

Error PositionLease::refusal(std::stop_token stop) {
  if (connection_ && !connection_->lost()) {
    const auto row = read_row(*connection_, position_context_.pipeline, false, std::move(stop));
    if (row && !*row) return gone_error(*connection_, "its row was deleted");
  }
  return fenced_error();
}

bool PositionLease::is_final(const Error& error) {
  return error.react == React::kFenced || error.react == React::kConfig;
}

Error PositionLease::fenced_error() const { return sql::taken_over(where(), position_context_.pipeline); }

// --- PostgresPositionStore

Status PostgresPositionStore::save(const DurablePosition& position, std::stop_token stop) {
  return put(position.get(), std::move(stop));
}

Status PostgresPositionStore::erase(std::stop_token stop) { return put({}, std::move(stop)); }

Status PostgresPositionStore::put(const Position& position, std::stop_token stop) {
  if (stop.stop_requested()) return fail(React::kCancelled, "postgres: stopped");
  // After a lost connection the lease is looked after before the next save.
  if (lease_.connection() == nullptr) {
    if (auto taken = lease_.reacquire(stop); !taken) return fail(std::move(taken).error());
  }
  Connection& connection = *lease_.connection();
  connection.start_pipeline();
  Status added = lease_.add_save(position, context_.clock->wall_ms(), stop);
  const PipelineEnd end = added ? connection.finish(stop) : PipelineEnd{std::move(added).error(), {}, 0};
  if (!end.error) return {};
  if (PositionLease::is_fenced(end, 0)) return fail(lease_.refusal(stop));
  if (!connection.lost()) return fail(*end.error);
  // Whether it was saved, the stored position says.
  auto stored = lease_.reacquire(stop);
  if (!stored) return fail(PositionLease::is_final(stored.error()) ? std::move(stored).error() : *end.error);
  if (stored->has_value() ? (**stored).position == position : position.empty()) return {};
  return fail(*end.error);
}

}  // namespace tidemark::postgres
