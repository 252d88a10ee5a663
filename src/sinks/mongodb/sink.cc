#include "sinks/mongodb/sink.h"

#include "mongo/position_store.h"
#include "sinks/mongodb/settings.h"
#include "sinks/mongodb/writer.h"

namespace tidemark::mongodb_sink {
namespace {

using mongo::Client;
using mongo::LeasedPositionStore;

Error stopped() { return {React::kCancelled, "mongodb sink: stopped"}; }
Error closed() { return {React::kRetry, "mongodb sink: the lease is not held; open it again"}; }

// --- one lane

class MongodbSink final : public Sink {
 public:
  MongodbSink(const Options& options, std::unique_ptr<Client> client, Clock& clock)
      : client_(std::move(client)), writer_(options.make_writer(clock)) {}

  // Asks the server something, so that a wrong password is told before the first event.
  Status open(std::stop_token stop) override {
    if (stop.stop_requested()) return fail(stopped());
    TIDEMARK_TRY(client_->abilities(stop));
    return writer_->open(*client_, std::move(stop));
  }

  WriteResult write(std::span<const Event> events, std::stop_token stop) override {
    if (events.empty()) return {};
    if (stop.stop_requested()) return write_failed(stopped());
    if (auto planned = writer_->plan(events); !planned) return planned;
    if (auto ready = writer_->ensure(*client_, stop); !ready) return ready;
    const auto next_part = [&stop] { return stop.stop_requested() ? fail(stopped()) : Status(); };
    return writer_->write(*client_, next_part, stop);
  }

  void close() override {}

 private:
  const std::unique_ptr<Client> client_;
  const std::unique_ptr<Writer> writer_;
};

// --- documents and position in one transaction

class MongodbTransactionalSink final : public TransactionalSink {
 public:
  MongodbTransactionalSink(const Options& options, std::shared_ptr<Client> client,
                           std::shared_ptr<Client> store_client, const ComponentContext& context)
      : use_transactions_(options.transactions),
        client_(std::move(client)),
        writer_(options.make_writer(*context.clock)),
        lease_(client_, options.position_database, options.lease(context.pipeline), *context.clock),
        store_(std::move(store_client), options.position_database, options.lease(context.pipeline),
               *context.clock) {}

  Result<std::optional<StoredPosition>> open_and_load(const PositionContext& context,
                                                      std::stop_token stop) override {
    if (stop.stop_requested()) return fail(stopped());
    client_->abort_transaction();
    TIDEMARK_ASSIGN(const mongo::Abilities abilities, client_->abilities(stop));
    transactions_ = use_transactions_ && abilities.transactions;
    context_ = context;
    auto loaded = lease_.acquire(context, stop);
    if (!loaded) return loaded;
    if (Status ready = writer_->open(*client_, std::move(stop)); !ready) {
      lease_.release();
      return fail(std::move(ready).error());
    }
    last_ = *loaded ? (*loaded)->position : Position();
    return loaded;
  }

  WriteResult write(std::span<const Event> events, const Position& resume_after,
                    std::stop_token stop) override {
    if (!lease_.held()) return write_failed(closed());
    if (stop.stop_requested()) return write_failed(stopped());
    if (auto planned = writer_->plan(events); !planned) return planned;
    if (auto ready = writer_->ensure(*client_, stop); !ready) return ready;
    WriteResult written = transactions_ && !events.empty() && writer_->fits_transaction()
                              ? write_together(resume_after, stop)
                              : write_then_save(resume_after, stop);
    if (written) {
      last_ = resume_after;
    } else {
      written.error().durable_prefix = 0;
    }
    return written;
  }

  void close() override {
    lease_.release();
    store_.release();
  }

  PositionStore& position_store() override { return store_; }

