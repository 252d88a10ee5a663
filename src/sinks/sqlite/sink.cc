#include "sinks/sqlite/sink.h"

#include <cassert>
#include <optional>

#include "core/row_plan.h"
#include "sinks/sqlite/positions.h"
#include "sinks/sqlite/rows.h"

namespace tidemark {
namespace {

using config::FieldSpec;
using config::FieldType;
using sqlite::Database;

constexpr const char* kPositionTable = "tidemark_positions";
constexpr const char* kOwnerTable = "tidemark_tables";

struct Options {
  sqlite::DatabaseOptions database;
  TablePattern table;
  std::string position_table;
  std::string owner_table;
  sqlite::Mode mode = sqlite::Mode::kCurrent;
  OnDrop on_drop = OnDrop::kApply;
};

OnDrop on_drop_of(const std::string& text) {
  return text == "stop" ? OnDrop::kStop : text == "ignore" ? OnDrop::kIgnore : OnDrop::kApply;
}

Result<Options> options_of(const config::Settings& settings) {
  Options options;
  options.database.path = settings.string("path");
  if (options.database.path.empty()) return fail(settings.error("path", "the path is empty", "name a file"));
  if (options.database.path == ":memory:")
    return fail(settings.error("path", "a database in memory keeps nothing", "name a file"));
  options.database.synchronous_full = settings.string("synchronous") == "full";
  options.database.busy_timeout = settings.duration("busy_timeout");
  auto table = TablePattern::parse(settings.string("table"), TablePattern::Schema::kNone);
  if (!table) return fail(settings.error("table", table.error().what, table.error().hint));
  options.table = std::move(*table);
  options.position_table = settings.string("position_table");
  if (options.position_table.empty() || options.position_table == settings.string("table"))
    return fail(
        settings.error("position_table", "positions need a table of their own", "give it another name"));
  options.owner_table = settings.string("owner_table");
  if (options.owner_table.empty() || options.owner_table == settings.string("table") ||
      sqlite::lower_case(options.owner_table) == sqlite::lower_case(options.position_table))
    return fail(
        settings.error("owner_table", "the owners need a table of their own", "give it another name"));
  options.mode = settings.string("mode") == "log" ? sqlite::Mode::kLog : sqlite::Mode::kCurrent;
  options.on_drop = on_drop_of(settings.string("on_drop"));
  return options;
}

sqlite::RowWriter::Options rows_of(const Options& options, const ComponentContext& context) {
  sqlite::RowWriter::Options rows{options.table,       options.mode, options.on_drop,
                                  options.owner_table, {},           context.pipeline};
  for (const std::string& name :
       {options.position_table, options.owner_table, std::string(kPositionTable), std::string(kOwnerTable)})
    rows.reserved.insert(sqlite::lower_case(name));
  for (const std::string& name : context.reserved) rows.reserved.insert(sqlite::lower_case(name));
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
  sqlite::RowWriter rows_;
  std::unique_ptr<Database> database_;
};

// --- rows and position in one transaction

class SqliteTransactionalSink final : public TransactionalSink {
 public:
  SqliteTransactionalSink(Options options, ComponentContext context)
      : options_(std::move(options)),
        context_(std::move(context)),
        rows_(rows_of(options_, context_)),
        positions_(options_.position_table),
        store_(options_.database, options_.position_table, context_) {}
  ~SqliteTransactionalSink() override { close(); }

