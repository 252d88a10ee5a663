// A replica set in this process: the members, their ports, their replication, and every fault that can be inflicted on
// them. What the program tidemark-sandbox runs, and what tests start in-process.
//
// Thread-safe, but for the destructor.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "sandbox/server/listener.h"
#include "sandbox/server/node.h"
#include "sandbox/server/options.h"

namespace tidemark::sandbox {

class ReplicaSet {
 public:
  // Returns once the first primary is elected and every port is open. `clock` must outlive the set.
  static Result<std::unique_ptr<ReplicaSet>> start(ReplicaSetOptions options, Clock& clock);
  ~ReplicaSet();

  // "mongodb://127.0.0.1:27117,127.0.0.1:27118,127.0.0.1:27119/?replicaSet=rs0"
  std::string uri() const;
  const std::string& address(int member) const;
  int size() const;
  // Ends everything; every client's connection is cut. Idempotent.
  void stop() EXCLUDES(mutex_);

  std::optional<int> primary() const;
  // Waits for one.
  std::optional<int> wait_for_primary(std::chrono::milliseconds timeout) const;
  PeerStatus status(int member) const;

  // A crash: connections cut, the port closed, cursors and open transactions gone; what was logged stays.
  void kill(int member) EXCLUDES(mutex_);
  Status restart(int member) EXCLUDES(mutex_);
  // The process stops without a word: connections stay open and nothing moves.
  void pause(int member);
  void resume(int member);
  // Cut off from the other members; from clients too when `clients`.
  void partition(int member, bool clients = false);
  void heal(int member);
  // Hands over to another member that has everything; fails when there is none. For `period` the old primary can't be
  // elected again.
  Reply<void> step_down(std::chrono::milliseconds period = std::chrono::milliseconds(1'000));
  void set_replicating(int member, bool replicating);
  // Drops all but the newest `keep` entries of every member's oplog.
  void truncate_oplogs(size_t keep);
  // Kills every change stream; waiting getMores end with CursorNotFound. How many there were.
  size_t kill_change_streams();
  void set_delay(int member, std::chrono::milliseconds delay);
  // The next `times` getMores on change streams fail with this code.
  Reply<void> fail_streams(int code, int times);

  // For tests that look inside.
  Cluster& cluster() { return cluster_; }

 private:
  ReplicaSet(ReplicaSetOptions options, Clock& clock);
  Status open_listener(int member) REQUIRES(mutex_);
  void bury_finished() REQUIRES(mutex_);
  Node& node(int member) const { return *cluster_.nodes[static_cast<size_t>(member)]; }

  Cluster cluster_;
  std::vector<std::unique_ptr<PortReservation>> ports_;
  Mutex mutex_;
  bool stopped_ GUARDED_BY(mutex_) = false;
  std::vector<std::unique_ptr<Listener>> listeners_ GUARDED_BY(mutex_);  // null: killed
  // Closed ones whose threads may still be on their way out, perhaps this very thread among them.
  std::vector<std::unique_ptr<Listener>> closed_ GUARDED_BY(mutex_);
};

}  // namespace tidemark::sandbox
