#include "sinks/sqlite/positions.h"

#include <cassert>
#include <cctype>

#include <unistd.h>

namespace tidemark::sqlite {
namespace {

constexpr const char* kColumns =
    "pipeline TEXT PRIMARY KEY, token TEXT, cluster_time TEXT, saved_at TEXT, fingerprint TEXT, deployment "
    "TEXT, "
    "epoch INTEGER, owner TEXT, checksum TEXT";

// SQL that turns such a text back into one number: the seconds times `scale`, plus the digits after the
// point.
std::string number_of(const std::string& column, const char* scale) {
  return "CAST(strftime('%s', substr(" + column + ", 1, 19)) AS INTEGER) * " + scale +
         " + CAST(rtrim(substr(" + column + ", 21), 'Z') AS INTEGER)";
}

}  // namespace

std::string lock_path(const std::string& database_path, const std::string& pipeline) {
  std::string name = pipeline;
  for (char& c : name)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '-' && c != '_') c = '_';
  return database_path + "." + name + ".lock";
}

// --- PositionTable

std::string PositionTable::where(const Database& database) const {
  return "sqlite " + database.path() + ", table " + table_;
}

Error PositionTable::gone(const Database& database, const std::string& how) const {
  return sql::position_gone(where(database), context_.pipeline, how,
                            "restore the file from a copy, or `tidemark position init` and copy anew");
}

Status PositionTable::create(Database& database) {
  TIDEMARK_TRY(database.exec("CREATE TABLE IF NOT EXISTS " + quoted(table_) + "(" + kColumns + ")"));
  TIDEMARK_ASSIGN(Statement columns, database.prepare("SELECT name, type, pk FROM pragma_table_info(?1)"));
  columns.bind(1, table_);
  std::string found;
  while (true) {
    TIDEMARK_ASSIGN(const bool more, columns.step());
    if (!more) break;
    found += (found.empty() ? "" : ", ") + columns.text(0) + " " + columns.text(1);
    if (columns.integer(2) != 0) found += " PRIMARY KEY";
  }
  if (found == kColumns) return {};
  return fail(React::kConfig,
              where(database) + ": it has another shape: expected (" + kColumns + "), found (" + found + ")",
              "set position_table to another name");
}

Result<std::optional<PositionRow>> PositionTable::read_row(Database& database, const std::string& pipeline) {
  TIDEMARK_ASSIGN(Statement select, database.prepare("SELECT token, " + number_of("cluster_time", "1000000") +
                                                     ", " + number_of("saved_at", "1000") +
                                                     ", fingerprint, deployment, epoch, checksum FROM " +
                                                     quoted(table_) + " WHERE pipeline = ?1"));
  TIDEMARK_ASSIGN(const bool there, select.bind(1, pipeline).step());
  if (!there) return std::nullopt;
  PositionRow row;
  row.pipeline = pipeline;
  row.token = select.text(0);
  row.cluster_time_us = select.integer(1);
  row.saved_at_ms = select.integer(2);
  row.fingerprint = select.text(3);
  row.deployment = select.text(4);
  row.epoch = static_cast<uint64_t>(select.integer(5));
  row.checksum = select.text(6);
  return row;
}