  Result<std::optional<StoredPosition>> open_and_load(const PositionContext& context,
                                                      std::stop_token stop) override {
    if (stop.stop_requested()) return stopped();
    // The lock is kept over a retry: between two attempts nobody else may slip in.
    if (!lock_) {
      TIDEMARK_ASSIGN(lock_,
                      context_.files->lock(sqlite::lock_path(options_.database.path, context.pipeline)));
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
      loaded =
          fail(React::kConfig,
               positions_.where(*database_) + ": the position of pipeline '" + position_context_.pipeline +
                   "' is gone while the pipeline runs: its row or its table was deleted",
               "restore the file from a copy, or `tidemark position init` and copy anew");
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
  sqlite::RowWriter rows_;
  sqlite::PositionTable positions_;
  sqlite::SqlitePositionStore store_;
  std::unique_ptr<FileLock> lock_;
  std::unique_ptr<Database> database_;
};

FieldSpec field(std::string name, FieldType type, std::string doc) {
  FieldSpec spec;
  spec.name = std::move(name);
  spec.type = type;
  spec.doc = std::move(doc);
  return spec;
}

FieldSpec choice(std::string name, std::string doc, std::vector<std::string> choices) {
  FieldSpec spec = field(std::move(name), FieldType::kEnum, std::move(doc));
  spec.default_text = choices.front();
  spec.choices = std::move(choices);
  return spec;
}

}  // namespace

config::ComponentSpec sqlite_sink_spec() {
  config::ComponentSpec spec;
  spec.kind = "sink";
  spec.type = "sqlite";
  spec.summary =
      "Change events as rows of an SQLite database. Rows and position commit in one transaction, therefore "
      "effectively "
      "once. Documents are canonical Extended JSON, so that every type survives. Tables are created when "
      "absent.";
  FieldSpec path = field("path", FieldType::kString, "The database file; created when absent.");
  path.required = true;
  path.example = "\"orders.db\"";
  FieldSpec table =
      field("table", FieldType::kString,
            "The table. {database} and {collection} stand for the event's own, so that each collection gets "
            "a table; in mode \"current\" a source that watches more than one collection needs that.");
  table.required = true;
  table.example = "\"{database}.{collection}\"";
  FieldSpec mode =
      choice("mode",
             "current: one row per document (id, doc, token, cluster_time), deletes remove it. log: one row "
             "per event (token, cluster_time, op, ns, id, doc, before, update); with {collection} in the "
             "table's name, events of a whole database are left out.",
             {"current", "log"});
  FieldSpec on_drop =
      choice("on_drop",
             "What a drop, rename or dropDatabase does in mode \"current\". apply: the rows go, or move "
             "with the collection. ignore: the rows stay. stop: the pipeline stops.",
             {"apply", "ignore", "stop"});
  FieldSpec positions =
      field("position_table", FieldType::kString, "The table of the positions, one row per pipeline.");
  positions.default_text = kPositionTable;
  FieldSpec owners = field(
      "owner_table", FieldType::kString,
      "Mode \"current\": the table that says which collection each table belongs to, so that no two share "
      "one. A drop or a rename of the collection gives its table back.");
  owners.default_text = kOwnerTable;
  FieldSpec synchronous =
      choice("synchronous",
             "full: every commit is on the disk before it counts. normal: a power loss may take back "
             "the last commits, rows and position together, and they are delivered again.",
             {"full", "normal"});
  FieldSpec busy = field("busy_timeout", FieldType::kDuration,
                         "How long to wait for a lock that another process holds on the database.");
  busy.default_text = "5s";
  busy.min = 0;
  busy.max = 600'000;
  spec.fields = {path, table, mode, on_drop, positions, owners, synchronous, busy};
  return spec;
}

Result<std::unique_ptr<TransactionalSink>> make_sqlite_transactional(const config::Settings& settings,
                                                                     const ComponentContext& context) {
  TIDEMARK_ASSIGN(Options options, options_of(settings));
  return std::make_unique<SqliteTransactionalSink>(std::move(options), context);
}

Result<std::unique_ptr<Sink>> make_sqlite_sink(const config::Settings& settings,
                                               const ComponentContext& context) {
  TIDEMARK_ASSIGN(Options options, options_of(settings));
  return std::make_unique<SqliteSink>(std::move(options), context);
}

Result<std::unique_ptr<PositionStore>> make_sqlite_position_store(const config::Settings& settings,
                                                                  const ComponentContext& context) {
  TIDEMARK_ASSIGN(Options options, options_of(settings));
  return std::make_unique<sqlite::SqlitePositionStore>(std::move(options.database),
                                                       std::move(options.position_table), context);
}

bool sqlite_table_is_per_collection(const config::Settings& settings) {
  const auto table = TablePattern::parse(settings.string("table"), TablePattern::Schema::kNone);
  return table && table->has_collection();
}

bool sqlite_table_is_per_database(const config::Settings& settings) {
  const auto table = TablePattern::parse(settings.string("table"), TablePattern::Schema::kNone);
  return table && table->has_database();
}

}  // namespace tidemark
