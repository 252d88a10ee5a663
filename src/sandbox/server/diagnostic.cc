// What drivers, shells and monitors ask a server about itself.
#include "sandbox/server/command.h"

namespace tidemark::sandbox {
namespace {

Reply<void> ping(Invocation&) { return {}; }

Reply<void> build_info(Invocation& inv) {
  bson::Builder& out = inv.reply;
  out.append("version", inv.version().release_text()).append("gitVersion", "tidemark-sandbox");
  out.append_array("modules", bson::Builder().view());
  out.append("allocator", "system").append("javascriptEngine", "none").append("sysInfo", "deprecated");
  {
    ArrayWriter version(out.raw(), "versionArray");
    bson::Builder parts;
    for (const int32_t part : inv.version().release()) parts.append("", part);
    for (const auto& part : parts.view()) version.append(part);
  }
  bson::Builder openssl;
  openssl.append("running", "disabled").append("compiled", "disabled");
  out.append("openssl", openssl.view());
  bson::Builder environment;
  environment.append("distarch", "x86_64").append("target_arch", "x86_64").append("target_os", "linux");
  out.append("buildEnvironment", environment.view());
  out.append("bits", int32_t{64})
      .append("debug", false)
      .append("maxBsonObjectSize", int32_t{16 * 1024 * 1024});
  ArrayWriter engines(out.raw(), "storageEngines");
  engines.append(std::string_view("tidemark-sandbox"));
  return {};
}

Reply<void> host_info(Invocation& inv) {
  bson::Builder system;
  system.append_date("currentTime", inv.cluster.clock.wall_ms()).append("hostname", inv.member().address);
  system.append("cpuAddrSize", int32_t{64}).append("numCores", int32_t{1}).append("cpuArch", "x86_64");
  inv.reply.append("system", system.view());
  bson::Builder os;
  os.append("type", "Linux").append("name", "tidemark-sandbox").append("version", "");
  inv.reply.append("os", os.view()).append("extra", bson::Builder().view());
  return {};
}

bson::Document feature_version(const Invocation& inv) {
  bson::Builder out;
  out.append("version", inv.version().feature());
  return out.finish();
}

Reply<void> get_parameter(Invocation& inv) {
  const auto first = *inv.body.begin();
  const bool all = first.is_string() && first.string() == "*";
  const auto asked = [&inv, all](std::string_view name) { return all || inv.body.find(name); };
  size_t found = 0;
  if (asked("featureCompatibilityVersion")) {
    inv.reply.append("featureCompatibilityVersion", feature_version(inv).view());
    found++;
  }
  if (asked("enableTestCommands")) {
    inv.reply.append("enableTestCommands", true);
    found++;
  }
  if (asked("authenticationMechanisms")) {
    ArrayWriter mechanisms(inv.reply.raw(), "authenticationMechanisms");
    mechanisms.append(std::string_view("SCRAM-SHA-256"));
    found++;
  }
  if (asked("transactionLifetimeLimitSeconds")) {
    inv.reply.append("transactionLifetimeLimitSeconds", int32_t{60});
    found++;
  }
  if (found == 0) return command_error(kInvalidOptions, "no option found to get");
  return {};
}

Reply<void> get_cmd_line_opts(Invocation& inv) {
  {
    ArrayWriter argv(inv.reply.raw(), "argv");
    argv.append(std::string_view("tidemark-sandbox"));
  }
  bson::Builder replication;
  replication.append("replSet", inv.cluster.options.set_name);
  bson::Builder parsed;
  parsed.append("replication", replication.view());
  inv.reply.append("parsed", parsed.view());
  return {};
}

Reply<void> get_log(Invocation& inv) {
  const auto first = *inv.body.begin();
  if (first.is_string() && first.string() == "*") {
    ArrayWriter names(inv.reply.raw(), "names");
    names.append(std::string_view("global"));
    names.append(std::string_view("startupWarnings"));
    return {};
  }
  inv.reply.append("totalLinesWritten", int32_t{0}).append_array("log", bson::Builder().view());
  return {};
}

Reply<void> connection_status(Invocation& inv) {
  bson::Builder info;
  {
    ArrayWriter users(info.raw(), "authenticatedUsers");
    if (inv.connection.authenticated) {
      bson::Builder user;
      user.append("user", inv.connection.user).append("db", inv.connection.user_db);
      users.append(user.view());
    }
  }
  info.append_array("authenticatedUserRoles", bson::Builder().view());
  inv.reply.append("authInfo", info.view());
  return {};
}

Reply<void> whats_my_uri(Invocation& inv) {
  inv.reply.append("you", inv.connection.peer);
  return {};
}

void append_counters(Invocation& inv) {
  const Counters& counters = inv.node.counters;
  bson::Builder connections;
  const auto now = counters.connections_now.load();
  connections.append("current", static_cast<int32_t>(now));
  connections.append("available",
                     static_cast<int32_t>(static_cast<int64_t>(inv.cluster.options.connections_max) - now));
  connections.append("totalCreated", static_cast<int32_t>(counters.connections_total.load()));
  inv.reply.append("connections", connections.view());
  bson::Builder ops;
  ops.append("insert", counters.inserts.load()).append("query", counters.queries.load());
  ops.append("update", counters.updates.load()).append("delete", counters.deletes.load());
  ops.append("getmore", counters.get_mores.load()).append("command", counters.commands.load());
  inv.reply.append("opcounters", ops.view());
}

void append_replication(Invocation& inv) {
  const auto view = inv.member().topology.get();
  bson::Builder repl;
  repl.append("setName", inv.cluster.options.set_name).append("setVersion", int32_t{1});
  repl.append(inv.cluster.classic() ? "ismaster" : "isWritablePrimary", view.primary)
      .append("secondary", !view.primary);
  repl.append("me", inv.member().address);
  inv.reply.append("repl", repl.view());
  bson::Builder oplog;
  append_timestamp(oplog, "latestOptime", inv.member().oplog.newest().ts);
  append_timestamp(oplog, "earliestOptime", inv.member().oplog.oldest().ts);
  inv.reply.append("oplog", oplog.view());
}

Reply<void> server_status(Invocation& inv) {
  bson::Builder& out = inv.reply;
  out.append("host", inv.member().address).append("version", inv.version().release_text());
  out.append("process", inv.cluster.options.router ? "mongos" : "mongod");
  const auto up = inv.cluster.clock.now() - inv.node.begun;
  const auto up_ms = std::chrono::duration_cast<std::chrono::milliseconds>(up).count();
  out.append("uptime", static_cast<double>(up_ms) / 1000).append("uptimeMillis", static_cast<int64_t>(up_ms));
  out.append_date("localTime", inv.cluster.clock.wall_ms());
  append_counters(inv);
  if (!inv.cluster.options.router) append_replication(inv);
  bson::Builder cursor_open;
  cursor_open.append("total", static_cast<int64_t>(inv.node.cursors.size()));
  bson::Builder cursor;
  cursor.append("open", cursor_open.view());
  bson::Builder metrics;
  metrics.append("cursor", cursor.view());
  out.append("metrics", metrics.view());
  if (inv.cluster.options.router) return {};
  bson::Builder engine;
  engine.append("name", "tidemark-sandbox")
      .append("supportsCommittedReads", inv.cluster.options.majority_reads);
  out.append("storageEngine", engine.view());
  return {};
}

Reply<void> default_concerns(Invocation& inv) {
  bson::Builder read;
  read.append("level", "local");
  bson::Builder write;
  write.append("w", "majority").append("wtimeout", int32_t{0});
  inv.reply.append("defaultReadConcern", read.view()).append("defaultWriteConcern", write.view());
  inv.reply.append("defaultWriteConcernSource", "implicit").append("defaultReadConcernSource", "implicit");
  return {};
}

constexpr CommandSpec kCommands[] = {
    {"ping", ping, kNoAuth, ""},
    {"buildInfo", build_info, kNoAuth, ""},
    {"buildinfo", build_info, kNoAuth, ""},
    {"hostInfo", host_info, kAnywhere, ""},
    {"getParameter", get_parameter, kAdminOnly | kAnyFields, ""},
    {"getCmdLineOpts", get_cmd_line_opts, kAdminOnly, ""},
    {"getLog", get_log, kAdminOnly, ""},
    {"connectionStatus", connection_status, kNoAuth, "showPrivileges"},
    {"whatsmyuri", whats_my_uri, kNoAuth, ""},
    {"serverStatus", server_status, kAnyFields, ""},
    {"getDefaultRWConcern", default_concerns, kAdminOnly | kSince44, "inMemory"},
};

}  // namespace

std::span<const CommandSpec> diagnostic_commands() { return kCommands; }

}  // namespace tidemark::sandbox
