// The open transactions of one member: memory only, gone with the primary's role. A transaction works on its own copies
// of the collections it touches and keeps the oplog entries it will make. The first of two transactions to write a document
// has it until it ends: the other gets WriteConflict, at once. So does, with its commit, one whose documents were changed
// meanwhile outside of any transaction. The commit applies everything at one time.
//
// Thread-safe; one command at a time uses a Transaction, holding its mutex.
#pragma once

#include <memory>
#include <span>
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
  bool ended = false;  // under the table's mutex: not in the table any more

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
  // The documents of these entries are this transaction's until it ends. WriteConflict (112) when one is another's, or
  // isn't as it was when this transaction began to read it.
  Reply<void> claim(Transaction& transaction, std::span<const std::shared_ptr<OplogEntry>> entries,
                    const Member& member) REQUIRES(transaction.mutex) EXCLUDES(mutex_, member.mutex);
  void erase_session(bson::View lsid) EXCLUDES(mutex_);
  void clear() EXCLUDES(mutex_);
  size_t size() const EXCLUDES(mutex_);

 private:
  void release(Transaction& transaction) REQUIRES(mutex_);

  Clock& clock_;
  mutable Mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<Transaction>> open_ GUARDED_BY(mutex_);
  std::unordered_map<std::string, const Transaction*> writers_ GUARDED_BY(mutex_);  // document -> who has it
};

}  // namespace tidemark::sandbox
