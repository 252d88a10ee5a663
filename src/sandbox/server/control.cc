// Faults on command: MongoDB's configureFailPoint, and `{sandbox: "<action>", member: N | "primary" | "secondary", ...}` on the
// admin database of any member that still answers.
#include "sandbox/server/documents.h"

namespace tidemark::sandbox {
namespace {

Reply<void> configure_fail_point(Invocation& inv) {
  SANDBOX_ASSIGN(const int64_t fired, inv.node.fail_points.configure(inv.body));
  const auto name = inv.body.find("configureFailPoint");
  if (name->string() == "stopReplProducer" || name->string() == "rsSyncApplyStop")
    inv.consensus().set_replicating(inv.member_index(), !inv.node.fail_points.active(name->string()));
  inv.reply.append("count", static_cast<int32_t>(fired));
  return {};
}

Reply<int> target_of(const Invocation& inv) {
  const auto field = inv.body.find("member");
  const auto primary = inv.consensus().primary();
  if (!field) return inv.member_index();
  if (field->is_string()) {
    if (field->string() == "primary" && primary) return *primary;
    if (field->string() == "primary") return command_error(kBadValue, "sandbox: there is no primary now");
    if (field->string() == "secondary")
      for (int i = 0; i < inv.consensus().size(); i++)
        if (i != primary && inv.consensus().status(i).alive) return i;
  }
  const auto index = field->integer();
  if (!index || *index < 0 || *index >= inv.consensus().size())
    return command_error(kBadValue, "sandbox: 'member' must be 0 to " +
                                        std::to_string(inv.consensus().size() - 1) +
                                        ", \"primary\" or \"secondary\"");
  return static_cast<int>(*index);
}

Node& node_of(const Invocation& inv, int index) { return *inv.cluster.nodes[static_cast<size_t>(index)]; }

Reply<void> kill(Invocation& inv, int target) {
  inv.cluster.faults.kill(target);
  return {};
}

Reply<void> restart(Invocation& inv, int target) {
  if (auto done = inv.cluster.faults.restart(target); !done)
    return command_error(kOperationFailed, done.error().what);
  return {};
}

Reply<void> pause(Invocation& inv, int target) {
  if (target == inv.member_index())
    return command_error(kBadValue,
                         "sandbox: a member can't answer once it is paused: send this to another one");
  node_of(inv, target).gate.set_paused(true);
  inv.consensus().set_paused(target, true);
  return {};
}

Reply<void> resume(Invocation& inv, int target) {
  inv.consensus().set_paused(target, false);
  node_of(inv, target).gate.set_paused(false);
  return {};
}

// {clients: true}: its clients don't reach it either.
Reply<void> partition(Invocation& inv, int target) {
  SANDBOX_ASSIGN(const bool clients, bool_field(inv, inv.body, "clients", false));
  inv.consensus().set_partitioned(target, true);
  if (clients) {
    if (target == inv.member_index())
      return command_error(kBadValue, "sandbox: cut a member off its clients through another member");
    node_of(inv, target).gate.set_paused(true);
  }
  return {};
}

Reply<void> heal(Invocation& inv, int target) {
  const bool all = !inv.body.find("member");
  for (int i = 0; i < inv.consensus().size(); i++) {
    if (!all && i != target) continue;
    inv.consensus().set_partitioned(i, false);
    if (!inv.consensus().status(i).paused) node_of(inv, i).gate.set_paused(false);
  }
  return {};
}

// {keep: n} keeps the newest n entries, {before: ts} drops what is older. Without `member`: on all members.
Reply<void> truncate_oplog(Invocation& inv, int target) {
  SANDBOX_ASSIGN(const int64_t keep, int_field(inv, inv.body, "keep", 1));
  const auto before = inv.body.find("before");
  const bool all = !inv.body.find("member");
  for (int i = 0; i < inv.consensus().size(); i++) {
    if (!all && i != target) continue;
    Oplog& oplog = inv.cluster.members[static_cast<size_t>(i)]->oplog;
    const auto times = oplog.recent_times(static_cast<size_t>(std::max<int64_t>(keep, 1)));
    bson::Timestamp limit = times.empty() ? bson::Timestamp{} : times.back().ts;
    if (before && before->type() == BSON_TYPE_TIMESTAMP) {
      bson::Timestamp asked;
      bson_iter_timestamp(&before->iter(), &asked.seconds, &asked.increment);
      limit = std::min(asked, oplog.newest().ts);
    }
    oplog.truncate_before(limit);
  }
  return {};
}

// {changeStreams: true} alone is known; {code: 237} answers waiting getMores as killed by a client, else as gone (43).
Reply<void> kill_cursors(Invocation& inv, int target) {
  SANDBOX_ASSIGN(const int64_t code, int_field(inv, inv.body, "code", kCursorNotFound));
  const bool all = !inv.body.find("member");
  int64_t killed = 0;
  for (int i = 0; i < inv.consensus().size(); i++) {
    if (!all && i != target) continue;
    killed += static_cast<int64_t>(
        node_of(inv, i).cursors.kill_streams(code == 237 ? CursorFate::kKilled : CursorFate::kGone));
    inv.cluster.members[static_cast<size_t>(i)]->oplog.wake();
  }
  inv.reply.append("killed", killed);
  return {};
}

Reply<void> delay(Invocation& inv, int target) {
  SANDBOX_ASSIGN(const int64_t ms, int_field(inv, inv.body, "ms", 0));
  if (ms < 0 || ms > 600'000) return command_error(kBadValue, "sandbox: 'ms' must be between 0 and 600000");
  node_of(inv, target).gate.set_delay(std::chrono::milliseconds(ms));
  return {};
}

// Always of the primary unless a member is named.
Reply<void> step_down(Invocation& inv, int target) {
  if (!inv.body.find("member")) {
    const auto primary = inv.consensus().primary();
    if (!primary) return command_error(kBadValue, "sandbox: there is no primary now");
    target = *primary;
  }
  SANDBOX_ASSIGN(const int64_t seconds, int_field(inv, inv.body, "seconds", 1));
  return inv.consensus().step_down(target, std::chrono::seconds(seconds), std::chrono::seconds(5), true,
                                   inv.stop);
}

Reply<void> stop_replication(Invocation& inv, int target) {
  inv.consensus().set_replicating(target, false);
  return {};
}
Reply<void> start_replication(Invocation& inv, int target) {
  inv.consensus().set_replicating(target, true);
  return {};
}

// {errorCode, errorLabels, times}: the next getMores on change streams fail, on whichever member.
Reply<void> fail_stream(Invocation& inv, int) {
  SANDBOX_ASSIGN(const int64_t code, int_field(inv, inv.body, "errorCode", 0));
  SANDBOX_ASSIGN(const int64_t times, int_field(inv, inv.body, "times", 1));
  bson::Builder mode;
  mode.append("times", times);
  bson::Builder data;
  {
    ArrayWriter commands(data.raw(), "failCommands");
    commands.append(std::string_view("getMore"));
  }
  data.append("errorCode", code);
  if (const auto labels = inv.body.find("errorLabels")) data.append("errorLabels", *labels);
  bson::Builder command;
  command.append("configureFailPoint", "failCommand").append("mode", mode.view()).append("data", data.view());
  SANDBOX_TRY(inv.cluster.stream_faults.configure(command.view()));
  return {};
}

Reply<void> insert_before_delete(Invocation& inv, int) {
  SANDBOX_ASSIGN(const bool on, bool_field(inv, inv.body, "on", true));
  inv.cluster.insert_before_delete = on;
  return {};
}

Reply<void> status(Invocation& inv, int) {
  ArrayWriter members(inv.reply.raw(), "members");
  for (int i = 0; i < inv.consensus().size(); i++) {
    const PeerStatus peer = inv.consensus().status(i);
    const Node& node = node_of(inv, i);
    bson::Builder out;
    out.append("member", int32_t{i}).append("address", node.member.address).append("alive", peer.alive);
    out.append("paused", peer.paused).append("partitioned", peer.partitioned).append("primary", peer.primary);
    out.append("replicating", peer.replicating).append("term", peer.term);
    append_timestamp(out, "newest", peer.newest.ts);
    append_timestamp(out, "oldest", node.member.oplog.oldest().ts);
    append_timestamp(out, "committed", node.member.oplog.commit_point().ts);
    out.append("oplogEntries", static_cast<int64_t>(node.member.oplog.size()));
    out.append("oplogBytes", static_cast<int64_t>(node.member.oplog.bytes()));
    out.append("cursors", static_cast<int64_t>(node.cursors.size()));
    out.append("transactions", static_cast<int64_t>(node.transactions.size()));
    out.append("connections", node.counters.connections_now.load());
    out.append("rollbacks", peer.rollbacks).append("initialSyncs", peer.initial_syncs);
    members.append(out.view());
  }
  return {};
}

struct Action {
  std::string_view name;
  Reply<void> (*run)(Invocation&, int target);
};
constexpr Action kActions[] = {
    {"kill", kill},
    {"restart", restart},
    {"pause", pause},
    {"resume", resume},
    {"partition", partition},
    {"heal", heal},
    {"truncateOplog", truncate_oplog},
    {"killCursors", kill_cursors},
    {"delay", delay},
    {"stepDown", step_down},
    {"stopReplication", stop_replication},
    {"startReplication", start_replication},
    {"failStream", fail_stream},
    {"insertBeforeDelete", insert_before_delete},
    {"status", status},
};

Reply<void> sandbox(Invocation& inv) {
  const auto action = *inv.body.begin();
  std::string names;
  for (const auto& known : kActions) {
    if (action.is_string() && action.string() == known.name) {
      SANDBOX_ASSIGN(const int target, target_of(inv));
      inv.reply.append("member", int32_t{target});
      return known.run(inv, target);
    }
    names += (names.empty() ? "" : ", ") + std::string(known.name);
  }
  return command_error(kBadValue, "sandbox: unknown action; the actions are " + names);
}

constexpr CommandSpec kCommands[] = {
    {"configureFailPoint", configure_fail_point, kAdminOnly, "mode data"},
    {"sandbox", sandbox, kAdminOnly,
     "member clients keep before changeStreams code ms on seconds errorCode errorLabels times"},
};

}  // namespace

std::span<const CommandSpec> control_commands() { return kCommands; }

}  // namespace tidemark::sandbox
