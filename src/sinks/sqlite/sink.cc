#include "sinks/sqlite/sink.h"

#include <cassert>
#include <optional>

#include "core/row_plan.h"
#include "sinks/sqlite/positions.h"
#include "sinks/sqlite/rows.h"

namespace tidemark::sqlite {

const sql::Naming kNaming = {TablePattern::Schema::kNone, lower_case};

namespace {

struct Options {
  DatabaseOptions database;
  sql::RowSettings rows;
};

Result<Options> options_of(const config::Settings& settings) {
  Options options;
  options.database.path = settings.string("path");
  if (options.database.path.empty()) return fail(settings.error("path", "the path is empty", "name a file"));
  if (options.database.path == ":memory:")
    return fail(settings.error("path", "a database in memory keeps nothing", "name a file"));
  options.database.synchronous_full = settings.string("synchronous") == "full";
  options.database.busy_timeout = settings.duration("busy_timeout");
  TIDEMARK_ASSIGN(options.rows, sql::row_settings(settings, kNaming));
  return options;
}

RowWriter::Options rows_of(const Options& options, const ComponentContext& context) {
  RowWriter::Options rows{
      options.rows.table, options.rows.mode, options.rows.on_drop, options.rows.owner_table, {},
      context.pipeline};
  for (const std::string& name : options.rows.reserved(context)) rows.reserved.insert(lower_case(name));
  return rows;
}

tl::unexpected<Error> stopped() { return fail(React::kCancelled, "sqlite sink: stopped"); }

// --- one lane

class SqliteSink final : public Sink {
 public:
  SqliteSink(Options options, ComponentContext context)
      : options_(std::move(options)), context_(std::move(context)), rows_(rows_of(options_, context_)) {}
  ~SqliteSink() override { close(); }

  Status open(std::stop_token stop) override {
    if (stop.stop_requested()) return stopped();
    // Before a new file is made in its place.
    if (database_ != nullptr) TIDEMARK_TRY(database_->check_named());
    close();
    TIDEMARK_ASSIGN(database_, Database::open(options_.database, *context_.clock));
    const Database::StopScope scope(*database_, stop);
    return rows_.open(*database_);
  }

  WriteResult write(std::span<const Event> events, std::stop_token stop) override {
    assert(database_ != nullptr);
    if (events.empty()) return {};
    if (stop.stop_requested()) return write_failed(stopped().value());
    if (auto planned = rows_.prepare(events); !planned) return planned;
    const Database::StopScope scope(*database_, stop);
    auto written = transaction(events);
    if (!written) {
      database_->rollback();
      rows_.forget();
    }
    return written;
  }

  void close() override {
    rows_.forget();
    database_.reset();
  }

  std::optional<uint64_t> wal_bytes() const override {
    return sqlite::wal_bytes(*context_.files, options_.database.path);
  }

 private:
  WriteResult transaction(std::span<const Event> events) {
    if (auto begun = database_->begin(); !begun) return write_failed(std::move(begun).error());
    const auto next_part = [this]() -> Status {
      TIDEMARK_TRY(commit());
      return database_->begin();
    };
    if (auto written = rows_.write(*database_, events, next_part); !written) return written;
    if (auto committed = commit(); !committed) return write_failed(std::move(committed).error());
    return {};
  }

  Status commit() {
    TIDEMARK_TRY(database_->commit());
    return database_->check_named();
  }

  const Options options_;
  const ComponentContext context_;
  RowWriter rows_;
  std::unique_ptr<Database> database_;
};

// --- rows and position in one transaction

class SqliteTransactionalSink final : public TransactionalSink {
 public:
  SqliteTransactionalSink(Options options, ComponentContext context)
      : options_(std::move(options)),
        context_(std::move(context)),
        rows_(rows_of(options_, context_)),
        positions_(options_.rows.position_table),
        store_(options_.database, options_.rows.position_table, context_) {}
  ~SqliteTransactionalSink() override { close(); }

  Result<std::optional<StoredPosition>> open_and_load(const PositionContext& context,
                                                      std::stop_token stop) override {
    if (stop.stop_requested()) return stopped();
    // The lock is kept over a retry: between two attempts nobody else may slip in.
    if (!lock_) {
      TIDEMARK_ASSIGN(lock_, context_.files->lock(lock_path(options_.database.path, context.pipeline)));
    }
    position_context_ = context;
    return reopen(stop);
  }

