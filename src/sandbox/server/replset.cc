// replSet*: the state of the set, and asking members to step down or up.
#include "sandbox/server/documents.h"

namespace tidemark::sandbox {
namespace {

void append_date(bson::Builder& out, std::string_view key, OpTime time) {
  out.append_date(key, int64_t{time.ts.seconds} * 1000);
}

// Who this member copies from, in the words of both versions.
void append_sync_source(const Invocation& inv, bson::Builder& out, int source) {
  const std::string host =
      source < 0 ? std::string() : inv.cluster.members[static_cast<size_t>(source)]->address;
  if (inv.cluster.classic()) out.append("syncingTo", host);
  out.append("syncSourceHost", host).append("syncSourceId", int32_t{source});
}

void append_heartbeats(const Invocation& inv, bson::Builder& out) {
  out.append_date("lastHeartbeat", inv.cluster.clock.wall_ms());
  out.append_date("lastHeartbeatRecv", inv.cluster.clock.wall_ms());
  out.append("pingMs", int64_t{0}).append("lastHeartbeatMessage", "");
}

bson::Document member_status(const Invocation& inv, int index) {
  const PeerStatus peer = inv.consensus().status(index);
  const bool self = index == inv.member_index();
  const bool reachable = self || (peer.alive && !peer.paused && !peer.partitioned);
  bson::Builder out;
  out.append("_id", int32_t{index}).append("name", inv.cluster.members[static_cast<size_t>(index)]->address);
  if (inv.cluster.classic()) out.append("ip", inv.cluster.options.bind);
  out.append("health", reachable ? 1.0 : 0.0);
  const int32_t state = !reachable ? 8 : peer.primary ? 1 : 2;
  out.append("state", state);
  out.append("stateStr", state == 8 ? "(not reachable/healthy)" : state == 1 ? "PRIMARY" : "SECONDARY");
  const auto uptime = inv.cluster.clock.now() - inv.cluster.nodes[static_cast<size_t>(index)]->begun;
  out.append("uptime",
             static_cast<int32_t>(std::chrono::duration_cast<std::chrono::seconds>(uptime).count()));
  append_op_time(out, "optime", peer.newest);
  if (!self) append_op_time(out, "optimeDurable", peer.newest);
  append_date(out, "optimeDate", peer.newest);
  if (!self) {
    append_date(out, "optimeDurableDate", peer.newest);
    append_heartbeats(inv, out);
  }
  const auto primary = inv.consensus().primary();
  append_sync_source(inv, out, state == 2 && primary ? *primary : -1);
  out.append("infoMessage", "");
  if (state == 1) {
    append_timestamp(out, "electionTime", peer.elected.ts);
    append_date(out, "electionDate", peer.elected);
  }
  out.append("configVersion", int32_t{1});
  if (!inv.cluster.classic()) out.append("configTerm", peer.term);
  if (self) out.append("self", true).append("lastHeartbeatMessage", "");
  return out.finish();
}

void append_optimes(Invocation& inv) {
  const OpTime newest = inv.member().oplog.newest();
  const OpTime committed = inv.member().oplog.commit_point();
  bson::Builder optimes;
  append_op_time(optimes, "lastCommittedOpTime", committed);
  append_date(optimes, "lastCommittedWallTime", committed);
  append_op_time(optimes, "readConcernMajorityOpTime", committed);
  if (inv.cluster.classic()) append_date(optimes, "readConcernMajorityWallTime", committed);
  append_op_time(optimes, "appliedOpTime", newest);
  append_op_time(optimes, "durableOpTime", newest);
  append_date(optimes, "lastAppliedWallTime", newest);
  append_date(optimes, "lastDurableWallTime", newest);
  inv.reply.append("optimes", optimes.view());
  append_timestamp(inv.reply, "lastStableRecoveryTimestamp", committed.ts);
  if (inv.cluster.classic()) append_timestamp(inv.reply, "lastStableCheckpointTimestamp", committed.ts);
}

Reply<void> get_status(Invocation& inv) {
  if (inv.cluster.options.router) {
    inv.reply.append("info", "mongos");
    return tl::unexpected(CommandError{0, "", "replSetGetStatus is not supported through mongos", {}, {}});
  }
  const auto view = inv.member().topology.get();
  bson::Builder& out = inv.reply;
  out.append("set", inv.cluster.options.set_name).append_date("date", inv.cluster.clock.wall_ms());
  out.append("myState", int32_t{view.primary ? 1 : 2}).append("term", view.term);
  append_sync_source(inv, out, view.primary ? -1 : view.known_primary);
  out.append("heartbeatIntervalMillis", int64_t{500});
  if (!inv.cluster.classic()) out.append("majorityVoteCount", int32_t{inv.consensus().size() / 2 + 1});
  append_optimes(inv);
  ArrayWriter members(out.raw(), "members");
  for (int i = 0; i < inv.consensus().size(); i++) members.append(member_status(inv, i).view());
  return {};
}

Reply<void> get_config(Invocation& inv) {
  inv.reply.append("config", set_config(inv.cluster).view());
  return {};
}

Reply<void> step_down(Invocation& inv) {
  SANDBOX_ASSIGN(int64_t period, int_field(inv, inv.body, "replSetStepDown", 60));
  SANDBOX_ASSIGN(const bool force, bool_field(inv, inv.body, "force", false));
  SANDBOX_ASSIGN(const int64_t catch_up,
                 int_field(inv, inv.body, "secondaryCatchUpPeriodSecs", force ? 0 : 10));
  if (period == 0) period = 60;
  if (period < 0 || catch_up < 0)
    return command_error(kBadValue, "stepdown period must be a positive integer");
  if (period < catch_up)
    return command_error(kBadValue, "stepdown period must be longer than secondaryCatchUpPeriodSecs");
  // A forced step-down still hands over to a member that has everything, when that takes no time to speak of.
  const auto wait = std::max(std::chrono::milliseconds(catch_up * 1000), std::chrono::milliseconds(100));
  return inv.consensus().step_down(inv.member_index(), std::chrono::seconds(period), wait, force, inv.stop);
}

Reply<void> step_up(Invocation& inv) { return inv.consensus().step_up(inv.member_index()); }

Reply<void> freeze(Invocation& inv) {
  SANDBOX_ASSIGN(const int64_t seconds, int_field(inv, inv.body, "replSetFreeze", 0));
  if (seconds < 0) return command_error(kBadValue, "replSetFreeze takes a number of seconds");
  if (inv.member().topology.get().primary)
    return command_error(95, "cannot freeze node when primary or running for election. state: Primary");
  inv.consensus().freeze(inv.member_index(), std::chrono::seconds(seconds));
  return {};
}

Reply<void> initiate(Invocation&) { return command_error(23, "already initialized"); }

constexpr CommandSpec kCommands[] = {
    {"replSetGetStatus", get_status, kAdminOnly, "initialSync"},
    {"replSetGetConfig", get_config, kAdminOnly | kMembersOnly, "commitmentStatus"},
    {"replSetStepDown", step_down, kAdminOnly | kMembersOnly, "force secondaryCatchUpPeriodSecs"},
    {"replSetStepUp", step_up, kAdminOnly | kMembersOnly, "skipDryRun"},
    {"replSetFreeze", freeze, kAdminOnly | kMembersOnly, ""},
    {"replSetInitiate", initiate, kAdminOnly | kMembersOnly | kAnyFields, ""},
};

}  // namespace

std::span<const CommandSpec> replset_commands() { return kCommands; }

}  // namespace tidemark::sandbox
