// The replicator threads of Consensus: each copies, for one member, what the primary it can reach has logged.
#include "sandbox/replication/consensus.h"

namespace tidemark::sandbox {
namespace {

// Few enough that readers of a secondary don't wait long for its lock.
constexpr size_t kEntriesAtOnce = 500;
constexpr std::chrono::milliseconds kIdle{50};

}  // namespace

void Consensus::run_replicator(int member, std::stop_token stop) {
  while (!stop.stop_requested()) {
    Source source;
    {
      MutexLock lock(mutex_);
      facts_.wait(mutex_, stop, [&]() REQUIRES(mutex_) { return source_of(member).member >= 0; });
    }
    {
      SharedLock lock(members_[member]->mutex);
      source.links = members_[member]->links;
    }
    {
      MutexLock lock(mutex_);
      const Source now = source_of(member);
      source.member = now.member;
      source.term = now.term;
    }
    if (source.member >= 0) copy_entries(member, source, stop);
  }
}

void Consensus::copy_entries(int member, const Source& source, std::stop_token stop) {
  const Oplog& from = members_[source.member]->oplog;
  // Roles that change from here on wake the wait below.
  const uint64_t wakeups = from.wakeups();
  const OpTime mine = members_[member]->oplog.newest();
  std::vector<EntryPtr> entries;
  if (!from.read_continuing(mine, kEntriesAtOnce, entries)) {
    copy_everything(member, source);
    return;
  }
  OpTime reached = mine;
  if (!entries.empty()) {
    if (!apply_entries(member, source, mine, entries)) {
      copy_everything(member, source);
      return;
    }
    reached = members_[member]->oplog.newest();
  }
  {
    MutexLock lock(mutex_);
    const Source now = source_of(member);
    if (now.member != source.member || now.term != source.term) return;
    const Peer& peer = peers_[member];
    if (peer.applied_in_term != source.term || peer.applied != reached)
      set_applied(member, source.term, reached);
  }
  if (entries.empty()) from.wait_appended(mine.ts, kIdle, stop, wakeups);
}

bool Consensus::apply_entries(int member, const Source& source, OpTime mine,
                              const std::vector<EntryPtr>& entries) {
  Member& self = *members_[member];
  ExclusiveLock lock(self.mutex);
  // An election, a resync or a cut came in between: look again from the start.
  if (self.links != source.links || self.primary || self.term != source.term || self.oplog.newest() != mine)
    return true;
  for (const auto& entry : entries) {
    if (!apply(*entry, self.catalog)) return false;
    self.sessions.record(entry);
  }
  self.oplog.append(entries);
  return true;
}

void Consensus::copy_everything(int member, const Source& source) {
  Member& from = *members_[source.member];
  Member& self = *members_[member];
  Catalog catalog;
  SessionTable sessions;
  Oplog::Content content;
  {
    SharedLock lock(from.mutex);
    if (!from.primary || from.term != source.term) return;
    catalog = from.catalog;
    sessions = from.sessions;
    content = from.oplog.content();
  }
  bool diverged = false;
  {
    ExclusiveLock lock(self.mutex);
    if (self.links != source.links || self.primary || self.term != source.term) return;
    diverged = from.oplog.common_point(self.oplog.recent_times(SIZE_MAX)) != OpTime{};
    self.catalog = std::move(catalog);
    self.sessions = std::move(sessions);
    self.oplog.install(std::move(content));
  }
  MutexLock lock(mutex_);
  // A log that shares entries with the primary's and goes on differently was rolled back; one that shares none was
  // left behind.
  (diverged ? peers_[member].rollbacks : peers_[member].initial_syncs)++;
}

}  // namespace tidemark::sandbox
