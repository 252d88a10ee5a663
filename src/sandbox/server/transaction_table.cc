#include "sandbox/server/transaction_table.h"

#include <algorithm>
#include <set>

#include "bson/compare.h"

namespace tidemark::sandbox {
namespace {

std::string key_of(bson::View lsid) { return {reinterpret_cast<const char*>(lsid.data()), lsid.size()}; }

tl::unexpected<CommandError> write_conflict() {
  return command_error(
      kWriteConflict,
      "WriteConflict error: this operation conflicted with another operation. Please retry your "
      "operation or multi-document transaction.");
}

tl::unexpected<CommandError> no_such_transaction(int64_t number) {
  return command_error(kNoSuchTransaction, "Given transaction number " + std::to_string(number) +
                                               " does not match any in-progress transactions.");
}

// What a document is known by, whatever its collection's name.
std::string document_name(const OplogEntry& op) {
  std::string name(op.uuid.begin(), op.uuid.end());
  if (const auto id = op.key.view().find("_id")) bson::canonical_key(*id, name);
  return name;
}

// True when the document that `op` started from is still the member's.
bool untouched(const OplogEntry& op, const Catalog& catalog) {
  const Collection* collection = catalog.find(op.db, op.coll);
  const auto id = op.key.view().find("_id");
  if (collection == nullptr || collection->uuid() != op.uuid || !id) return false;
  const auto now = collection->find_id(*id);
  if (op.kind == OpKind::kInsert) return !now;
  // Documents are immutable and shared: the same bytes are the same version.
  return now && now->view().data() == op.before.view().data();
}

void undo(const OplogEntry& op, Catalog& catalog) {
  Collection* collection = catalog.find(op.db, op.coll);
  if (collection == nullptr) return;
  // Each of these undoes what was just applied under the same lock, so none of them can fail.
  if (op.kind == OpKind::kCreate) {
    (void)catalog.drop(op.db, op.coll);
    return;
  }
  const auto id = op.key.view().find("_id");
  if (!id) return;
  if (op.kind == OpKind::kInsert)
    (void)collection->remove(*id);
  else if (op.kind == OpKind::kDelete)
    (void)collection->insert(op.before);
  else
    (void)collection->replace(*id, op.before);
}

}  // namespace

void Transaction::touch(const Member& member, std::string_view db, std::string_view coll) {
  std::string ns = std::string(db) + "." + std::string(coll);
  if (std::find(touched.begin(), touched.end(), ns) != touched.end()) return;
  touched.push_back(std::move(ns));
  SharedLock lock(member.mutex);
  const Collection* live = member.catalog.find(db, coll);
  if (live == nullptr) return;
  if (auto copy = catalog.create(db, coll, live->uuid(), live->options())) **copy = *live;
}

Reply<void> Transaction::apply_to(Member& member) {
  std::set<std::string> seen;
  for (const auto& op : ops) {
    if (op.kind == OpKind::kCreate) {
      if (member.catalog.find(op.db, op.coll) != nullptr) return write_conflict();
      continue;
    }
    const bool created_here = std::any_of(ops.begin(), ops.end(), [&op](const OplogEntry& other) {
      return other.kind == OpKind::kCreate && other.uuid == op.uuid;
    });
    if (seen.insert(document_name(op)).second && !created_here && !untouched(op, member.catalog))
      return write_conflict();
  }
  for (size_t i = 0; i < ops.size(); i++) {
    if (apply(ops[i], member.catalog)) continue;
    for (size_t j = i; j-- > 0;) undo(ops[j], member.catalog);
    return write_conflict();
  }
  return {};
}

Reply<std::shared_ptr<Transaction>> TransactionTable::begin(bson::View lsid, int64_t txn_number) {
  MutexLock lock(mutex_);
  const Mono now = clock_.now();
  std::erase_if(open_, [&](const auto& item) REQUIRES(mutex_) {
    if (now - item.second->begun <= kLifetimeMax) return false;
    release(*item.second);
    return true;
  });
  auto& slot = open_[key_of(lsid)];
  if (slot && slot->txn_number == txn_number)
    return command_error(117, "Transaction " + std::to_string(txn_number) + " has already been started");
  if (slot && slot->txn_number > txn_number)
    return command_error(225, "Cannot start transaction " + std::to_string(txn_number) +
                                  ": a newer transaction has already started in this session");
  if (open_.size() > kTransactionsMax) {
    open_.erase(key_of(lsid));
    return command_error(kOperationFailed, "too many open transactions");
  }
  if (slot) release(*slot);
  slot = std::make_shared<Transaction>();
  slot->txn_number = txn_number;
  slot->begun = now;
  return slot;
}

Reply<std::shared_ptr<Transaction>> TransactionTable::find(bson::View lsid, int64_t txn_number) {
  MutexLock lock(mutex_);
  const auto found = open_.find(key_of(lsid));
  if (found == open_.end() || found->second->txn_number != txn_number) return no_such_transaction(txn_number);
  return found->second;
}

bool TransactionTable::erase(bson::View lsid, int64_t txn_number) {
  MutexLock lock(mutex_);
  const auto found = open_.find(key_of(lsid));
  if (found == open_.end() || found->second->txn_number != txn_number) return false;
  release(*found->second);
  open_.erase(found);
  return true;
}

Reply<void> TransactionTable::claim(Transaction& transaction,
                                    std::span<const std::shared_ptr<OplogEntry>> entries,
                                    const Member& member) {
  for (const auto& entry : entries) {
    if (entry->kind == OpKind::kCreate) continue;
    std::string name = document_name(*entry);
    {
      MutexLock lock(mutex_);
      if (transaction.ended) return no_such_transaction(transaction.txn_number);
      const auto [slot, is_new] = writers_.try_emplace(std::move(name), &transaction);
      if (slot->second != &transaction) return write_conflict();
      if (!is_new) continue;
    }
    SharedLock lock(member.mutex);
    const bool exists = member.catalog.find(entry->uuid) != nullptr;
    if (exists && !untouched(*entry, member.catalog)) return write_conflict();
  }
  return {};
}

void TransactionTable::release(Transaction& transaction) {
  transaction.ended = true;
  std::erase_if(writers_, [&transaction](const auto& item) { return item.second == &transaction; });
}

void TransactionTable::erase_session(bson::View lsid) {
  MutexLock lock(mutex_);
  const auto found = open_.find(key_of(lsid));
  if (found == open_.end()) return;
  release(*found->second);
  open_.erase(found);
}

void TransactionTable::clear() {
  MutexLock lock(mutex_);
  for (const auto& [session, transaction] : open_) transaction->ended = true;
  open_.clear();
  writers_.clear();
}

size_t TransactionTable::size() const {
  MutexLock lock(mutex_);
  return open_.size();
}

}  // namespace tidemark::sandbox
