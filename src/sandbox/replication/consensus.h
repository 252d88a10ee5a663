// How the members agree: who is primary, what is committed by a majority, and which faults stand between them. One
// replicator thread per member copies from the primary it can reach; one elector thread watches over the rest.
//
// A write counts as replicated to a member once that member's log is known to continue the current primary's; the
// commit point is what a majority holds, and only entries of the current term advance it (the Raft rule). A member whose
// log diverged or fell behind the primary's oldest entry copies the primary's data anew.
//
// Thread-safe. Lock order: mutex_, then a Member's mutex, then its oplog's.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "env/clock.h"
#include "sandbox/replication/member.h"

namespace tidemark::sandbox {

struct ConsensusOptions {
  std::chrono::milliseconds election{300};  // how long the set is without a primary before it elects one
  std::chrono::milliseconds noop{10'000};   // an idle primary writes a no-op this often
};

struct WriteConcern {
  bool majority = false;
  int w = 1;                             // members, when not `majority`
  std::chrono::milliseconds timeout{0};  // 0: none
};

enum class WaitOutcome { kReplicated, kTimedOut, kNotPrimary, kStopped };

// What replSetGetStatus and the sandbox's own status show of a member.
struct PeerStatus {
  bool alive = true;
  bool paused = false;
  bool partitioned = false;
  bool primary = false;
  bool replicating = true;
  int64_t term = 0;
  OpTime newest;
  OpTime elected;  // its first entry of the last term in which it was primary
  int64_t rollbacks = 0;
  int64_t initial_syncs = 0;
};

class Consensus {
 public:
  // `on_demote(index)` runs, under this object's lock, when a member lost the primary's role. It may take only locks
  // that are never held while calling into Consensus.
  Consensus(std::vector<Member*> members, ConsensusOptions options, Clock& clock,
            std::function<void(int)> on_demote = {});
  ~Consensus();

  // Elects member 0 and starts the threads.
  void start();
  // Ends the threads. Idempotent.
  void stop();

  int size() const { return static_cast<int>(members_.size()); }
  std::optional<int> primary() const EXCLUDES(mutex_);
  OpTime commit_point() const EXCLUDES(mutex_);
  PeerStatus status(int member) const EXCLUDES(mutex_);

  // After every write, with no lock held.
  void wrote(int member, OpTime time) EXCLUDES(mutex_);
  WaitOutcome wait_replicated(int member, OpTime time, const WriteConcern& concern, std::stop_token stop)
      EXCLUDES(mutex_);

  // 10107 when `member` isn't primary, 262 when no other member catches up within `catch_up` and not `force`.
  Reply<void> step_down(int member, std::chrono::milliseconds period, std::chrono::milliseconds catch_up,
                        bool force, std::stop_token stop) EXCLUDES(mutex_);
  // Makes `member` the primary by an election; refused when it isn't the most up-to-date one of a majority.
  Reply<void> step_up(int member) EXCLUDES(mutex_);
  // Not electable for `period`; 0 lifts it.
  void freeze(int member, std::chrono::milliseconds period) EXCLUDES(mutex_);

  void set_alive(int member, bool alive) EXCLUDES(mutex_);
  void set_paused(int member, bool paused) EXCLUDES(mutex_);
  // A partitioned member reaches no other one.
  void set_partitioned(int member, bool partitioned) EXCLUDES(mutex_);
  void set_replicating(int member, bool replicating) EXCLUDES(mutex_);

 private:
  struct Peer {
    bool alive = true;
    bool paused = false;
    bool partitioned = false;
    bool replicating = true;
    bool primary = false;
    bool stepping_down = false;  // still primary, but it takes no more writes
    int64_t term = 0;
    OpTime applied;
    OpTime elected;
    int64_t applied_in_term = -1;  // the term in which `applied` was found to continue the primary's log
    std::optional<Mono> lonely_since;
    Mono frozen_until{};
    int64_t rollbacks = 0;
    int64_t initial_syncs = 0;
  };
  struct Source {
    int member = -1;
    int64_t term = 0;
    uint64_t links = 0;  // Member::links before the source was chosen
  };

  bool linked(int a, int b) const REQUIRES(mutex_);
  int votes(int member) const REQUIRES(mutex_);
  int majority() const { return size() / 2 + 1; }
  int current_primary() const REQUIRES(mutex_);
  Source source_of(int member) const REQUIRES(mutex_);
  int best_candidate(Mono now) const REQUIRES(mutex_);
  bool electable(int member) const REQUIRES(mutex_);
  bool someone_caught_up(int member, OpTime newest, Mono now) const REQUIRES(mutex_);

  // Demotes, elects and publishes as the facts demand; returns when to look again.
  Mono evaluate(Mono now) REQUIRES(mutex_);
  void facts_changed() REQUIRES(mutex_);
  void links_changed() EXCLUDES(mutex_);
  void wake_everybody() REQUIRES(mutex_);
  void promote(int member) REQUIRES(mutex_);
  void demote(int member) REQUIRES(mutex_);
  void spread_terms() REQUIRES(mutex_);
  void learn_term(int member, int64_t term) REQUIRES(mutex_);
  void publish() REQUIRES(mutex_);
  void set_applied(int member, int64_t term, OpTime applied) REQUIRES(mutex_);
  void advance_commit_point() REQUIRES(mutex_);

  void run_elector(std::stop_token stop) EXCLUDES(mutex_);
  void write_noop_if_idle() EXCLUDES(mutex_);
  void run_replicator(int member, std::stop_token stop) EXCLUDES(mutex_);
  void copy_entries(int member, const Source& source, std::stop_token stop) EXCLUDES(mutex_);
  bool apply_entries(int member, const Source& source, OpTime mine, const std::vector<EntryPtr>& entries);
  void copy_everything(int member, const Source& source) EXCLUDES(mutex_);

  const std::vector<Member*> members_;
  const ConsensusOptions options_;
  Clock& clock_;
  const std::function<void(int)> on_demote_;

  mutable Mutex mutex_;
  CondVar facts_;     // roles, reachability
  CondVar progress_;  // applied times, the commit point, roles
  std::vector<Peer> peers_ GUARDED_BY(mutex_);
  uint64_t facts_version_ GUARDED_BY(mutex_) = 0;
  int64_t term_ GUARDED_BY(mutex_) = 0;
  OpTime commit_point_ GUARDED_BY(mutex_);
  std::optional<Mono> without_primary_since_ GUARDED_BY(mutex_);
  bool handoff_ GUARDED_BY(mutex_) = false;  // the primary stepped down by itself: elect at once
  std::vector<std::jthread> threads_;
};

}  // namespace tidemark::sandbox
