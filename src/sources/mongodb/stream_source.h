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

#include "base/mutex.h"
#include "core/source.h"
#include "env/clock.h"
#include "mongo/documents.h"
#include "sources/mongodb/batch_reader.h"
#include "sources/mongodb/cursor.h"
#include "sources/mongodb/driver.h"
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
  void on_ready(std::function<void()> listener) override;
  void close() override;

 private:
  // Which ways of opening this deployment has refused; learnt by trying, and kept.
  struct Capabilities {
    bool resume_after = false;  // it doesn't know startAfter
    bool no_split = false;
  };
  struct Opened {
    Cursor cursor;
    ReplyPtr reply;
  };

  Result<std::shared_ptr<Driver>> driver() EXCLUDES(mutex_);
  std::string where(std::string_view doing) const;

  // Opens a cursor, asking for what this server may not know and then without it, always at the same
  // position.
  Result<Opened> open_cursor(Client& client, const OpenAt& at, Capabilities& known, std::stop_token stop);
  CommandResult<Opened> try_open(Client& client, const Member& member, const OpenAt& at, Capabilities& known,
                                 std::stop_token stop);

  // Puts the reading thread's cursor at `from`.
  Status open_stream(const Position& from, std::stop_token stop);
  Result<SourceBatch> read_stream(std::chrono::milliseconds wait, std::stop_token stop);
  Result<SourceBatch> read_once(std::chrono::milliseconds wait, std::stop_token stop);
  // Exactly the one event that the server can't send, by its name alone.
  Result<SourceBatch> read_oversized(std::stop_token stop);
  int64_t batch_size() const;
  // A page of a collection that a rename brought; see Reread.
  Result<AuditPage> scan(const CollectionName& collection, bson::Timestamp after, const std::string& last_id,
                         size_t limit, const mongo::DocumentReader::Visit& visit, std::stop_token stop);
  void note_size(const SourceBatch& batch);

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
  int closed_at_once_ = 0;   // cursors that ended in a row without an event or a step
  int64_t event_bytes_ = 0;  // of the latest batch, on average

  Mutex mutex_;
  std::shared_ptr<Driver> driver_ GUARDED_BY(mutex_);
  std::function<void()> listener_ GUARDED_BY(mutex_);
  bool closed_ GUARDED_BY(mutex_) = false;
};

}  // namespace tidemark::mongodb
