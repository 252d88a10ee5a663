// What a member remembers of its clients' sessions: the newest transaction number of each, and the oplog entries that
// its statements made. A retried statement is answered from here and not done twice; because the table is
// filled from the oplog, every member has it, and it survives a failover.
//
// Not synchronised: part of a Member, under its lock.
#pragma once

#include <deque>
#include <string>
#include <unordered_map>

#include "sandbox/replication/oplog.h"

namespace tidemark::sandbox {

struct SessionRecord {
  int64_t txn_number = -1;
  // By statement; the entries that this number's retryable writes made.
  std::unordered_map<int32_t, EntryPtr> statements;
  // Set when the number was a transaction that committed.
  EntryPtr committed;
};

class SessionTable {
 public:
  static constexpr size_t kSessionsMax = 100'000;

  // Takes in an entry that was appended to the member's oplog.
  void record(const EntryPtr& entry);
  // Null when nothing is known of the session.
  const SessionRecord* find(bson::View lsid) const;
  size_t size() const { return sessions_.size(); }

 private:
  std::unordered_map<std::string, SessionRecord> sessions_;
  std::deque<std::string> by_age_;
};

}  // namespace tidemark::sandbox