  WriteResult write(std::span<const Event> events, const Position& resume_after,
                    std::stop_token stop) override {
    if (database_ == nullptr)
      return write_failed(
          {React::kRetry, "sqlite sink: the database is closed after an error; open it again"});
    if (stop.stop_requested()) return write_failed(stopped().value());
    if (auto planned = rows_.prepare(events); !planned) return planned;
    bool commit_failed = false;
    auto written = [&] {
      const Database::StopScope scope(*database_, stop);
      return transaction(events, resume_after, commit_failed);
    }();
    if (written) {
      last_ = resume_after;
      return written;
    }
    database_->rollback();
    rows_.forget();
    if (commit_failed) return resolve(resume_after, std::move(written), stop);
    return written;
  }

  void close() override {
    disconnect();
    store_.release();
    lock_.reset();
  }

  PositionStore& position_store() override { return store_; }

  std::optional<uint64_t> wal_bytes() const override {
    return sqlite::wal_bytes(*context_.files, options_.database.path);
  }

 private:
  Result<std::optional<StoredPosition>> reopen(std::stop_token stop) {
    if (database_ != nullptr) TIDEMARK_TRY(database_->check_named());
    disconnect();
    TIDEMARK_ASSIGN(database_, Database::open(options_.database, *context_.clock));
    auto loaded = [&]() -> Result<std::optional<StoredPosition>> {
      const Database::StopScope scope(*database_, stop);
      TIDEMARK_TRY(positions_.create(*database_));
      TIDEMARK_TRY(rows_.open(*database_));
      return positions_.take(*database_, position_context_);
    }();
    // A position that was there is never replaced by none: that would be a start from nowhere.
    if (loaded && !*loaded && !last_.empty()) {
      loaded = fail(positions_.gone(*database_, "its row or its table was deleted"));
    }
    if (!loaded)
      disconnect();
    else
      last_ = *loaded ? (*loaded)->position : Position();
    return loaded;
  }

  void disconnect() {
    rows_.forget();
    database_.reset();
  }

  WriteResult transaction(std::span<const Event> events, const Position& resume_after, bool& commit_failed) {
    const auto save = [this](const Position& position) {
      return positions_.save(*database_, position, context_.clock->wall_ms());
    };
    const auto commit = [this, &commit_failed]() -> Status {
      if (Status done = database_->commit(); !done) {
        commit_failed = true;
        return done;
      }
      return database_->check_named();
    };
    // In parts, each stands behind the position as it was; the new one is saved with the last.
    const bool in_parts = rows_.needs_parts();
    const auto next_part = [&]() -> Status {
      TIDEMARK_TRY(commit());
      TIDEMARK_TRY(database_->begin());
      return save(last_);
    };
    if (auto begun = database_->begin(); !begun) return write_failed(std::move(begun).error());
    // First the position: an owner that was fenced finds out before it writes a row.
    if (auto saved = save(in_parts ? last_ : resume_after); !saved)
      return write_failed(std::move(saved).error());
    if (auto written = rows_.write(*database_, events, next_part); !written) return written;
    if (in_parts) {
      if (auto saved = save(resume_after); !saved) return write_failed(std::move(saved).error());
    }
    if (auto committed = commit(); !committed) return write_failed(std::move(committed).error());
    return {};
  }

  // A COMMIT that failed on the disk may stand in the log of the database all the same: open it anew, which
  // recovers it, and read what is stored.
  WriteResult resolve(const Position& resume_after, WriteResult failure, std::stop_token stop) {
    // The same position as before tells nothing.
    const bool telling = last_ != resume_after;
    auto loaded = reopen(stop);
    if (telling && loaded && *loaded && (*loaded)->position == resume_after) return {};
    if (!loaded && (loaded.error().react == React::kFenced || loaded.error().react == React::kConfig))
      return write_failed(std::move(loaded).error());
    return failure;
  }

  const Options options_;
  const ComponentContext context_;
  PositionContext position_context_;
  Position last_;  // the stored one, as far as this owner knows
  RowWriter rows_;
  PositionTable positions_;
  SqlitePositionStore store_;
  std::unique_ptr<FileLock> lock_;
  std::unique_ptr<Database> database_;
};

}  // namespace

Result<std::unique_ptr<TransactionalSink>> make_transactional(const config::Settings& settings,
                                                              const ComponentContext& context) {
  TIDEMARK_ASSIGN(Options options, options_of(settings));
  return std::make_unique<SqliteTransactionalSink>(std::move(options), context);
}

Result<std::unique_ptr<Sink>> make_sink(const config::Settings& settings, const ComponentContext& context) {
  TIDEMARK_ASSIGN(Options options, options_of(settings));
  return std::make_unique<SqliteSink>(std::move(options), context);
}

Result<std::unique_ptr<PositionStore>> make_positions(const config::Settings& settings,
                                                      const ComponentContext& context) {
  TIDEMARK_ASSIGN(Options options, options_of(settings));
  return std::make_unique<SqlitePositionStore>(std::move(options.database),
                                               std::move(options.rows.position_table), context);
}

}  // namespace tidemark::sqlite
