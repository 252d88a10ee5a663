#include "sinks/postgres/sink.h"

#include <cassert>
#include <optional>

#include "core/row_plan.h"
#include "sinks/postgres/positions.h"
#include "sinks/postgres/rows.h"
#include "sinks/postgres/tables.h"

namespace tidemark::postgres {
namespace {

struct Options {
  ConnectionOptions connection;
  sql::RowSettings rows;
};

Result<Options> options_of(const config::Settings& settings, const ComponentContext& context) {
  Options options;
  options.connection.uri = settings.string("uri");
  if (options.connection.uri.empty() || !is_connection_string(options.connection.uri))
    return fail(settings.error(
        "uri", "not a PostgreSQL connection string (it isn't shown, as it may hold a password)",
        "write postgresql://user:password@host:5432/database"));
  if (Status files = check_tls_files(options.connection.uri); !files)
    return fail(settings.error("uri", files.error().what, files.error().hint));
  options.connection.application = "tidemark " + context.pipeline;
  options.connection.connect_timeout = settings.duration("connect_timeout");
  options.connection.statement_timeout = settings.duration("statement_timeout");
  options.connection.takeover_timeout = settings.duration("takeover_timeout");
  TIDEMARK_ASSIGN(options.rows, sql::row_settings(settings, kNaming));
  return options;
}

RowWriter::Options rows_of(const Options& options, const ComponentContext& context) {
  RowWriter::Options rows{
      options.rows.table, options.rows.mode, options.rows.on_drop, table_name(options.rows.owner_table), {},
      context.pipeline};
  for (const std::string& name : options.rows.reserved(context)) rows.reserved.push_back(table_name(name));
  return rows;
}

Error stopped() { return {React::kCancelled, "postgres sink: stopped"}; }
Error closed() { return {React::kRetry, "postgres sink: the connection was lost; open it again"}; }

// Runs BEGIN, `first` (a position's save, say), the rows, COMMIT in one pipeline: one round trip. On a failure with the
// connection alive, the transaction is rolled back on return. `end` tells which statement failed.
template <class First>
WriteResult run_transaction(Connection& connection, RowWriter& rows, std::stop_token stop, PipelineEnd& end,
                            First first) {
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
    if (RowWriter::parts_may_help(end)) return rows_.write_in_parts(*connection_, {}, stop);
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
  RowWriter rows_;
  std::unique_ptr<Connection> connection_;
};

// --- rows and position in one transaction

class PostgresTransactionalSink final : public TransactionalSink {
 public:
  PostgresTransactionalSink(Options options, ComponentContext context)
      : options_(std::move(options)),
        context_(std::move(context)),
        rows_(rows_of(options_, context_)),
        lease_(options_.connection, options_.rows.position_table, context_),
        store_(options_.connection, options_.rows.position_table, context_) {}

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
        RowWriter::parts_may_help(end)) {
      in_parts = true;
      written = write_in_parts(resume_after, end, stop);
    }
    if (written) {
      last_ = resume_after;
      return written;
    }
    if (connection.lost()) return resolve(resume_after, std::move(written), stop);
    if (in_parts) return written;
    if (PositionLease::is_fenced(end, kSaveStatement)) return write_failed(lease_.refusal(stop));
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
      if (!PositionLease::is_fenced(failed, kSaveStatement)) return std::nullopt;
      return lease_.fenced_error();
    };
    const auto fence = [&] { return lease_.add_save(last_, context_.clock->wall_ms(), stop); };
    if (auto rows = rows_.write_in_parts(connection, {fence, refusal}, stop); !rows) return rows;
    connection.start_pipeline();
    if (Status added = lease_.add_save(resume_after, context_.clock->wall_ms(), stop); !added)
      return write_failed(std::move(added).error());
    end = connection.finish(stop);
    if (!end.error) return {};
    return write_failed(PositionLease::is_fenced(end, 0) ? lease_.refusal(stop) : *end.error);
  }

  // The COMMIT may have been done or not. A new session that has raised the epoch sees the truth, since the old one can't
  // commit any more.
  WriteResult resolve(const Position& resume_after, WriteResult failure, std::stop_token stop) {
    // The same position as before tells nothing.
    const bool telling = last_ != resume_after;
    auto stored = lease_.reacquire(stop);
    if (!stored) {
      const bool final = PositionLease::is_final(stored.error());
      return final ? write_failed(std::move(stored).error()) : failure;
    }
    last_ = *stored ? (*stored)->position : Position();
    if (telling && last_ == resume_after) return {};
    return failure;
  }

  const Options options_;
  const ComponentContext context_;
  Position last_;  // the stored one, as far as this owner knows
  RowWriter rows_;
  PositionLease lease_;
  PostgresPositionStore store_;
};

}  // namespace

Result<std::unique_ptr<TransactionalSink>> make_transactional(const config::Settings& settings,
                                                              const ComponentContext& context) {
  TIDEMARK_ASSIGN(Options options, options_of(settings, context));
  return std::make_unique<PostgresTransactionalSink>(std::move(options), context);
}

Result<std::unique_ptr<Sink>> make_sink(const config::Settings& settings, const ComponentContext& context) {
  TIDEMARK_ASSIGN(Options options, options_of(settings, context));
  return std::make_unique<PostgresSink>(std::move(options), context);
}

Result<std::unique_ptr<PositionStore>> make_positions(const config::Settings& settings,
                                                      const ComponentContext& context) {
  TIDEMARK_ASSIGN(Options options, options_of(settings, context));
  return std::make_unique<PostgresPositionStore>(std::move(options.connection),
                                                 std::move(options.rows.position_table), context);
}

}  // namespace tidemark::postgres
