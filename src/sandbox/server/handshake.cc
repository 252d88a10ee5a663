// hello and isMaster: who a member is, who is primary, and the waiting forms of the question (awaitable and streamed).
#include "sandbox/server/command.h"

namespace tidemark::sandbox {
namespace {

// The newest wire version that a server of this version speaks.
int32_t wire_version(ServerVersion version) {
  if (version < ServerVersion{4, 4}) return 8;
  return version < ServerVersion{5, 0} ? 9 : 21;
}

void remember_client(Invocation& inv) {
  const auto name = inv.body.find_path("client.application.name");
  if (name && name->is_string()) inv.connection.app_name = name->string();
}

// Waits while the client already knows the newest topology. REQUIRES a server that has topologyVersion.
Reply<Topology::View> await_topology(Invocation& inv) {
  const Topology& topology = inv.member().topology;
  SANDBOX_ASSIGN(const bson::View known, document_field(inv, inv.body, "topologyVersion"));
  const bool waits = static_cast<bool>(inv.body.find("maxAwaitTimeMS"));
  if (static_cast<bool>(known) != waits)
    return command_error(31368, waits ? "A request with 'maxAwaitTimeMS' must include 'topologyVersion'"
                                      : "A request with a 'topologyVersion' must include 'maxAwaitTimeMS'");
  if (!known) return topology.get();
  SANDBOX_ASSIGN(const int64_t wait_ms, int_field(inv, inv.body, "maxAwaitTimeMS", 0));
  SANDBOX_ASSIGN(const int64_t counter, int_field(inv, known, "counter", -1));
  if (wait_ms < 0) return command_error(31373, "maxAwaitTimeMS must be a non-negative integer");
  const auto process = known.find("processId");
  inv.exhaust_more = true;
  const bson_oid_t mine = inv.node.process_id();
  if (!process || process->type() != BSON_TYPE_OID || !bson_oid_equal(bson_iter_oid(&process->iter()), &mine))
    return topology.get();
  if (counter > topology.get().counter)
    return command_error(31382, "Received a topology version with counter: " + std::to_string(counter) +
                                    " which is greater than the server topology version counter");
  return topology.wait_beyond(counter, std::chrono::milliseconds(wait_ms), inv.stop);
}

void append_last_write(Invocation& inv) {
  const OpTime newest = inv.member().oplog.newest();
  const OpTime committed = inv.member().oplog.commit_point();
  bson::Builder last;
  append_op_time(last, "opTime", newest);
  last.append_date("lastWriteDate", int64_t{newest.ts.seconds} * 1000);
  append_op_time(last, "majorityOpTime", committed);
  last.append_date("majorityWriteDate", int64_t{committed.ts.seconds} * 1000);
  inv.reply.append("lastWrite", last.view());
}

void append_member(Invocation& inv, std::string_view primary_field, const Topology::View& view) {
  bson::Builder& out = inv.reply;
  {
    ArrayWriter hosts(out.raw(), "hosts");
    for (const auto& member : inv.cluster.members) hosts.append(member->address);
  }
  out.append("setName", inv.cluster.options.set_name).append("setVersion", int32_t{1});
  out.append(primary_field, view.primary).append("secondary", !view.primary);
  if (view.known_primary >= 0)
    out.append("primary", inv.cluster.members[static_cast<size_t>(view.known_primary)]->address);
  out.append("me", inv.member().address);
  if (view.primary) append_oid(out, "electionId", election_id(view.term));
  append_last_write(inv);
}

Reply<void> answer(Invocation& inv, std::string_view primary_field) {
  remember_client(inv);
  const bool waits = inv.version() >= ServerVersion{4, 4};
  Topology::View view = inv.member().topology.get();
  if (waits) {
    SANDBOX_ASSIGN(view, await_topology(inv));
  }
  bson::Builder& out = inv.reply;
  const bool legacy = primary_field == "ismaster";
  if (const auto asks = inv.body.find("helloOk"); legacy && !inv.cluster.classic() && asks && asks->truthy())
    out.append("helloOk", true);
  if (waits) {
    bson::Builder version;
    append_oid(version, "processId", inv.node.process_id());
    version.append("counter", view.counter);
    out.append("topologyVersion", version.view());
  }
  if (inv.cluster.options.router)
    out.append(primary_field, true).append("msg", "isdbgrid");
  else
    append_member(inv, primary_field, view);
  out.append("maxBsonObjectSize", int32_t{16 * 1024 * 1024})
      .append("maxMessageSizeBytes", wire::kMessageBytesMax);
  out.append("maxWriteBatchSize", int32_t{100'000}).append_date("localTime", inv.cluster.clock.wall_ms());
  out.append("logicalSessionTimeoutMinutes", int32_t{30}).append("connectionId", inv.connection.id);
  out.append("minWireVersion", int32_t{0}).append("maxWireVersion", wire_version(inv.version()));
  out.append("readOnly", false);
  if (inv.body.find("saslSupportedMechs") && !inv.cluster.options.user.empty()) {
    ArrayWriter mechanisms(out.raw(), "saslSupportedMechs");
    mechanisms.append(std::string_view("SCRAM-SHA-256"));
  }
  return {};
}

Reply<void> hello(Invocation& inv) { return answer(inv, "isWritablePrimary"); }
Reply<void> is_master(Invocation& inv) { return answer(inv, "ismaster"); }

constexpr CommandSpec kCommands[] = {
    {"hello", hello, kNoAuth | kAnyFields | kSince50, ""},
    {"isMaster", is_master, kNoAuth | kAnyFields, ""},
    {"ismaster", is_master, kNoAuth | kAnyFields, ""},
};

}  // namespace

std::span<const CommandSpec> handshake_commands() { return kCommands; }

}  // namespace tidemark::sandbox