Result<std::optional<StoredPosition>> PositionTable::read(Database& database, const std::string& pipeline) {
  TIDEMARK_ASSIGN(Statement tables,
                  database.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1"));
  TIDEMARK_ASSIGN(const bool there, tables.bind(1, table_).step());
  tables.reset();
  if (!there) return std::nullopt;
  TIDEMARK_ASSIGN(const auto row, read_row(database, pipeline));
  if (!row) return std::nullopt;
  return row->stored(where(database));
}

Result<std::optional<StoredPosition>> PositionTable::take(Database& database,
                                                          const PositionContext& context) {
  context_ = context;
  TIDEMARK_TRY(database.begin());
  auto loaded = take_in_transaction(database);
  if (loaded) {
    if (auto committed = database.commit(); !committed) loaded = fail(std::move(committed).error());
  }
  if (!loaded) database.rollback();
  return loaded;
}

Result<std::optional<StoredPosition>> PositionTable::take_in_transaction(Database& database) {
  TIDEMARK_ASSIGN(const auto row, read_row(database, context_.pipeline));
  std::optional<StoredPosition> loaded;
  if (row) {
    TIDEMARK_ASSIGN(loaded, row->stored(where(database)));
    row_ = *row;
  } else {
    row_ = {};
    row_.pipeline = context_.pipeline;
    TIDEMARK_ASSIGN(Statement insert,
                    database.prepare("INSERT INTO " + quoted(table_) + "(pipeline, epoch) VALUES(?1, 0)"));
    TIDEMARK_TRY(insert.bind(1, context_.pipeline).run());
  }
  ++row_.epoch;
  row_.seal();
  TIDEMARK_ASSIGN(Statement raise,
                  database.prepare("UPDATE " + quoted(table_) +
                                   " SET epoch = ?2, checksum = ?3, "
                                   "token = ?4, cluster_time = ?5, saved_at = ?6, fingerprint = ?7, "
                                   "deployment = ?8, owner = ?9 WHERE pipeline = ?1"));
  const std::string owner = "pid " + std::to_string(::getpid());
  const std::string time = row_.cluster_time_text(), saved = row_.saved_at_text();
  TIDEMARK_TRY(raise.bind(1, row_.pipeline)
                   .bind(2, static_cast<int64_t>(row_.epoch))
                   .bind(3, row_.checksum)
                   .bind(4, row_.token)
                   .bind(5, time)
                   .bind(6, saved)
                   .bind(7, row_.fingerprint)
                   .bind(8, row_.deployment)
                   .bind(9, owner)
                   .run());
  return loaded;
}

Status PositionTable::save(Database& database, const Position& position, int64_t now_ms) {
  assert(row_.epoch > 0);
  row_.put(position, context_, now_ms);
  return update(database);
}

Status PositionTable::erase(Database& database) {
  assert(row_.epoch > 0);
  row_.erase();
  return update(database);
}

// The guard: a row whose epoch was raised by another owner is left alone.
Status PositionTable::update(Database& database) {
  TIDEMARK_ASSIGN(Statement update,
                  database.prepare(
                      "UPDATE " + quoted(table_) +
                      " SET token = ?3, cluster_time = ?4, saved_at = ?5, "
                      "fingerprint = ?6, deployment = ?7, checksum = ?8 WHERE pipeline = ?1 AND epoch = ?2"));
  const std::string time = row_.cluster_time_text(), saved = row_.saved_at_text();
  TIDEMARK_TRY(update.bind(1, row_.pipeline)
                   .bind(2, static_cast<int64_t>(row_.epoch))
                   .bind(3, row_.token)
                   .bind(4, time)
                   .bind(5, saved)
                   .bind(6, row_.fingerprint)
                   .bind(7, row_.deployment)
                   .bind(8, row_.checksum)
                   .run());
  if (database.changes() == 1) return {};
  TIDEMARK_ASSIGN(const auto there, read_row(database, row_.pipeline));
  if (!there) {
    return fail(gone(database, "its row was deleted"));
  }
  return fail(sql::taken_over(where(database), row_.pipeline));
}

// --- SqlitePositionStore

SqlitePositionStore::SqlitePositionStore(DatabaseOptions options, std::string table, ComponentContext context)
    : options_(std::move(options)), context_(std::move(context)), table_(std::move(table)) {}

SqlitePositionStore::~SqlitePositionStore() { release(); }

Result<std::optional<StoredPosition>> SqlitePositionStore::acquire(const PositionContext& context,
                                                                   std::stop_token stop) {
  if (stop.stop_requested()) return fail(React::kCancelled, "stopped");
  if (!lock_) {
    TIDEMARK_ASSIGN(lock_, context_.files->lock(lock_path(options_.path, context.pipeline)));
  }
  database_.reset();
  auto loaded = [&]() -> Result<std::optional<StoredPosition>> {
    TIDEMARK_ASSIGN(database_, Database::open(options_, *context_.clock));
    const Database::StopScope scope(*database_, stop);
    TIDEMARK_TRY(table_.create(*database_));
    return table_.take(*database_, context);
  }();
  if (!loaded) release();
  return loaded;
}

Status SqlitePositionStore::save(const DurablePosition& position, std::stop_token stop) {
  assert(database_ != nullptr);
  const Database::StopScope scope(*database_, std::move(stop));
  TIDEMARK_TRY(table_.save(*database_, position.get(), context_.clock->wall_ms()));
  return database_->check_named();
}

Result<std::optional<StoredPosition>> SqlitePositionStore::peek(const std::string& pipeline,
                                                                std::stop_token stop) {
  TIDEMARK_ASSIGN(const bool there, context_.files->exists(options_.path));
  if (!there) return std::nullopt;
  DatabaseOptions options = options_;
  options.read_only = true;
  TIDEMARK_ASSIGN(const auto database, Database::open(options, *context_.clock));
  const Database::StopScope scope(*database, std::move(stop));
  return table_.read(*database, pipeline);
}

Status SqlitePositionStore::erase(std::stop_token stop) {
  assert(database_ != nullptr);
  const Database::StopScope scope(*database_, std::move(stop));
  return table_.erase(*database_);
}

void SqlitePositionStore::release() {
  database_.reset();
  lock_.reset();
}

std::string SqlitePositionStore::describe() const {
  return "sqlite " + options_.path + ", table " + table_.name();
}

}  // namespace tidemark::sqlite
