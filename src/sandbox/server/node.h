// The server's side of one member, and what all members share: everything that commands work on. Owned by ReplicaSet;
// used by the threads of the connections.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sandbox/failpoints/fail_points.h"
#include "sandbox/replication/consensus.h"
#include "sandbox/server/cursor_table.h"
#include "sandbox/server/options.h"
#include "sandbox/server/transaction_table.h"
#include "sandbox/server/users.h"

namespace tidemark::sandbox {

// Where commands of a paused member wait, and where a delayed member's replies do. Thread-safe.
class Gate {
 public:
  // Waits while the member is paused. False when `stop` was requested.
  bool pass(std::stop_token stop) EXCLUDES(mutex_);
  // The same, then for `delay` in addition.
  bool pass_reply(std::stop_token stop) EXCLUDES(mutex_);
  // False when `stop` was requested.
  bool wait(std::chrono::milliseconds time, std::stop_token stop) EXCLUDES(mutex_);
  void set_paused(bool paused) EXCLUDES(mutex_);
  void set_delay(std::chrono::milliseconds delay) EXCLUDES(mutex_);

 private:
  Mutex mutex_;
  CondVar changed_;
  bool paused_ GUARDED_BY(mutex_) = false;
  std::chrono::milliseconds delay_ GUARDED_BY(mutex_){0};
};

// Random identities: collections' uuids, ObjectIds, cursor ids. Thread-safe.
class Identities {
 public:
  Identities(uint64_t seed, Clock& clock) : clock_(clock), random_(seed) {}
  Uuid uuid() EXCLUDES(mutex_);
  bson_oid_t oid() EXCLUDES(mutex_);
  int64_t cursor_id() EXCLUDES(mutex_);
  uint64_t random() EXCLUDES(mutex_);

 private:
  Clock& clock_;
  Mutex mutex_;
  SeededRandom random_ GUARDED_BY(mutex_);
  uint32_t counter_ GUARDED_BY(mutex_) = 0;
};

struct Counters {
  std::atomic<int64_t> inserts{0}, queries{0}, updates{0}, deletes{0}, get_mores{0}, commands{0};
  std::atomic<int64_t> connections_now{0}, connections_total{0};
};

struct Node {
  Node(Member& member_, uint64_t seed, Clock& clock)
      : member(member_), fail_points(seed), cursors(clock), transactions(clock), begun(clock.now()) {}

  Member& member;
  FailPoints fail_points;
  CursorTable cursors;
  TransactionTable transactions;
  Gate gate;
  Counters counters;
  const Mono begun;
  // topologyVersion.processId; another one after every restart.
  void set_process_id(bson_oid_t id) EXCLUDES(mutex);
  bson_oid_t process_id() const EXCLUDES(mutex);

 private:
  mutable Mutex mutex;
  bson_oid_t process_id_ GUARDED_BY(mutex){};
};

// Faults that reach below the commands, done by ReplicaSet.
struct Faults {
  std::function<void(int)> kill;
  std::function<Status(int)> restart;
};

struct Cluster {
  Cluster(ReplicaSetOptions options_, Clock& clock_)
      : options(std::move(options_)),
        clock(clock_),
        identities(options.seed, clock_),
        stream_faults(options.seed + 1) {}

  const ReplicaSetOptions options;
  Clock& clock;
  Identities identities;
  Users users;
  FailPoints stream_faults;  // failStream: the next getMores on change streams, on any member
  std::atomic<bool> insert_before_delete{false};  // the fault of that name
  std::atomic<uint64_t> outs{0};  // how many $out there were: 4.2 numbers their temporary collections
  bson_oid_t set_id{};
  std::vector<std::unique_ptr<Member>> members;
  std::unique_ptr<Consensus> consensus;
  std::vector<std::unique_ptr<Node>> nodes;
  Faults faults;

  bool classic() const { return options.version < ServerVersion{5, 0}; }
  void event(const std::string& text) const {
    if (options.on_event) options.on_event(text);
  }
};

}  // namespace tidemark::sandbox
