#include "sandbox/server/write_target.h"

namespace tidemark::sandbox {
namespace {

constexpr size_t kTransactionBytesMax = size_t{64} << 20;

Reply<void> write_in_transaction(Invocation& inv, std::string_view collection,
                                 const std::function<Reply<void>(WriteTarget&)>& body) {
  Transaction& transaction = *inv.transaction;
  MutexLock lock(transaction.mutex);
  transaction.touch(inv.member(), inv.db, collection);
  WriteTarget target{transaction.catalog, inv.cluster, inv.lsid, -1, nullptr, true, {}};
  SANDBOX_TRY(body(target));
  SANDBOX_TRY(inv.node.transactions.claim(transaction, target.entries, inv.member()));
  for (auto& entry : target.entries) {
    transaction.bytes += entry->size_bytes();
    transaction.ops.push_back(std::move(*entry));
  }
  if (transaction.bytes > kTransactionBytesMax)
    return command_error(257, "Total size of all transaction operations must be less than " +
                                  std::to_string(kTransactionBytesMax));
  return {};
}

}  // namespace

const OplogEntry* WriteTarget::done_before(int32_t statement_id) const {
  if (session == nullptr) return nullptr;
  const auto found = session->statements.find(statement_id);
  return found == session->statements.end() ? nullptr : found->second.get();
}

OplogEntry& WriteTarget::add(OpKind kind, const Collection& collection, int32_t statement_id) {
  auto entry = std::make_shared<OplogEntry>();
  entry->kind = kind;
  entry->db = collection.db();
  entry->coll = collection.name();
  entry->uuid = collection.uuid();
  entry->pre_image_recorded = collection.pre_and_post_images();
  entry->internal = collection.is_view() || collection.is_time_series();
  if (txn_number >= 0) {
    entry->lsid = lsid;
    entry->txn_number = txn_number;
    entry->statement_id = statement_id;
  }
  entries.push_back(std::move(entry));
  return *entries.back();
}

OplogEntry& WriteTarget::add_ddl(OpKind kind, const Collection& collection) {
  OplogEntry& entry = add(kind, collection, -1);
  entry.lsid = {};
  entry.txn_number = -1;
  return entry;
}

Reply<Collection*> WriteTarget::create_collection(std::string_view db, std::string_view name,
                                                  bson::View options) {
  SANDBOX_ASSIGN(Collection * created, catalog.create(db, name, cluster.identities.uuid(), options));
  add_ddl(OpKind::kCreate, *created).command = created->options();
  return created;
}

Reply<Collection*> WriteTarget::ensure_collection(std::string_view db, std::string_view name) {
  if (Collection* found = catalog.find(db, name)) return found;
  return create_collection(db, name, {});
}

Reply<void> with_write_target(Invocation& inv, std::string_view collection,
                              const std::function<Reply<void>(WriteTarget&)>& body) {
  if (inv.transaction) return write_in_transaction(inv, collection, body);
  Member& member = inv.member();
  Reply<void> result;
  {
    ExclusiveLock lock(member.mutex);
    if (!member.writable()) return not_primary(inv);
    WriteTarget target{member.catalog, inv.cluster, inv.lsid, -1, nullptr, false, {}};
    if (inv.retryable_write()) {
      target.txn_number = inv.txn_number;
      const SessionRecord* session = member.sessions.find(inv.lsid);
      if (session != nullptr && session->txn_number > inv.txn_number)
        return command_error(225,
                             "Retryable write with txnNumber " + std::to_string(inv.txn_number) +
                                 " is prohibited on session because a newer transaction with txnNumber " +
                                 std::to_string(session->txn_number) + " has already started");
      if (session != nullptr && session->txn_number == inv.txn_number) target.session = session;
    }
    result = body(target);
    if (!target.entries.empty()) inv.written = member.log(target.entries);
  }
  if (inv.written != OpTime{}) inv.consensus().wrote(inv.member_index(), inv.written);
  return result;
}

Reply<void> with_read_catalog(Invocation& inv, std::string_view db, std::string_view collection,
                              const std::function<Reply<void>(const Catalog&)>& body) {
  if (inv.transaction) {
    MutexLock lock(inv.transaction->mutex);
    inv.transaction->touch(inv.member(), db, collection);
    return body(inv.transaction->catalog);
  }
  const Member& member = inv.member();
  SharedLock lock(member.mutex);
  inv.seen = member.oplog.newest();
  return body(member.catalog);
}

bson::Document id_of(bson::View document) {
  bson::Builder key;
  if (const auto id = document.find("_id")) key.append("_id", *id);
  return key.finish();
}

}  // namespace tidemark::sandbox
