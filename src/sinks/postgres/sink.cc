#include "sinks/postgres/sink.h"

#include <cassert>
#include <optional>

#include "core/row_plan.h"
#include "sinks/postgres/positions.h"
#include "sinks/postgres/rows.h"
#include "sinks/postgres/tables.h"

namespace tidemark {
namespace {

using config::FieldSpec;
using config::FieldType;
using postgres::Connection;
using postgres::PipelineEnd;

constexpr const char* kPositionTable = "tidemark_positions";
constexpr const char* kOwnerTable = "tidemark_tables";

struct Options {
  postgres::ConnectionOptions connection;
  TablePattern table;
  std::string position_table;
  std::string owner_table;
  postgres::Mode mode = postgres::Mode::kCurrent;
  OnDrop on_drop = OnDrop::kApply;
};

OnDrop on_drop_of(const std::string& text) {
  return text == "stop" ? OnDrop::kStop : text == "ignore" ? OnDrop::kIgnore : OnDrop::kApply;
}

Result<Options> options_of(const config::Settings& settings, const ComponentContext& context) {
  Options options;
  options.connection.uri = settings.string("uri");
  if (options.connection.uri.empty() || !postgres::is_connection_string(options.connection.uri))
    return fail(settings.error(
        "uri", "not a PostgreSQL connection string (it isn't shown, as it may hold a password)",
        "write postgresql://user:password@host:5432/database"));
  if (Status files = postgres::check_tls_files(options.connection.uri); !files)
    return fail(settings.error("uri", files.error().what, files.error().hint));
  options.connection.application = "tidemark " + context.pipeline;
  options.connection.connect_timeout = settings.duration("connect_timeout");
  options.connection.statement_timeout = settings.duration("statement_timeout");
  options.connection.takeover_timeout = settings.duration("takeover_timeout");
  auto table = TablePattern::parse(settings.string("table"), TablePattern::Schema::kAllowed);
  if (!table) return fail(settings.error("table", table.error().what, table.error().hint));
  options.table = std::move(*table);
  options.position_table = settings.string("position_table");
  if (options.position_table.empty() || options.position_table == settings.string("table"))
    return fail(
        settings.error("position_table", "positions need a table of their own", "give it another name"));
  options.owner_table = settings.string("owner_table");
  if (options.owner_table.empty() || options.owner_table == settings.string("table") ||
      options.owner_table == options.position_table)
    return fail(
        settings.error("owner_table", "the owners need a table of their own", "give it another name"));
  options.mode = settings.string("mode") == "log" ? postgres::Mode::kLog : postgres::Mode::kCurrent;
  options.on_drop = on_drop_of(settings.string("on_drop"));
  return options;
}

postgres::RowWriter::Options rows_of(const Options& options, const ComponentContext& context) {
  postgres::RowWriter::Options rows{
      options.table,   options.mode, options.on_drop, postgres::table_name(options.owner_table), {},
      context.pipeline};
  for (const std::string& name :
       {options.position_table, options.owner_table, std::string(kPositionTable), std::string(kOwnerTable)})
    rows.reserved.push_back(postgres::table_name(name));
  for (const std::string& name : context.reserved) rows.reserved.push_back(postgres::table_name(name));
  return rows;
}

Error stopped() { return {React::kCancelled, "postgres sink: stopped"}; }
Error closed() { return {React::kRetry, "postgres sink: the connection was lost; open it again"}; }

// Runs BEGIN, `first` (a position's save, say), the rows, COMMIT in one pipeline: one round trip. On a failure with the
// connection alive, the transaction is rolled back on return. `end` tells which statement failed.
template <class First>
WriteResult run_transaction(Connection& connection, postgres::RowWriter& rows, std::stop_token stop,
                            PipelineEnd& end, First first) {
  connection.start_pipeline();
  if (auto begun = connection.add("BEGIN", {}, stop); !begun) return write_failed(std::move(begun).error());
  if (Status done = first(); !done) return write_failed(std::move(done).error());
  auto added = rows.add(connection, stop);
  if (!added && connection.lost()) return added;
  const char* last = added ? "COMMIT" : "ROLLBACK";
  if (auto sent = connection.add(last, {}, stop); !sent) return write_failed(std::move(sent).error());
  end = connection.finish(stop);
  // Not stopped by the stop: a session left in a failed transaction is of no use.
  if (end.error && !connection.lost()) static_cast<void>(connection.query("ROLLBACK", {}));
  if (!added) return added;
  if (end.error) return write_failed(*end.error);
  return {};
}

// --- one lane

class PostgresSink final : public Sink {
 public:
  PostgresSink(Options options, ComponentContext context)
      : options_(std::move(options)), context_(std::move(context)), rows_(rows_of(options_, context_)) {}

