#include "sandbox/replication/consensus.h"

#include <algorithm>

namespace tidemark::sandbox {
namespace {

constexpr std::chrono::milliseconds kLookAgain{20};

// The Raft order of logs: the term of the last entry first.
bool older_log(OpTime a, OpTime b) { return a.term != b.term ? a.term < b.term : a.ts < b.ts; }

}  // namespace

Consensus::Consensus(std::vector<Member*> members, ConsensusOptions options, Clock& clock,
                     std::function<void(int)> on_demote)
    : members_(std::move(members)),
      options_(options),
      clock_(clock),
      on_demote_(std::move(on_demote)),
      peers_(members_.size()) {}

Consensus::~Consensus() { stop(); }

void Consensus::start() {
  {
    MutexLock lock(mutex_);
    promote(0);
    publish();
  }
  threads_.emplace_back([this](std::stop_token stop) { run_elector(stop); });
  for (int i = 0; i < size(); i++)
    threads_.emplace_back([this, i](std::stop_token stop) { run_replicator(i, stop); });
}

void Consensus::stop() {
  for (auto& thread : threads_) thread.request_stop();
  threads_.clear();
}

std::optional<int> Consensus::primary() const {
  MutexLock lock(mutex_);
  const int primary = current_primary();
  return primary < 0 ? std::nullopt : std::optional(primary);
}

OpTime Consensus::commit_point() const {
  MutexLock lock(mutex_);
  return commit_point_;
}

PeerStatus Consensus::status(int member) const {
  MutexLock lock(mutex_);
  const Peer& peer = peers_[member];
  PeerStatus out;
  out.alive = peer.alive;
  out.paused = peer.paused;
  out.partitioned = peer.partitioned;
  out.primary = peer.primary;
  out.replicating = peer.replicating;
  out.term = peer.term;
  out.newest = members_[member]->oplog.newest();
  out.elected = peer.elected;
  out.rollbacks = peer.rollbacks;
  out.initial_syncs = peer.initial_syncs;
  return out;
}

bool Consensus::linked(int a, int b) const {
  const Peer& x = peers_[a];
  const Peer& y = peers_[b];
  if (!x.alive || !y.alive || x.paused || y.paused) return false;
  return a == b || (!x.partitioned && !y.partitioned);
}

int Consensus::votes(int member) const {
  int count = 0;
  for (int i = 0; i < size(); i++) count += linked(member, i) ? 1 : 0;
  return count;
}

int Consensus::current_primary() const {
  int best = -1;
  for (int i = 0; i < size(); i++)
    if (peers_[i].primary && votes(i) >= majority() && (best < 0 || peers_[i].term > peers_[best].term))
      best = i;
  return best;
}

Consensus::Source Consensus::source_of(int member) const {
  Source best;
  if (!peers_[member].replicating || peers_[member].primary) return best;
  for (int i = 0; i < size(); i++)
    if (i != member && peers_[i].primary && linked(i, member) &&
        (best.member < 0 || peers_[i].term > best.term))
      best = {i, peers_[i].term};
  return best;
}

bool Consensus::electable(int member) const {
  if (votes(member) < majority()) return false;
  const OpTime mine = members_[member]->oplog.newest();
  int not_newer = 0;
  for (int i = 0; i < size(); i++)
    if (linked(member, i) && !older_log(mine, members_[i]->oplog.newest())) not_newer++;
  return not_newer >= majority();
}

int Consensus::best_candidate(Mono now) const {
  int best = -1;
  for (int i = 0; i < size(); i++) {
    if (peers_[i].frozen_until > now || !electable(i)) continue;
    if (best < 0 || older_log(members_[best]->oplog.newest(), members_[i]->oplog.newest())) best = i;
  }
  return best;
}

// Whoever hears of a newer term follows it: a primary of an older one that comes back among members that have voted since
// steps down, though its successor is gone by then.
void Consensus::spread_terms() {
  for (int i = 0; i < size(); i++)
    for (int j = 0; j < size(); j++)
      if (linked(i, j)) learn_term(i, peers_[j].term);
}

Mono Consensus::evaluate(Mono now) {
  Mono next = now + options_.noop;
  spread_terms();
  for (int i = 0; i < size(); i++) {
    Peer& peer = peers_[i];
    if (!peer.primary || peer.paused || votes(i) >= majority()) {
      peer.lonely_since.reset();
      continue;
    }
    if (!peer.lonely_since) peer.lonely_since = now;
    if (now - *peer.lonely_since >= options_.election) {
      peer.lonely_since.reset();
      demote(i);
    } else {
      next = std::min(next, *peer.lonely_since + options_.election);
    }
  }
  int primary = current_primary();
  if (primary < 0) {
    if (!without_primary_since_) without_primary_since_ = now;
    const Mono due = handoff_ ? now : *without_primary_since_ + options_.election;
    const int candidate = due <= now ? best_candidate(now) : -1;
    if (candidate >= 0) {
      promote(candidate);
      primary = candidate;
    } else {
      next = std::min(next, std::max(due, now + kLookAgain));
    }
  }
  if (primary >= 0) {
    without_primary_since_.reset();
    handoff_ = false;
    for (int i = 0; i < size(); i++)
      if (linked(i, primary)) learn_term(i, peers_[primary].term);
  }
  publish();
  return next;
}

void Consensus::facts_changed() {
  evaluate(clock_.now());
  wake_everybody();
}

void Consensus::wake_everybody() {
  facts_version_++;
  facts_.notify_all();
  progress_.notify_all();
  for (Member* member : members_) member->oplog.wake();
}

void Consensus::promote(int member) {
  term_++;
  for (int i = 0; i < size(); i++) peers_[i].applied_in_term = -1;
  for (int i = 0; i < size(); i++)
    if (linked(i, member)) learn_term(i, term_);
  Member& winner = *members_[member];
  OpTime first;
  {
    ExclusiveLock lock(winner.mutex);
    winner.primary = true;
    winner.stepping_down = false;
    first = winner.log_noop(term_ == 1 ? "initiating set" : "new primary");
  }
  peers_[member].primary = true;
  peers_[member].elected = first;
  set_applied(member, term_, first);
  wake_everybody();
}

void Consensus::demote(int member) {
  members_[member]->topology.publish(false, -1, peers_[member].term);
  {
    ExclusiveLock lock(members_[member]->mutex);
    members_[member]->primary = false;
    members_[member]->stepping_down = false;
  }
  peers_[member].primary = false;
  peers_[member].stepping_down = false;
  if (on_demote_) on_demote_(member);
  progress_.notify_all();
}

void Consensus::learn_term(int member, int64_t term) {
  if (peers_[member].term >= term) return;
  if (peers_[member].primary) demote(member);
  peers_[member].term = term;
  ExclusiveLock lock(members_[member]->mutex);
  members_[member]->term = term;
}

void Consensus::publish() {
  const int primary = current_primary();
  for (int i = 0; i < size(); i++) {
    const Peer& peer = peers_[i];
    if (peer.paused) continue;  // it learns when it wakes
    const bool writable = peer.primary && !peer.stepping_down;
    int known = writable ? i : -1;
    if (known < 0 && primary >= 0 && primary != i && linked(i, primary)) known = primary;
    members_[i]->topology.publish(writable, known, peer.term);
  }
}

void Consensus::wrote(int member, OpTime time) {
  MutexLock lock(mutex_);
  if (peers_[member].primary && time.term == peers_[member].term) set_applied(member, time.term, time);
}

void Consensus::set_applied(int member, int64_t term, OpTime applied) {
  Peer& peer = peers_[member];
  // Two writers may come here in the other order than they wrote.
  if (peer.applied_in_term == term && applied.ts < peer.applied.ts) return;
  peer.applied = applied;
  peer.applied_in_term = term;
  advance_commit_point();
  progress_.notify_all();
}

void Consensus::advance_commit_point() {
  const int primary = current_primary();
  if (primary < 0) return;
  const int64_t term = peers_[primary].term;
  std::vector<OpTime> held;
  for (const Peer& peer : peers_)
    if (peer.applied_in_term == term) held.push_back(peer.applied);
  if (static_cast<int>(held.size()) >= majority()) {
    std::sort(held.begin(), held.end(), std::greater<>());
    const OpTime candidate = held[static_cast<size_t>(majority()) - 1];
    if (candidate.term == term && candidate.ts > commit_point_.ts) commit_point_ = candidate;
  }
  for (int i = 0; i < size(); i++) {
    const Peer& peer = peers_[i];
    if (peer.applied_in_term == term && linked(i, primary))
      members_[i]->oplog.set_commit_point(std::min(commit_point_, peer.applied));
  }
}

WaitOutcome Consensus::wait_replicated(int member, OpTime time, const WriteConcern& concern,
                                       std::stop_token stop) {
  MutexLock lock(mutex_);
  const auto replicated = [&]() REQUIRES(mutex_) {
    if (concern.majority) return current_primary() == member && commit_point_.ts >= time.ts;
    int count = 0;
    for (const Peer& peer : peers_)
      if (peer.applied_in_term == peers_[member].term && peer.applied.ts >= time.ts) count++;
    return count >= concern.w;
  };
  const auto lost = [&]() REQUIRES(mutex_) {
    return !peers_[member].primary || peers_[member].term != time.term;
  };
  const auto over = [&]() REQUIRES(mutex_) { return lost() || replicated(); };
  if (concern.timeout.count() > 0) {
    if (!progress_.wait_for(mutex_, stop, concern.timeout, over))
      return stop.stop_requested() ? WaitOutcome::kStopped : WaitOutcome::kTimedOut;
  } else if (!progress_.wait(mutex_, stop, over)) {
    return WaitOutcome::kStopped;
  }
  return lost() ? WaitOutcome::kNotPrimary : WaitOutcome::kReplicated;
}

bool Consensus::someone_caught_up(int member, OpTime newest, Mono now) const {
  for (int i = 0; i < size(); i++) {
    const Peer& peer = peers_[i];
    if (i != member && linked(i, member) && peer.frozen_until <= now && peer.applied_in_term == newest.term &&
        peer.applied.ts >= newest.ts)
      return true;
  }
  return false;
}

Reply<void> Consensus::step_down(int member, std::chrono::milliseconds period,
                                 std::chrono::milliseconds catch_up, bool force, std::stop_token stop) {
  MutexLock lock(mutex_);
  if (!peers_[member].primary) return command_error(kNotWritablePrimary, "not primary so can't step down");
  Member& self = *members_[member];
  peers_[member].stepping_down = true;
  publish();
  {
    ExclusiveLock data(self.mutex);
    self.stepping_down = true;
  }
  const OpTime newest = self.oplog.newest();
  const Mono end = clock_.now() + catch_up;
  bool caught_up = false;
  // In steps: a member that may take over again after its own step-down tells nobody.
  for (Mono now = clock_.now(); !caught_up && peers_[member].primary && !stop.stop_requested() && now < end;
       now = clock_.now()) {
    const auto step = std::min<Mono::duration>(end - now, kLookAgain);
    caught_up = progress_.wait_for(mutex_, stop, step, [&]() REQUIRES(mutex_) {
      return !peers_[member].primary || someone_caught_up(member, newest, clock_.now());
    });
  }
  if (!peers_[member].primary) return {};
  if (!caught_up && !force) {
    {
      ExclusiveLock data(self.mutex);
      self.stepping_down = false;
    }
    peers_[member].stepping_down = false;
    publish();
    return command_error(
        262,
        "No electable secondaries caught up in time. Please use the replSetStepDown command with "
        "the argument {force: true} to force node to step down.");
  }
  peers_[member].frozen_until = clock_.now() + period;
  demote(member);
  handoff_ = true;
  facts_changed();
  return {};
}

Reply<void> Consensus::step_up(int member) {
  MutexLock lock(mutex_);
  if (peers_[member].primary) return {};
  if (!electable(member))
    return command_error(
        125, "Election failed: this member isn't the most up-to-date one of a reachable majority");
  for (int i = 0; i < size(); i++)
    if (peers_[i].primary && linked(i, member)) demote(i);
  promote(member);
  facts_changed();
  return {};
}

void Consensus::freeze(int member, std::chrono::milliseconds period) {
  MutexLock lock(mutex_);
  peers_[member].frozen_until = period.count() == 0 ? Mono{} : clock_.now() + period;
  facts_changed();
}

void Consensus::set_alive(int member, bool alive) {
  MutexLock lock(mutex_);
  if (peers_[member].alive == alive) return;
  peers_[member].alive = alive;
  if (!alive) {
    peers_[member].paused = false;
    if (peers_[member].primary) demote(member);
  }
  members_[member]->topology.touch();
  facts_changed();
}

void Consensus::set_paused(int member, bool paused) {
  MutexLock lock(mutex_);
  peers_[member].paused = paused;
  facts_changed();
}

void Consensus::set_partitioned(int member, bool partitioned) {
  {
    MutexLock lock(mutex_);
    peers_[member].partitioned = partitioned;
    facts_changed();
  }
  links_changed();
}

void Consensus::set_replicating(int member, bool replicating) {
  {
    MutexLock lock(mutex_);
    peers_[member].replicating = replicating;
    facts_changed();
  }
  links_changed();
}

// What a member has read over a link that is no more isn't applied once this has returned.
void Consensus::links_changed() {
  for (const auto& member : members_) {
    ExclusiveLock lock(member->mutex);
    ++member->links;
  }
}

void Consensus::run_elector(std::stop_token stop) {
  while (!stop.stop_requested()) {
    {
      MutexLock lock(mutex_);
      const Mono now = clock_.now();
      const Mono next = std::min(evaluate(now), now + options_.noop / 4);
      const uint64_t seen = facts_version_;
      facts_.wait_for(mutex_, stop, next - now,
                      [this, seen]() REQUIRES(mutex_) { return facts_version_ != seen; });
    }
    if (!stop.stop_requested()) write_noop_if_idle();
  }
}

void Consensus::write_noop_if_idle() {
  const auto index = primary();
  if (!index) return;
  Member& member = *members_[*index];
  OpTime written;
  {
    ExclusiveLock lock(member.mutex);
    if (!member.writable()) return;
    const auto newest = member.oplog.newest_entries(1);
    if (!newest.empty() && clock_.wall_ms() - newest[0]->wall_ms < options_.noop.count()) return;
    written = member.log_noop("periodic noop");
  }
  wrote(*index, written);
}

}  // namespace tidemark::sandbox
