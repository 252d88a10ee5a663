// What is the same for every command: who may run it and where, which fields it takes, its session and transaction, how
// it waits for its write concern, and what the end of its reply looks like.
#include <algorithm>
#include <unordered_map>

#include "sandbox/server/access.h"
#include "sandbox/server/labels.h"
#include "sandbox/server/request.h"
#include "sandbox/server/router.h"

namespace tidemark::sandbox {
namespace {

constexpr std::string_view kGenericFields =
    "$db lsid txnNumber autocommit startTransaction $clusterTime $readPreference readConcern writeConcern "
    "maxTimeMS "
    "maxTimeMSOpOnly comment apiVersion apiStrict apiDeprecationErrors $audit $client $configServerState "
    "$oplogQueryData $replData mayBypassWriteBlocking $queryOptions help";

const std::unordered_map<std::string_view, const CommandSpec*>& table() {
  static const auto commands = [] {
    std::unordered_map<std::string_view, const CommandSpec*> all;
    for (const auto family :
         {handshake_commands(), auth_commands(), diagnostic_commands(), write_commands(), read_commands(),
          cursor_commands(), aggregate_commands(), ddl_commands(), catalog_commands(), session_commands(),
          replset_commands(), control_commands(), router_commands()})
      for (const auto& spec : family) all.emplace(spec.name, &spec);
    return all;
  }();
  return commands;
}

Reply<void> find_command(Invocation& inv) {
  if (inv.body.empty()) return command_error(kFailedToParse, "an empty document is no command");
  const auto first = *inv.body.begin();
  inv.name = first.key();
  if (const auto db = inv.body.find("$db"); db && db->is_string()) inv.db = db->string();
  const auto found = table().find(inv.name);
  const auto newer = [&inv](const CommandSpec& spec) {
    return (spec.is(kSince44) && inv.version() < ServerVersion{4, 4}) ||
           (spec.is(kSince50) && inv.version() < ServerVersion{5, 0});
  };
  if (found == table().end() || newer(*found->second))
    return command_error(kCommandNotFound, "no such command: '" + std::string(inv.name) + "'");
  inv.spec = found->second;
  if (inv.cluster.options.router)
    SANDBOX_TRY(check_routed(inv));
  else if (inv.spec->is(kRouterOnly))
    return command_error(kCommandNotFound, "no such command: '" + std::string(inv.name) + "'");
  if (inv.db.empty()) return command_error(kInvalidNamespace, "a command needs its database in '$db'");
  return {};
}

Reply<void> check_access(Invocation& inv) {
  SANDBOX_TRY(check_privileges(inv));
  if (inv.is_query && !inv.spec->is(kNoAuth))
    return command_error(352, "Unsupported OP_QUERY command: " + std::string(inv.name) +
                                  ". The client driver may require an upgrade.");
  if (inv.spec->is(kAdminOnly) && inv.db != "admin")
    return command_error(kUnauthorized,
                         std::string(inv.name) + " may only be run against the admin database.");
  return {};
}

Reply<void> check_known_fields(const Invocation& inv) {
  if (inv.spec->is(kAnyFields)) return {};
  bool first = true;
  for (const auto& field : inv.body) {
    const auto key = field.key();
    if (!first && !token_in(inv.spec->fields, key) && !token_in(kGenericFields, key))
      return command_error(
          40415, "BSON field '" + std::string(inv.name) + "." + std::string(key) + "' is an unknown field.");
    first = false;
  }
  for (const auto& sequence : inv.sequences)
    if (!token_in(inv.spec->fields, sequence.name))
      return command_error(40415, "BSON field '" + std::string(inv.name) + "." + std::string(sequence.name) +
                                      "' is an unknown field.");
  return {};
}

Reply<void> run_checked(Invocation& inv) {
  SANDBOX_TRY(check_access(inv));
  SANDBOX_TRY(check_known_fields(inv));
  SANDBOX_TRY(parse_session(inv));
  SANDBOX_TRY(parse_write_concern(inv));
  SANDBOX_TRY(parse_read_concern(inv));
  SANDBOX_TRY(check_role(inv));
  SANDBOX_TRY(wait_after_cluster_time(inv));
  SANDBOX_TRY(enter_transaction(inv));
  SANDBOX_TRY(inv.spec->run(inv));
  return wait_read_concern(inv);
}

bson::Document concern_document(const WriteConcern& concern) {
  bson::Builder out;
  if (concern.majority)
    out.append("w", "majority");
  else
    out.append("w", int32_t{concern.w});
  out.append("wtimeout", static_cast<int32_t>(concern.timeout.count()));
  out.append("provenance", "clientSupplied");
  return out.finish();
}

bson::Document concern_error(const Invocation& inv, const WriteConcern& concern, int code,
                             std::string_view text) {
  bson::Builder out;
  out.append("code", int32_t{code}).append("codeName", code_name(code)).append("errmsg", text);
  if (inv.cluster.classic() && code != 64) return out.finish();
  bson::Builder info;
  if (code == 64) info.append("wtimeout", true);
  if (!inv.cluster.classic()) info.append("writeConcern", concern_document(concern).view());
  out.append("errInfo", info.view());
  return out.finish();
}

// Waits as long as the write concern says; a document when it could not be kept.
bson::Document wait_write_concern(const Invocation& inv) {
  if (inv.write_concern_error) return inv.write_concern_error;
  // An aggregation writes only when it ends in $out or $merge.
  const bool writes = inv.spec->is(kWriteConcern) || inv.written != OpTime{};
  if (!writes || inv.transaction) return {};
  WriteConcern concern;
  concern.majority = !inv.cluster.classic();
  if (inv.write_concern) concern = *inv.write_concern;
  if (!concern.majority && concern.w > inv.consensus().size())
    return concern_error(inv, concern, 100, "Not enough data-bearing nodes");
  if (!concern.majority && concern.w <= 1) return {};
  // A write that changed nothing still says that what it saw is durable.
  const OpTime time = inv.written == OpTime{} ? inv.member().oplog.newest() : inv.written;
  switch (inv.consensus().wait_replicated(inv.member_index(), time, concern, inv.stop)) {
    case WaitOutcome::kReplicated:
      return {};
    case WaitOutcome::kTimedOut:
      return concern_error(inv, concern, 64, "waiting for replication timed out");
    case WaitOutcome::kNotPrimary:
      return concern_error(inv, concern, kInterruptedDueToReplStateChange, "operation was interrupted");
    case WaitOutcome::kStopped:
      return concern_error(inv, concern, 11600, "interrupted at shutdown");
  }
  return {};
}

void append_labels(const Invocation& inv, bson::Builder& out, const std::vector<std::string>& labels) {
  (void)inv;
  if (labels.empty()) return;
  ArrayWriter array(out.raw(), "errorLabels");
  for (const auto& label : labels) array.append(label);
}

std::vector<std::string> labels_for(const Invocation& inv, int code) {
  return error_labels(
      {code, inv.name, inv.version(), inv.retryable_write(), inv.in_transaction, inv.stream_cursor});
}

void append_topology_version(const Invocation& inv) {
  bson::Builder version;
  append_oid(version, "processId", inv.node.process_id());
  version.append("counter", inv.member().topology.get().counter);
  inv.reply.append("topologyVersion", version.view());
}

void append_times(const Invocation& inv, bool cluster_time, bool operation_time) {
  const bson::Timestamp now = inv.member().oplog.newest().ts;
  if (cluster_time) {
    bson::Builder signature;
    const uint8_t hash[20] = {};
    bson_append_binary(signature.raw(), "hash", 4, BSON_SUBTYPE_BINARY, hash, sizeof hash);
    signature.append("keyId", int64_t{0});
    bson::Builder time;
    append_timestamp(time, "clusterTime", now);
    time.append("signature", signature.view());
    inv.reply.append("$clusterTime", time.view());
  }
  if (operation_time) append_timestamp(inv.reply, "operationTime", now);
}

void finish_error(Invocation& inv, const CommandError& error, bool labels_given) {
  inv.reply.clear();
  const bool classic = inv.cluster.classic();
  if (classic) append_times(inv, false, true);
  auto labels = error.labels;
  if (!labels_given)
    for (auto& label : labels_for(inv, error.code))
      if (std::find(labels.begin(), labels.end(), label) == labels.end()) labels.push_back(std::move(label));
  if (!classic && is_state_change(error.code)) append_topology_version(inv);
  append_labels(inv, inv.reply, labels);
  inv.reply.append("ok", 0.0).append("errmsg", error.message);
  if (error.code != 0) inv.reply.append("code", int32_t{error.code}).append("codeName", error.code_name);
  if (error.extra) inv.reply.concat(error.extra);
  append_times(inv, true, !classic);
}

void finish_ok(Invocation& inv) {
  const bson::Document concern_error = wait_write_concern(inv);
  inv.reply.append("ok", 1.0);
  if (concern_error) {
    inv.reply.append("writeConcernError", concern_error.view());
    const auto code = concern_error.view().find("code");
    if (code && code->integer())
      append_labels(inv, inv.reply, labels_for(inv, static_cast<int>(*code->integer())));
  }
  append_times(inv, true, true);
}

std::string namespace_of(const Invocation& inv) {
  const auto first = *inv.body.begin();
  if (first.is_string()) return inv.db + "." + std::string(first.string());
  const auto collection = inv.body.find("collection");
  return collection && collection->is_string() ? inv.db + "." + std::string(collection->string()) : inv.db;
}

}  // namespace

AfterReply dispatch(Invocation& inv) {
  inv.node.counters.commands++;
  auto found = find_command(inv);
  if (!found) {
    finish_error(inv, found.error(), false);
    return AfterReply::kGoOn;
  }
  Injection injection;
  if (inv.name != "configureFailPoint" && inv.name != "sandbox")
    injection = inv.node.fail_points.inject(inv.name, inv.connection.app_name, namespace_of(inv));
  if (injection.block_ms > 0 && !inv.node.gate.wait(std::chrono::milliseconds(injection.block_ms), inv.stop))
    return AfterReply::kCloseConnection;
  if (injection.close_connection) return AfterReply::kCloseConnection;
  inv.write_concern_error = injection.write_concern_error;
  // A fail point strikes a command that would have been accepted: its session is known by then.
  if (injection.error) {
    if (auto parsed = parse_session(inv); !parsed) {
      finish_error(inv, parsed.error(), false);
      return AfterReply::kGoOn;
    }
    inv.stream_cursor = inv.name == "getMore";
    finish_error(inv, *injection.error, injection.labels_given);
    return AfterReply::kGoOn;
  }
  auto done = run_checked(inv);
  if (!done) {
    // An error ends the transaction it happens in.
    if (inv.transaction) inv.node.transactions.erase(inv.lsid, inv.txn_number);
    finish_error(inv, done.error(), false);
  } else {
    finish_ok(inv);
  }
  return AfterReply::kGoOn;
}

}  // namespace tidemark::sandbox