  Status open(std::stop_token stop) override {
    if (stop.stop_requested()) return fail(stopped());
    close();
    TIDEMARK_ASSIGN(connection_, Connection::open(options_.connection, *context_.clock, stop));
    return rows_.open(*connection_, stop);
  }

  // After a lost connection nobody knows whether the COMMIT was done; nothing is claimed, and the rows' guards make the
  // repetition harmless.
  WriteResult write(std::span<const Event> events, std::stop_token stop) override {
    if (events.empty()) return {};
    if (connection_ == nullptr || connection_->lost()) return write_failed(closed());
    if (stop.stop_requested()) return write_failed(stopped());
    if (auto prepared = rows_.prepare(*connection_, events, stop); !prepared) return prepared;
    if (rows_.needs_parts()) return rows_.write_in_parts(*connection_, {}, stop);
    PipelineEnd end;
    auto written = run_transaction(*connection_, rows_, stop, end, [] { return Status(); });
    if (written || connection_->lost() || stop.stop_requested()) return written;
    if (postgres::RowWriter::parts_may_help(end)) return rows_.write_in_parts(*connection_, {}, stop);
    if (end.error && end.error->react == React::kReject) return rows_.find_culprit(*connection_, end, stop);
    return written;
  }

  void close() override {
    rows_.forget();
    connection_.reset();
  }

 private:
  const Options options_;
  const ComponentContext context_;
  postgres::RowWriter rows_;
  std::unique_ptr<Connection> connection_;
};

// --- rows and position in one transaction

class PostgresTransactionalSink final : public TransactionalSink {
 public:
  PostgresTransactionalSink(Options options, ComponentContext context)
      : options_(std::move(options)),
        context_(std::move(context)),
        rows_(rows_of(options_, context_)),
        lease_(options_.connection, options_.position_table, context_),
        store_(options_.connection, options_.position_table, context_) {}

  Result<std::optional<StoredPosition>> open_and_load(const PositionContext& context,
                                                      std::stop_token stop) override {
    if (stop.stop_requested()) return fail(stopped());
    rows_.forget();
    auto loaded = lease_.acquire(context, stop);
    if (!loaded) return loaded;
    if (auto opened = rows_.open(*lease_.connection(), stop); !opened) {
      lease_.release();
      return fail(std::move(opened).error());
    }
    last_ = *loaded ? (*loaded)->position : Position();
    return loaded;
  }

  WriteResult write(std::span<const Event> events, const Position& resume_after,
                    std::stop_token stop) override {
    if (lease_.connection() == nullptr) return write_failed(closed());
    if (stop.stop_requested()) return write_failed(stopped());
    Connection& connection = *lease_.connection();
    if (auto prepared = rows_.prepare(connection, events, stop); !prepared) {
      if (connection.lost()) lease_.release();
      return prepared;
    }
    PipelineEnd end;
    bool in_parts = rows_.needs_parts();
    auto written = in_parts ? write_in_parts(resume_after, end, stop) : write_whole(resume_after, end, stop);
    if (!in_parts && !written && !connection.lost() && !stop.stop_requested() &&
        postgres::RowWriter::parts_may_help(end)) {
      in_parts = true;
      written = write_in_parts(resume_after, end, stop);
    }
    if (written) {
      last_ = resume_after;
      return written;
    }
    if (connection.lost()) return resolve(resume_after, std::move(written), stop);
    if (in_parts) return written;
    if (postgres::PositionLease::is_fenced(end, kSaveStatement)) return write_failed(lease_.refusal(stop));
    if (end.error && end.error->react == React::kReject) {
      written = rows_.find_culprit(connection, end, stop);
      if (connection.lost()) lease_.release();
    }
    return written;
  }

  void close() override {
    rows_.forget();
    lease_.release();
    store_.release();
  }

  PositionStore& position_store() override { return store_; }

 private:
  static constexpr size_t kSaveStatement = 1;  // after BEGIN

  WriteResult write_whole(const Position& resume_after, PipelineEnd& end, std::stop_token stop) {
    return run_transaction(*lease_.connection(), rows_, stop, end,
                           [&] { return lease_.add_save(resume_after, context_.clock->wall_ms(), stop); });
  }

  // The rows in transactions of their own, each behind a save of the position as it was, which fails where another owner
  // has taken over; then the new position alone. Rows that stand before it are guarded, should they come again.
  WriteResult write_in_parts(const Position& resume_after, PipelineEnd& end, std::stop_token stop) {
    Connection& connection = *lease_.connection();
    const auto refusal = [this](const PipelineEnd& failed) -> std::optional<Error> {
      if (!postgres::PositionLease::is_fenced(failed, kSaveStatement)) return std::nullopt;
      return lease_.fenced_error();
    };
    const auto fence = [&] { return lease_.add_save(last_, context_.clock->wall_ms(), stop); };
    if (auto rows = rows_.write_in_parts(connection, {fence, refusal}, stop); !rows) return rows;
    connection.start_pipeline();
    if (Status added = lease_.add_save(resume_after, context_.clock->wall_ms(), stop); !added)
      return write_failed(std::move(added).error());
    end = connection.finish(stop);
    if (!end.error) return {};
    return write_failed(postgres::PositionLease::is_fenced(end, 0) ? lease_.refusal(stop) : *end.error);
  }

