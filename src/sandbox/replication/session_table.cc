#include "sandbox/replication/session_table.h"

namespace tidemark::sandbox {
namespace {

std::string session_key(bson::View lsid) { return {reinterpret_cast<const char*>(lsid.data()), lsid.size()}; }

}  // namespace

void SessionTable::record(const EntryPtr& entry) {
  if (entry->txn_number < 0 || !entry->lsid) return;
  std::string key = session_key(entry->lsid);
  auto found = sessions_.find(key);
  if (found == sessions_.end()) {
    if (sessions_.size() >= kSessionsMax) {
      sessions_.erase(by_age_.front());
      by_age_.pop_front();
    }
    by_age_.push_back(key);
    found = sessions_.emplace(std::move(key), SessionRecord{}).first;
  }
  SessionRecord& session = found->second;
  if (entry->txn_number < session.txn_number) return;
  if (entry->txn_number > session.txn_number) session = {entry->txn_number, {}, nullptr};
  if (entry->kind == OpKind::kTransaction)
    session.committed = entry;
  else if (entry->statement_id >= 0)
    session.statements.emplace(entry->statement_id, entry);
}

const SessionRecord* SessionTable::find(bson::View lsid) const {
  if (!lsid) return nullptr;
  const auto found = sessions_.find(session_key(lsid));
  return found == sessions_.end() ? nullptr : &found->second;
}

}  // namespace tidemark::sandbox
