#include "sandbox/server/replica_set.h"

#include "sandbox/server/connection.h"

namespace tidemark::sandbox {

ReplicaSet::ReplicaSet(ReplicaSetOptions options, Clock& clock) : cluster_(std::move(options), clock) {}

Result<std::unique_ptr<ReplicaSet>> ReplicaSet::start(ReplicaSetOptions options, Clock& clock) {
  if (options.members < 1 || options.members > 50)
    return fail(React::kConfig,
                "sandbox: a replica set has 1 to 50 members, not " + std::to_string(options.members));
  if (options.router && options.members != 1)
    return fail(React::kConfig, "sandbox: a mongos is one server, and no set of members");
  if (!options.majority_reads && options.version >= ServerVersion{5, 0})
    return fail(React::kConfig,
                "sandbox: a server of " + options.version.feature() +
                    " has majority reads always; they can be off before 5.0 (--compat 4.2 or 4.4)");
  if (options.port != 0 && options.port + options.members > 65536)
    return fail(React::kConfig, "sandbox: the members' ports would pass 65535");
  std::unique_ptr<ReplicaSet> set(new ReplicaSet(std::move(options), clock));
  Cluster& cluster = set->cluster_;
  const ReplicaSetOptions& given = cluster.options;
  cluster.set_id = cluster.identities.oid();
  if (!given.user.empty()) cluster.users.add({given.user, "admin", given.password, {{"root", "admin"}}});
  std::vector<Member*> members;
  for (int i = 0; i < given.members; i++) {
    const auto wanted = static_cast<uint16_t>(given.port == 0 ? 0 : given.port + i);
    TIDEMARK_ASSIGN(auto port, PortReservation::reserve(given.bind, wanted));
    auto member = std::make_unique<Member>(i, given.oplog_bytes_max, clock);
    member->address = given.bind + ":" + std::to_string(port->port());
    set->ports_.push_back(std::move(port));
    cluster.nodes.push_back(std::make_unique<Node>(*member, given.seed + static_cast<uint64_t>(i), clock));
    cluster.nodes.back()->set_process_id(cluster.identities.oid());
    members.push_back(member.get());
    cluster.members.push_back(std::move(member));
  }
  const auto on_demote = [&cluster](int index) {
    Node& node = *cluster.nodes[static_cast<size_t>(index)];
    node.transactions.clear();
    node.cursors.kill_streams(CursorFate::kInterrupted);
    node.member.oplog.wake();
  };
  cluster.consensus =
      std::make_unique<Consensus>(members, ConsensusOptions{given.election, given.noop}, clock, on_demote);
  cluster.faults.kill = [raw = set.get()](int member) { raw->kill(member); };
  cluster.faults.restart = [raw = set.get()](int member) { return raw->restart(member); };
  cluster.consensus->start();
  {
    MutexLock lock(set->mutex_);
    set->listeners_.resize(static_cast<size_t>(given.members));
    for (int i = 0; i < given.members; i++) TIDEMARK_TRY(set->open_listener(i));
  }
  return set;
}

ReplicaSet::~ReplicaSet() { stop(); }

void ReplicaSet::stop() {
  std::vector<std::unique_ptr<Listener>> ending;
  {
    MutexLock lock(mutex_);
    if (stopped_) return;
    stopped_ = true;
    for (auto& listener : listeners_)
      if (listener != nullptr) ending.push_back(std::move(listener));
    for (auto& listener : closed_) ending.push_back(std::move(listener));
    listeners_.clear();
    closed_.clear();
  }
  for (auto& listener : ending) listener->close();
  // Their threads are waited for before what they use goes away.
  ending.clear();
  if (cluster_.consensus != nullptr) cluster_.consensus->stop();
}

Status ReplicaSet::open_listener(int member) {
  Cluster& cluster = cluster_;
  Node& owner = node(member);
  TIDEMARK_ASSIGN(listeners_[static_cast<size_t>(member)],
                  Listener::open(cluster.options.bind, ports_[static_cast<size_t>(member)]->port(),
                                 cluster.options.connections_max,
                                 [&cluster, &owner](Socket& socket, std::stop_token stop) {
                                   serve_connection(cluster, owner, socket, std::move(stop));
                                 }));
  return {};
}

void ReplicaSet::bury_finished() {
  std::erase_if(closed_, [](const auto& listener) { return listener->finished(); });
}

std::string ReplicaSet::uri() const {
  std::string hosts;
  for (const auto& member : cluster_.members) hosts += (hosts.empty() ? "" : ",") + member->address;
  if (cluster_.options.router) return "mongodb://" + hosts + "/";
  return "mongodb://" + hosts + "/?replicaSet=" + cluster_.options.set_name;
}

const std::string& ReplicaSet::address(int member) const {
  return cluster_.members[static_cast<size_t>(member)]->address;
}
int ReplicaSet::size() const { return static_cast<int>(cluster_.members.size()); }
std::optional<int> ReplicaSet::primary() const { return cluster_.consensus->primary(); }
PeerStatus ReplicaSet::status(int member) const { return cluster_.consensus->status(member); }

std::optional<int> ReplicaSet::wait_for_primary(std::chrono::milliseconds timeout) const {
  const Mono end = cluster_.clock.now() + timeout;
  while (true) {
    if (const auto found = primary()) return found;
    if (cluster_.clock.now() >= end) return std::nullopt;
    cluster_.clock.sleep_until(cluster_.clock.now() + std::chrono::milliseconds(2), {});
  }
}

void ReplicaSet::kill(int member) {
  {
    MutexLock lock(mutex_);
    if (stopped_ || listeners_[static_cast<size_t>(member)] == nullptr) return;
    listeners_[static_cast<size_t>(member)]->close();
    closed_.push_back(std::move(listeners_[static_cast<size_t>(member)]));
  }
  cluster_.consensus->set_alive(member, false);
  Node& dead = node(member);
  dead.cursors.clear();
  dead.transactions.clear();
  dead.fail_points.clear();
  dead.member.oplog.wake();
}

Status ReplicaSet::restart(int member) {
  {
    MutexLock lock(mutex_);
    bury_finished();
    if (stopped_) return fail(React::kCancelled, "sandbox: the set is ending");
    if (listeners_[static_cast<size_t>(member)] != nullptr) return {};
    Node& owner = node(member);
    owner.set_process_id(cluster_.identities.oid());
    owner.gate.set_paused(false);
    owner.gate.set_delay(std::chrono::milliseconds(0));
    TIDEMARK_TRY(open_listener(member));
  }
  cluster_.consensus->set_replicating(member, true);
  cluster_.consensus->set_alive(member, true);
  return {};
}

void ReplicaSet::pause(int member) {
  node(member).gate.set_paused(true);
  cluster_.consensus->set_paused(member, true);
}

void ReplicaSet::resume(int member) {
  // It learns what it missed before it answers anybody.
  cluster_.consensus->set_paused(member, false);
  node(member).gate.set_paused(false);
}

void ReplicaSet::partition(int member, bool clients) {
  cluster_.consensus->set_partitioned(member, true);
  if (clients) node(member).gate.set_paused(true);
}

void ReplicaSet::heal(int member) {
  cluster_.consensus->set_partitioned(member, false);
  if (!status(member).paused) node(member).gate.set_paused(false);
}

Reply<void> ReplicaSet::step_down(std::chrono::milliseconds period) {
  const auto index = primary();
  if (!index) return command_error(kNotWritablePrimary, "there is no primary");
  return cluster_.consensus->step_down(*index, period, std::chrono::seconds(5), false, {});
}

void ReplicaSet::set_replicating(int member, bool replicating) {
  cluster_.consensus->set_replicating(member, replicating);
}

void ReplicaSet::truncate_oplogs(size_t keep) {
  for (const auto& member : cluster_.members) {
    const auto times = member->oplog.recent_times(std::max<size_t>(keep, 1));
    if (!times.empty()) member->oplog.truncate_before(times.back().ts);
  }
}

size_t ReplicaSet::kill_change_streams() {
  size_t count = 0;
  for (const auto& each : cluster_.nodes) {
    count += each->cursors.kill_streams(CursorFate::kGone);
    each->member.oplog.wake();
  }
  return count;
}

void ReplicaSet::set_delay(int member, std::chrono::milliseconds delay) {
  node(member).gate.set_delay(delay);
}

Reply<void> ReplicaSet::fail_streams(int code, int times) {
  bson::Builder mode;
  mode.append("times", int32_t{times});
  bson::Builder commands;
  commands.append("0", "getMore");
  bson::Builder data;
  data.append_array("failCommands", commands.view()).append("errorCode", int32_t{code});
  bson::Builder command;
  command.append("configureFailPoint", "failCommand").append("mode", mode.view()).append("data", data.view());
  SANDBOX_TRY(cluster_.stream_faults.configure(command.view()));
  return {};
}

}  // namespace tidemark::sandbox