  // The COMMIT may have been done or not. A new session that has raised the epoch sees the truth, since the old one can't
  // commit any more.
  WriteResult resolve(const Position& resume_after, WriteResult failure, std::stop_token stop) {
    // The same position as before tells nothing.
    const bool telling = last_ != resume_after;
    auto stored = lease_.reacquire(stop);
    if (!stored) {
      const bool final = postgres::PositionLease::is_final(stored.error());
      return final ? write_failed(std::move(stored).error()) : failure;
    }
    last_ = *stored ? (*stored)->position : Position();
    if (telling && last_ == resume_after) return {};
    return failure;
  }

  const Options options_;
  const ComponentContext context_;
  Position last_;  // the stored one, as far as this owner knows
  postgres::RowWriter rows_;
  postgres::PositionLease lease_;
  postgres::PostgresPositionStore store_;
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

FieldSpec duration(std::string name, std::string doc, std::string default_text, int64_t min_ms) {
  FieldSpec spec = field(std::move(name), FieldType::kDuration, std::move(doc));
  spec.default_text = std::move(default_text);
  spec.min = min_ms;
  spec.max = 3'600'000;
  return spec;
}

}  // namespace

config::ComponentSpec postgres_sink_spec() {
  config::ComponentSpec spec;
  spec.kind = "sink";
  spec.type = "postgres";
  spec.summary =
      "Change events as rows of a PostgreSQL database (12 or newer). Rows and position commit in one "
      "transaction, "
      "therefore effectively once. Documents are canonical Extended JSON in jsonb, so that every type "
      "survives (jsonb "
      "itself doesn't keep the order of fields, and refuses U+0000 in a text). Tables are created when "
      "absent. The "
      "position is leased by a session lock, so the uri must lead to the server or to a pooler in session "
      "mode.";
  FieldSpec uri = field("uri", FieldType::kString, "The database, as libpq reads it.");
  uri.required = true;
  uri.secret = true;
  uri.example = "\"${TIDEMARK_POSTGRES_URI}\"";
  FieldSpec table =
      field("table", FieldType::kString,
            "The table, with its schema before a dot if need be. {database} and {collection} stand for the "
            "event's own, so that each collection gets a table; in mode \"current\" a source that watches "
            "more than one collection needs that. Schemas are created when absent.");
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
      field("position_table", FieldType::kString,
            "The table of the positions, one row per pipeline, with its schema before a dot if need be.");
  positions.default_text = kPositionTable;
  FieldSpec owners = field(
      "owner_table", FieldType::kString,
      "Mode \"current\": the table that says which collection each table belongs to, so that no two share "
      "one. A drop or a rename of the collection gives its table back.");
  owners.default_text = kOwnerTable;
  spec.fields = {
      uri,
      table,
      mode,
      on_drop,
      positions,
      owners,
      duration("connect_timeout", "How long one attempt to connect may take.", "10s", 1),
      duration("statement_timeout", "How long the server may work at one statement; 0s for ever.", "60s", 0),
      duration(
          "takeover_timeout",
          "How long to wait for the position's lock before saying that another instance runs: the server "
          "needs a moment to notice the end of one that was killed.",
          "5s", 1)};
  return spec;
}

Result<std::unique_ptr<TransactionalSink>> make_postgres_transactional(const config::Settings& settings,
                                                                       const ComponentContext& context) {
  TIDEMARK_ASSIGN(Options options, options_of(settings, context));
  return std::make_unique<PostgresTransactionalSink>(std::move(options), context);
}

Result<std::unique_ptr<Sink>> make_postgres_sink(const config::Settings& settings,
                                                 const ComponentContext& context) {
  TIDEMARK_ASSIGN(Options options, options_of(settings, context));
  return std::make_unique<PostgresSink>(std::move(options), context);
}

Result<std::unique_ptr<PositionStore>> make_postgres_position_store(const config::Settings& settings,
                                                                    const ComponentContext& context) {
  TIDEMARK_ASSIGN(Options options, options_of(settings, context));
  return std::make_unique<postgres::PostgresPositionStore>(std::move(options.connection),
                                                           std::move(options.position_table), context);
}

bool postgres_table_is_per_collection(const config::Settings& settings) {
  const auto table = TablePattern::parse(settings.string("table"), TablePattern::Schema::kAllowed);
  return table && table->has_collection();
}

bool postgres_table_is_per_database(const config::Settings& settings) {
  const auto table = TablePattern::parse(settings.string("table"), TablePattern::Schema::kAllowed);
  return table && table->has_database();
}

}  // namespace tidemark
