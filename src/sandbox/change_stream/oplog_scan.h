// Reads a member's oplog forward for one change stream: entry by entry, and inside a transaction operation by
// operation. Used by one thread at a time; the oplog must outlive it.
#pragma once

#include <optional>
#include <vector>

#include "sandbox/change_stream/event.h"
#include "sandbox/replication/oplog.h"
#include "sandbox/store/version.h"

namespace tidemark::sandbox {

class OplogScan {
 public:
  // Begins with the first entry at `start` or later.
  OplogScan(const Oplog& oplog, bson::Timestamp start, ServerVersion version);

  // The next change; one without an op at the end of what is committed. Fails when entries that this scan
  // needed are no longer there: history lost before the first read, capped position lost (136) later.
  Reply<Change> next();

  bson::Timestamp start() const { return start_; }
  // Entries up to here were read, whether they gave a change or not.
  bson::Timestamp position() const { return position_; }
  // The newest entry that next() has passed or is in; zero before the first.
  bson::Timestamp observed() const { return observed_; }
  // The entry of the last change: keeps it alive.
  const EntryPtr& current() const { return current_; }

 private:
  Reply<bool> fill();
  Reply<void> check_history() const;

  const Oplog& oplog_;
  const bson::Timestamp start_;
  const ServerVersion version_;
  bson::Timestamp position_;
  bson::Timestamp observed_;
  bool read_ = false;
  std::vector<EntryPtr> window_;
  size_t window_next_ = 0;
  EntryPtr current_;
  size_t op_next_ = 0;  // inside a transaction
};

}  // namespace tidemark::sandbox
