// Sessions, and the end of transactions.
#include "sandbox/server/command.h"

namespace tidemark::sandbox {
namespace {

Reply<void> nothing(Invocation&) { return {}; }

Reply<void> start_session(Invocation& inv) {
  bson::Builder id;
  append_uuid(id, "id", inv.cluster.identities.uuid());
  inv.reply.append("id", id.view()).append("timeoutMinutes", int32_t{30});
  return {};
}

Reply<void> end_sessions(Invocation& inv) {
  const auto first = *inv.body.begin();
  if (!first.is_array())
    return command_error(kTypeMismatch, "'" + std::string(inv.name) + "' must be an array");
  for (const auto& item : first.document()) {
    if (!item.is_document()) continue;
    // The table knows sessions with their uid, which is the same for all of this connection's.
    const auto id = item.document().find("id");
    const auto uid = inv.connection.lsid.view() ? inv.connection.lsid.view().find("uid") : std::nullopt;
    if (!id || !uid) continue;
    bson::Builder lsid;
    lsid.append("id", *id).append("uid", *uid);
    inv.node.transactions.erase_session(lsid.view());
    inv.node.cursors.kill_session(lsid.view());
  }
  inv.member().oplog.wake();
  return {};
}

// The entry with which this transaction was committed before, when this is a repeated commit.
EntryPtr committed_before(const Invocation& inv) {
  SharedLock lock(inv.member().mutex);
  const SessionRecord* session = inv.member().sessions.find(inv.lsid);
  return session != nullptr && session->txn_number == inv.txn_number ? session->committed : nullptr;
}

Reply<OpTime> commit(const Invocation& inv, Transaction& transaction) {
  Member& member = inv.member();
  MutexLock lock(transaction.mutex);
  ExclusiveLock data(member.mutex);
  if (!member.writable()) return not_primary(inv);
  if (transaction.ops.empty()) return OpTime{};
  SANDBOX_TRY(transaction.apply_to(member));
  auto entry = std::make_shared<OplogEntry>();
  entry->kind = OpKind::kTransaction;
  entry->lsid = inv.lsid;
  entry->txn_number = inv.txn_number;
  entry->ops = std::move(transaction.ops);
  return member.log(std::move(entry));
}

Reply<void> commit_transaction(Invocation& inv) {
  if (!inv.in_transaction)
    return command_error(kInvalidOptions, "commitTransaction must be run within a transaction");
  auto transaction = inv.node.transactions.find(inv.lsid, inv.txn_number);
  if (!transaction) {
    const EntryPtr before = committed_before(inv);
    if (before == nullptr) return tl::unexpected<CommandError>(std::move(transaction).error());
    inv.written = before->time;
    // A repeated commit is answered in the current term.
    inv.written.term = inv.member().topology.get().term;
    return {};
  }
  auto time = commit(inv, **transaction);
  inv.node.transactions.erase(inv.lsid, inv.txn_number);
  if (!time) return tl::unexpected<CommandError>(std::move(time).error());
  inv.written = *time;
  if (inv.written != OpTime{}) inv.consensus().wrote(inv.member_index(), inv.written);
  return {};
}

Reply<void> abort_transaction(Invocation& inv) {
  if (!inv.in_transaction)
    return command_error(kInvalidOptions, "abortTransaction must be run within a transaction");
  if (!inv.node.transactions.erase(inv.lsid, inv.txn_number))
    return command_error(kNoSuchTransaction, "Transaction with { txnNumber: " +
                                                 std::to_string(inv.txn_number) + " } has been aborted.");
  return {};
}

constexpr uint32_t kEnd = kPrimaryOnly | kWriteConcern | kAdminOnly | kTransactions;
constexpr CommandSpec kCommands[] = {
    {"startSession", start_session, kAnywhere, ""},
    {"endSessions", end_sessions, kAnywhere, ""},
    {"killSessions", end_sessions, kAnywhere, ""},
    {"refreshSessions", nothing, kAnywhere, ""},
    {"killAllSessions", nothing, kAnywhere, ""},
    {"commitTransaction", commit_transaction, kEnd, "recoveryToken"},
    {"abortTransaction", abort_transaction, kEnd, "recoveryToken"},
};

}  // namespace

std::span<const CommandSpec> session_commands() { return kCommands; }

}  // namespace tidemark::sandbox
