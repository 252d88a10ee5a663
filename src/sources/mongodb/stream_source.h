// The source's own machine: opens a cursor at a position, reads it batch by batch, and resumes it.
//
// A stream that breaks is resumed here once, at the end of what was read, without a wait: most faults are an
// election that is over by then. If that fails too, or fails again before anything was read, the error goes
// to the pipeline, which waits.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "core/source.h"
#include "env/clock.h"
#include "mongo/documents.h"
#include "sources/mongodb/batch_reader.h"
#include "sources/mongodb/cursor.h"
#include "sources/mongodb/driver.h"
#include "sources/mongodb/event_search.h"
#include "sources/mongodb/reread.h"

namespace tidemark::mongodb {

struct SourceOptions {
  std::string pipeline;
  SourceIdentity identity;
  DriverOptions driver;
  StreamOptions stream;
  std::string split = "auto";        // auto, on, off
  std::string start_after = "auto";  // auto, on, off
  int64_t batch_size = 1000;
  std::chrono::milliseconds max_await{1000};
  Reread::Options reread;  // what is watched, and what becomes of renames
  // What the wait for an answer grows to while the server scans.
  std::chrono::milliseconds scan_timeout_max{3'600'000};
};

class StreamSource final : public Source {
 public:
  StreamSource(SourceOptions options, Clock& clock);
  ~StreamSource() override;

  SourceIdentity identity() const override { return options_.identity; }
  Result<Position> open(const Position& from, std::stop_token stop) override;
  Result<SourceBatch> read(std::chrono::milliseconds wait, std::stop_token stop) override;
  Result<Position> resolve(const StartPoint& start, std::stop_token stop) override;
  Result<SourceHealth> health(std::stop_token stop) override;
  Result<std::vector<std::string>> rehearse(std::stop_token stop) override;
  void on_ready(std::function<void()> listener) override;
  void close() override;

 private:
  // Which ways of opening this deployment has refused; learnt by trying, and kept.
  struct Capabilities {
    bool resume_after = false;  // it doesn't know startAfter
    bool no_split = false;
  };
  // Why a read failed, and what may be done about it here.
  struct ReadFailure {
    Error error;
    bool about_an_event = false;  // it may come again at the same event whenever it is read
    bool timed_out = false;
  };
  using ReadResult = tl::expected<SourceBatch, ReadFailure>;

  Result<std::shared_ptr<Driver>> driver() EXCLUDES(mutex_);
  std::string where(std::string_view doing) const;

  // Opens a cursor, asking for what this server may not know and then without it, always at the same
  // position.
  Result<OpenedCursor> open_cursor(Client& client, const OpenAt& at, Capabilities& known,
                                   std::stop_token stop);
  CommandResult<OpenedCursor> try_open(Client& client, const Member& member, const OpenAt& at,
                                       Capabilities& known, std::stop_token stop);
  // The error of an open that was refused: finds out whether the filter or the kind of the collection is to blame.
  Error why_refused(Client& client, const Member& member, const OpenAt& at, const CommandFailure& failure,
                    std::stop_token stop);
  bool filtered() const { return !options_.stream.stages.view().empty(); }

  // Puts the reading thread's cursor at `from`.
  Status open_stream(const Position& from, std::stop_token stop);
  Result<SourceBatch> read_stream(std::chrono::milliseconds wait, std::stop_token stop);
  ReadResult read_once(std::chrono::milliseconds wait, std::stop_token stop);
  ReadFailure failure_of(const CommandFailure& failure) const;
  // Exactly the one event that is too large, by its name alone.
  Result<SourceBatch> read_oversized(const Error& error, std::stop_token stop);
  // The event at which the server fails with `error`, if there is such a one; else `error` itself.
  Result<SourceBatch> read_failing(const Error& error, std::stop_token stop);
  // Exactly the one event that the server can't send, by its name alone: the next one behind `at`.
  Result<SourceBatch> read_by_name(const OpenAt& at, bson::View expected, const std::string& reason,
                                   std::stop_token stop);
  // Those that the position has left behind.
  void forget_passed_over();
  std::chrono::milliseconds reply_timeout() const;
  // What is to be done about an error before the pipeline gets it.
  Error after_failure(Error error, const Position& at, std::stop_token stop);
  // The next question makes new ones.
  void forget_connections() EXCLUDES(mutex_);
  // Says of a lost position what the oplog says of it.
  Error explain_loss(Error error, const Position& from, std::stop_token stop);
  int64_t batch_size() const;
  // A page of a collection that a rename brought; see Reread.
  Result<AuditPage> scan(const CollectionName& collection, bson::Timestamp after, const std::string& last_id,
                         size_t limit, const mongo::DocumentReader::Visit& visit, std::stop_token stop);
  void note_size(const SourceBatch& batch);

  Status refuse_the_future(Client& client, const StartPoint& start, std::stop_token stop);
  Result<Position> resolve_once(Client& client, const StartPoint& start, std::stop_token stop);

  const SourceOptions options_;
  Clock& clock_;

  // Of the reading thread.
  std::unique_ptr<Client> client_;
  Cursor cursor_;
  BatchReader reader_;
  Reread reread_;
  std::unique_ptr<mongo::DocumentReader> documents_;  // of the collection that is read again
  ReplyPtr first_;                                    // a first batch that came although none was asked for
  Capabilities known_;
  bool fresh_ = false;  // no getMore of this cursor has succeeded: the server has not looked at the token yet
  bool may_resume_ = false;  // something was read since the last resumption
  // An event among the next so many is too large: they are read singly until it is found.
  int64_t one_by_one_ = 0;
  // Tokens of events that were rejected in front of the position: the stream goes on there without them.
  std::vector<bson::Document> passed_over_;
  int scans_ = 0;            // reads in a row whose answer did not come in time
  int closed_at_once_ = 0;   // cursors that ended in a row without an event or a step
  int64_t event_bytes_ = 0;  // of the latest batch, on average

  Mutex mutex_;
  std::shared_ptr<Driver> driver_ GUARDED_BY(mutex_);
  std::function<void()> listener_ GUARDED_BY(mutex_);
  bool closed_ GUARDED_BY(mutex_) = false;
};

}  // namespace tidemark::mongodb
