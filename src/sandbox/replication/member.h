// One member of the replica set: its copy of the data, its oplog, its sessions, and what it believes about the set.
// It has no threads and no network: Consensus replicates and elects, the server's commands read and write.
//
// Locks, always taken in this order: Consensus, Member::mutex, the oplog's own.
#pragma once

#include <string>

#include "base/mutex.h"
#include "env/clock.h"
#include "sandbox/replication/apply.h"
#include "sandbox/replication/oplog.h"
#include "sandbox/replication/session_table.h"

namespace tidemark::sandbox {

// What a member tells clients about the set; every change has a number (topologyVersion's counter).
class Topology {
 public:
  struct View {
    bool primary = false;    // this member is the primary
    int known_primary = -1;  // index, or -1
    int64_t term = 0;
    int64_t counter = 0;
    friend bool operator==(const View&, const View&) = default;
  };

  View get() const EXCLUDES(mutex_);
  // Counts up only when something differs.
  void publish(bool primary, int known_primary, int64_t term) EXCLUDES(mutex_);
  // Counts up and wakes every waiter: the member was killed or the set ends.
  void touch() EXCLUDES(mutex_);
  // Returns the newest view once its counter is above `counter`, `stop` is requested or `timeout` has passed.
  View wait_beyond(int64_t counter, std::chrono::milliseconds timeout, std::stop_token stop) const
      EXCLUDES(mutex_);

 private:
  mutable Mutex mutex_;
  mutable CondVar changed_;
  View view_ GUARDED_BY(mutex_);
};

struct Member {
  Member(int index_, size_t oplog_bytes_max, Clock& clock_)
      : index(index_), clock(clock_), oplog(oplog_bytes_max) {}

  const int index;
  Clock& clock;
  std::string address;  // host:port; set once before any thread starts
  Oplog oplog;
  Topology topology;

  // Guards the data. Reads take it shared; a write takes it exclusively for the whole of its batch, so that role,
  // data and oplog change together.
  mutable SharedMutex mutex;
  Catalog catalog GUARDED_BY(mutex);
  SessionTable sessions GUARDED_BY(mutex);
  bool primary GUARDED_BY(mutex) = false;
  bool stepping_down GUARDED_BY(mutex) = false;  // still primary, takes no more writes
  int64_t term GUARDED_BY(mutex) = 0;
  uint64_t links GUARDED_BY(mutex) = 0;  // counts up when one was cut or mended

  bool writable() const REQUIRES_SHARED(mutex) { return primary && !stepping_down; }
  // Gives the entries their times and appends them. REQUIRES writable(), and the catalog changed accordingly.
  OpTime log(std::span<const std::shared_ptr<OplogEntry>> entries) REQUIRES(mutex);
  OpTime log(std::shared_ptr<OplogEntry> entry) REQUIRES(mutex) { return log(std::span(&entry, 1)); }
  OpTime log_noop(std::string_view message) REQUIRES(mutex);
};

}  // namespace tidemark::sandbox