 private:
  WriteResult write_together(const Position& resume_after, std::stop_token stop) {
    if (Status begun = client_->begin_transaction(stop); !begun)
      return write_failed(std::move(begun).error());
    // The position first: an owner that lost its lease learns it before it touches a document.
    if (Status saved = lease_.save_in_transaction(resume_after, stop); !saved) {
      client_->abort_transaction();
      // Another owner, or no position at all: a transaction can't tell, because it reads as of its beginning.
      if (saved.error().react == React::kFenced) {
        if (Status owner = lease_.check(stop); !owner) return write_failed(std::move(owner).error());
      }
      return write_failed(std::move(saved).error());
    }
    if (auto written = writer_->write(*client_, {}, stop); !written) {
      client_->abort_transaction();
      const Error& error = written.error().error;
      // A statement that fails ends the transaction, and doesn't always say which event it was; a duplicate is no failure
      // at all. Outside of a transaction each statement answers for itself.
      if (error.react == React::kReject || error.unknown || mongo::may_be_a_document(error.code))
        return write_then_save(resume_after, stop);
      return written;
    }
    auto committed = client_->commit_transaction();
    if (committed) return {};
    if (committed.error().unknown) return resolve(resume_after, std::move(committed).error().error, stop);
    return write_failed(std::move(committed).error().error);
  }

  WriteResult write_then_save(const Position& resume_after, std::stop_token stop) {
    if (Status owner = lease_.check(stop); !owner) return write_failed(std::move(owner).error());
    // A part stands behind the position as it was: saving it renews the lease, and fails where another owner has taken over.
    const auto next_part = [&]() -> Status {
      if (stop.stop_requested()) return fail(stopped());
      return last_.empty() ? lease_.check(stop) : lease_.save_after(last_, stop);
    };
    if (auto written = writer_->write(*client_, next_part, stop); !written) return written;
    if (Status saved = lease_.save_after(resume_after, stop); !saved)
      return write_failed(std::move(saved).error());
    return {};
  }

  // The commit may have been done or not, or be on its way yet. A new epoch on the position's document comes after it or
  // makes it fail, so that what is read with it is the truth.
  WriteResult resolve(const Position& resume_after, Error failure, std::stop_token stop) {
    // The same position as before tells nothing.
    const bool telling = last_ != resume_after;
    failure.react = React::kRetry;
    auto stored = lease_.acquire(context_, std::move(stop));
    if (!stored) {
      const bool fenced = stored.error().react == React::kFenced;
      return write_failed(fenced ? std::move(stored).error() : std::move(failure));
    }
    // A position that is gone must not come into being again by the next save.
    if (!*stored) return write_failed(lease_.gone());
    last_ = (*stored)->position;
    if (telling && last_ == resume_after) return {};
    return write_failed(std::move(failure));
  }

  const bool use_transactions_;
  const std::shared_ptr<Client> client_;
  const std::unique_ptr<Writer> writer_;
  LeasedPositionStore lease_;
  LeasedPositionStore store_;
  PositionContext context_;
  Position last_;  // the stored one, as far as this owner knows
  bool transactions_ = false;
};

}  // namespace

Result<std::unique_ptr<TransactionalSink>> make_transactional(const config::Settings& settings,
                                                              const ComponentContext& context) {
  TIDEMARK_ASSIGN(Options options, options_of(settings));
  options.writer.reserved = reserved_names(options, context);
  options.writer.pipeline = context.pipeline;
  TIDEMARK_ASSIGN(std::shared_ptr<Client> client, options.client());
  TIDEMARK_ASSIGN(std::shared_ptr<Client> store_client, options.client());
  return std::make_unique<MongodbTransactionalSink>(options, std::move(client), std::move(store_client),
                                                    context);
}

Result<std::unique_ptr<Sink>> make_sink(const config::Settings& settings, const ComponentContext& context) {
  TIDEMARK_ASSIGN(Options options, options_of(settings));
  options.writer.reserved = reserved_names(options, context);
  options.writer.pipeline = context.pipeline;
  TIDEMARK_ASSIGN(std::unique_ptr<Client> client, options.client());
  return std::make_unique<MongodbSink>(options, std::move(client), *context.clock);
}

Result<std::unique_ptr<PositionStore>> make_positions(const config::Settings& settings,
                                                      const ComponentContext& context) {
  TIDEMARK_ASSIGN(const Options options, options_of(settings));
  TIDEMARK_ASSIGN(std::shared_ptr<Client> client, options.client());
  return std::make_unique<LeasedPositionStore>(std::move(client), options.position_database,
                                               options.lease(context.pipeline), *context.clock);
}

}  // namespace tidemark::mongodb_sink
