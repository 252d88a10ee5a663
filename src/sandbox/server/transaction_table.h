// The open transactions of one member: memory only, gone with the primary's role. A transaction works on its own copies
// of the collections it touches and keeps the oplog entries it will make; its commit checks that nobody
// changed the same documents meanwhile (else WriteConflict) and applies everything at one time.
//
// Thread-safe; one command at a time uses a Transaction, holding its mutex.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "env/clock.h"
#include "sandbox/replication/member.h"

namespace tidemark::sandbox {

struct Transaction {
  int64_t txn_number = -1;
  Mono begun{};

  Mutex mutex;
  Catalog catalog GUARDED_BY(mutex);                   // only what was touched
  std::vector<std::string> touched GUARDED_BY(mutex);  // namespaces that were looked up, there or not
  std::vector<OplogEntry> ops GUARDED_BY(mutex);
  size_t bytes GUARDED_BY(mutex) = 0;

  // Brings the namespace into `catalog`, as `member` has it now; once.
  void touch(const Member& member, std::string_view db, std::string_view coll) REQUIRES(mutex);
  // Applies all operations to the member. WriteConflict (112) when it can't, and nothing has changed then.
  Reply<void> apply_to(Member& member) REQUIRES(mutex, member.mutex);
};

class TransactionTable {
 public:
  static constexpr size_t kTransactionsMax = 1'000;
  static constexpr std::chrono::seconds kLifetimeMax{60};

  explicit TransactionTable(Clock& clock) : clock_(clock) {}

  // A new transaction of this session; an older one of it is aborted.
  Reply<std::shared_ptr<Transaction>> begin(bson::View lsid, int64_t txn_number) EXCLUDES(mutex_);
  // NoSuchTransaction (251) when it isn't open.
  Reply<std::shared_ptr<Transaction>> find(bson::View lsid, int64_t txn_number) EXCLUDES(mutex_);
  bool erase(bson::View lsid, int64_t txn_number) EXCLUDES(mutex_);
  void erase_session(bson::View lsid) EXCLUDES(mutex_);
  void clear() EXCLUDES(mutex_);
  size_t size() const EXCLUDES(mutex_);

 private:
  Clock& clock_;
  mutable Mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<Transaction>> open_ GUARDED_BY(mutex_);
};

}  // namespace tidemark::sandbox
