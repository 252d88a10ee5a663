// The oplog of one member: a bounded, ordered log of everything that changed, from which secondaries copy and change
// streams read. Entries are immutable and shared between members, so that replicating one costs a pointer.
//
// Oplog is thread-safe: its owner appends and truncates, any number of readers read and wait.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "bson/document.h"
#include "sandbox/store/uuid.h"

namespace tidemark::sandbox {

struct OpTime {
  bson::Timestamp ts;
  int64_t term = -1;
  friend auto operator<=>(const OpTime&, const OpTime&) = default;
};

enum class OpKind : uint8_t {
  kInsert,
  kUpdate,  // by modifiers or a pipeline: `update_description` says what changed
  kReplace,
  kDelete,
  kCreate,
  kDrop,
  kRename,
  kDropDatabase,
  kCreateIndexes,
  kDropIndexes,
  kModify,       // collMod
  kTransaction,  // `ops`, all at this entry's time
  kNoop,         // periodic, or a new primary's first entry
};

struct OplogEntry {
  OpTime time;
  OpKind kind = OpKind::kNoop;
  int64_t wall_ms = 0;
  std::string db;
  std::string coll;
  Uuid uuid{};            // of the collection
  bson::Document key;     // documentKey {_id: ...} of a document operation
  bson::Document before;  // the document before an update, replace or delete
  bson::Document after;   // the document after an insert, update or replace
  bson::Document
      update_description;  // kUpdate: {updatedFields, removedFields, truncatedArrays[, disambiguatedPaths]}
  bson::Document
      command;  // DDL: the operationDescription of expanded events; kCreate and kModify: the options
  bool pre_image_recorded = false;  // the collection had changeStreamPreAndPostImages at that moment
  // Copied by the server itself (a rename across databases, a collection made capped): replicated like any other entry,
  // and shown by no change stream.
  bool from_migrate = false;
  bool internal =
      false;  // of a view or a time series: a server keeps these in system.* collections, which no stream shows
  // kRename
  std::string to_db;
  std::string to_coll;
  std::optional<Uuid> dropped_target;
  // The session of a retryable write or transaction: {id, uid}; txn_number < 0 when there is none.
  bson::Document lsid;
  int64_t txn_number = -1;
  int32_t statement_id = -1;
  std::vector<OplogEntry> ops;  // kTransaction

  size_t size_bytes() const;
};

using EntryPtr = std::shared_ptr<const OplogEntry>;

class Oplog {
 public:
  explicit Oplog(size_t bytes_max);

  // REQUIRES entry->time above every entry in the log. Drops the oldest entries beyond the bound.
  void append(EntryPtr entry);
  void append(std::span<const EntryPtr> entries);

  // The newest majority-committed time; change streams see nothing beyond it. Never goes back.
  void set_commit_point(OpTime time);
  OpTime commit_point() const;

  OpTime newest() const;  // zero when empty
  // Up to `count_max` of the newest entries, newest first.
  std::vector<EntryPtr> newest_entries(size_t count_max) const;
  OpTime oldest() const;
  // The oldest time a reader may resume after without a gap: everything after it is still here.
  bson::Timestamp resumable_after() const;

  // Appends to `out` up to `count_max` entries with `after` < ts <= commit point (`committed_only`) or all; returns how many.
  size_t read(bson::Timestamp after, bool committed_only, size_t count_max, std::vector<EntryPtr>& out) const;

  // What a secondary whose newest entry is `mine` copies next: appends up to `count_max` entries after it to `out`.
  // False, and `out` untouched, when this log doesn't hold `mine`: it diverged from this log or fell off its end.
  // A secondary with an empty log (`mine` zero) may copy only a log from which nothing was dropped.
  bool read_continuing(OpTime mine, size_t count_max, std::vector<EntryPtr>& out) const;

  // The newest time that both logs hold; zero when there is none.
  OpTime common_point(std::span<const OpTime> newest_first) const;
  // The times of the newest `count_max` entries, newest first.
  std::vector<OpTime> recent_times(size_t count_max) const;

  // Replaces everything by the entries of a member from which all data was copied.
  struct Content {
    std::deque<EntryPtr> entries;
    size_t bytes = 0;
    bson::Timestamp truncated_to;
  };
  Content content() const;
  void install(Content content);

  size_t size() const;
  size_t bytes() const;

  // Waits until an entry with ts > `after` is committed, the log is closed or woken, `stop`, or `timeout`.
  // True when there is such an entry. A caller that looked at something else before (is my cursor alive?) passes
  // wakeups() from before that look, so that a wake() in between isn't missed.
  bool wait_committed(bson::Timestamp after, std::chrono::milliseconds timeout, std::stop_token stop,
                      std::optional<uint64_t> wakeups_seen = std::nullopt) const;
  // The same for any entry, committed or not: what a secondary waits for.
  bool wait_appended(bson::Timestamp after, std::chrono::milliseconds timeout, std::stop_token stop,
                     std::optional<uint64_t> wakeups_seen = std::nullopt) const;
  // Makes every waiter look again (a cursor was killed, a member stepped down).
  void wake();
  uint64_t wakeups() const;

  // Drops every entry after `time` (rollback).
  void truncate_after(OpTime time);
  // Drops every entry before `ts` (the fault "truncate oplog"), as if the log had rolled over.
  void truncate_before(bson::Timestamp ts);

 private:
  using Iterator = std::deque<EntryPtr>::const_iterator;
  void trim() REQUIRES(mutex_);
  Iterator first_after(bson::Timestamp ts) const REQUIRES(mutex_);
  bool holds(OpTime time) const REQUIRES(mutex_);
  bool has_committed_after(bson::Timestamp after) const REQUIRES(mutex_);

  const size_t bytes_max_;
  mutable Mutex mutex_;
  mutable CondVar changed_;
  std::deque<EntryPtr> entries_ GUARDED_BY(mutex_);
  size_t bytes_ GUARDED_BY(mutex_) = 0;
  OpTime commit_point_ GUARDED_BY(mutex_);
  bson::Timestamp truncated_to_ GUARDED_BY(mutex_);  // the newest entry that was dropped
  uint64_t wakeups_ GUARDED_BY(mutex_) = 0;
};

}  // namespace tidemark::sandbox
