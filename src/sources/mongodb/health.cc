#include "sources/mongodb/health.h"

#include <algorithm>

#include "base/digest.h"
#include "core/deployment.h"

namespace tidemark::mongodb {
namespace {

constexpr std::string_view kWhere = "asking the deployment about itself";
// Enough that a few which were dropped leave others to compare; a command each for so many databases.
constexpr size_t kCollectionsMax = 16;
constexpr size_t kDatabasesMax = 8;
constexpr int32_t kListedMax = 200;
constexpr size_t kUuidBytes = 8;

bson::Timestamp timestamp_at(bson::View document, std::string_view path) {
  bson::Timestamp time;
  const auto field = document.find_path(path);
  if (field && field->type() == BSON_TYPE_TIMESTAMP)
    bson_iter_timestamp(&field->iter(), &time.seconds, &time.increment);
  return time;
}

std::string string_at(bson::View document, std::string_view path) {
  const auto field = document.find_path(path);
  return field && field->is_string() ? std::string(field->string()) : std::string();
}

std::string object_id_at(bson::View document, std::string_view path) {
  const auto field = document.find_path(path);
  if (!field || field->type() != BSON_TYPE_OID) return {};
  char text[25];
  bson_oid_to_string(bson_iter_oid(&field->iter()), text);
  return text;
}

// True for what a missing grant, or a service without the command, answers. Nothing that may pass is among it: an
// identity that lacks its id for a moment would look like another deployment.
bool merely_not_permitted(const CommandFailure& failure) {
  constexpr int kUnauthorized = 13, kIllegalOperation = 20, kCommandNotFound = 59, kInvalidNamespace = 73,
                kFeatureNotSupported = 303;
  if (failure.cancelled || failure.origin != Origin::kServer) return false;
  return failure.code == kUnauthorized || failure.code == kIllegalOperation ||
         failure.code == kCommandNotFound || failure.code == kInvalidNamespace ||
         failure.code == kFeatureNotSupported;
}

// The reply, or null when the server doesn't let us.
Result<ReplyPtr> ask(Client& client, const Member& member, const std::string& database, bson::View command,
                     std::stop_token stop) {
  auto reply = client.run(database, command, member, std::move(stop));
  if (reply) return *reply;
  if (merely_not_permitted(reply.error())) return ReplyPtr();
  return fail(reply.error().classify(Phase::kOther, kWhere));
}

Result<ReplyPtr> ask_one(Client& client, const Member& member, const char* command, std::stop_token stop) {
  bson::Builder builder;
  builder.append(command, int32_t{1});
  return ask(client, member, "admin", builder.view(), std::move(stop));
}

Result<ReplyPtr> first_of(Client& client, const Member& member, const char* database, const char* collection,
                          std::stop_token stop) {
  bson::Builder sort;
  sort.append("$natural", int32_t{1});
  bson::Builder command;
  command.append("find", collection).append("sort", sort.view()).append("limit", int32_t{1});
  command.append("singleBatch", true);
  return ask(client, member, database, command.view(), std::move(stop));
}

bool is_mongos(bson::View hello) { return string_at(hello, "msg") == "isdbgrid"; }

std::string uuid_at(bson::View document, std::string_view path) {
  const auto field = document.find_path(path);
  if (!field || field->type() != BSON_TYPE_BINARY) return {};
  // Its length, its subtype, then the bytes.
  constexpr size_t kHead = 5;
  const std::span<const uint8_t> bytes = field->value_bytes();
  if (bytes.size() < kHead + kUuidBytes || bytes[kHead - 1] != BSON_SUBTYPE_UUID) return {};
  return to_hex(bytes.subspan(kHead, kUuidBytes));
}

// Collections that come and go by themselves say nothing.
bool lasts(std::string_view collection) {
  return !collection.starts_with("system.") && !collection.starts_with("tmp");
}

Status add_collections(Client& client, const Member& member, const std::string& database,
                       std::vector<std::string>& found, std::stop_token stop) {
  bson::Builder batch;
  batch.append("batchSize", kListedMax);
  bson::Builder command;
  command.append("listCollections", int32_t{1}).append("cursor", batch.view());
  TIDEMARK_ASSIGN(const ReplyPtr reply, ask(client, member, database, command.view(), std::move(stop)));
  if (!reply) return {};
  const auto listed = reply->view().find_path("cursor.firstBatch");
  if (!listed || !listed->is_array()) return {};
  for (const bson::Element item : listed->document()) {
    if (!item.is_document() || !lasts(string_at(item.document(), "name"))) continue;
    if (std::string uuid = uuid_at(item.document(), "info.uuid"); !uuid.empty())
      found.push_back(std::move(uuid));
  }
  return {};
}

Result<std::vector<std::string>> databases_of(Client& client, const Member& member, std::stop_token stop) {
  bson::Builder command;
  command.append("listDatabases", int32_t{1}).append("nameOnly", true).append("authorizedDatabases", true);
  TIDEMARK_ASSIGN(const ReplyPtr reply, ask(client, member, "admin", command.view(), std::move(stop)));
  std::vector<std::string> names;
  const auto listed = reply ? reply->view().find("databases") : std::nullopt;
  if (!listed || !listed->is_array()) return names;
  for (const bson::Element item : listed->document()) {
    if (!item.is_document() || names.size() == kDatabasesMax) continue;
    std::string name = string_at(item.document(), "name");
    if (name != "admin" && name != "local" && name != "config" && !name.empty())
      names.push_back(std::move(name));
  }
  return names;
}

// Those with the smallest identities: the same ones at each look, whatever else is there by then.
Result<std::vector<std::string>> collections_of(Client& client, const Member& member,
                                                const std::string& database, std::stop_token stop) {
  std::vector<std::string> databases = {database};
  if (database.empty()) {
    TIDEMARK_ASSIGN(databases, databases_of(client, member, stop));
  }
  std::vector<std::string> found;
  for (const std::string& each : databases) TIDEMARK_TRY(add_collections(client, member, each, found, stop));
  std::sort(found.begin(), found.end());
  if (found.size() > kCollectionsMax) found.resize(kCollectionsMax);
  return found;
}

Result<Deployment> deployment_of(Client& client, const Member& member, const std::string& database,
                                 bson::View hello, std::stop_token stop) {
  Deployment deployment;
  deployment.name = string_at(hello, "setName");
  if (!deployment.name.empty()) {
    TIDEMARK_ASSIGN(const ReplyPtr config, ask_one(client, member, "replSetGetConfig", stop));
    if (config) deployment.id = object_id_at(config->view(), "config.settings.replicaSetId");
  } else if (is_mongos(hello)) {
    deployment.name = "sharded";
    TIDEMARK_ASSIGN(const ReplyPtr version, first_of(client, member, "config", "version", stop));
    if (version) deployment.id = object_id_at(version->view(), "cursor.firstBatch.0.clusterId");
  } else {
    return deployment;
  }
  // 0 without authentication, and for users whom the server trusts with its clock.
  const auto key = hello.find_path("$clusterTime.signature.keyId");
  if (key && key->integer().value_or(0) != 0) deployment.key = std::to_string(*key->integer());
  TIDEMARK_ASSIGN(deployment.collections, collections_of(client, member, database, std::move(stop)));
  return deployment;
}

Result<ReplyPtr> say_hello(Client& client, const Member& member, std::stop_token stop) {
  TIDEMARK_ASSIGN(ReplyPtr hello, ask_one(client, member, "hello", stop));
  if (!hello) {  // before 4.4.2
    TIDEMARK_ASSIGN(hello, ask_one(client, member, "isMaster", stop));
  }
  if (!hello) {
    Error error{React::kRetry, member.address + " knows neither hello nor isMaster",
                "it answers like no MongoDB server: what does the URI lead to?"};
    error.unknown = true;
    return fail(std::move(error));
  }
  return hello;
}

std::vector<std::string> limits_of(const SourceHealth& health, const Deployment& deployment, bool mongos) {
  std::vector<std::string> limits;
  const char* grant = mongos ? "`find` on config.version" : "the role `clusterMonitor`";
  if (deployment.id.empty()) {
    const bool told = !deployment.key.empty() || !deployment.collections.empty();
    limits.push_back(
        std::string("the deployment's own id may not be read: another one of the same name is told ") +
        (told ? "by its collections alone" : "by nothing") + "; grant " + grant);
  }
  if (mongos)
    limits.emplace_back("a mongos shows no oplog: its window is unknown, and `--from earliest` can't be had");
  else if (health.oldest == bson::Timestamp{})
    limits.emplace_back(
        "the oplog may not be read: its window is unknown, and `--from earliest` can't be had; grant the "
        "role "
        "`clusterMonitor`");
  return limits;
}

}  // namespace

bson::Timestamp latest_majority_time(bson::View hello) {
  bson::Timestamp time = timestamp_at(hello, "lastWrite.majorityOpTime.ts");
  if (time == bson::Timestamp{}) time = timestamp_at(hello, "lastWrite.majorityOpTime");
  // A mongos has no lastWrite; its operationTime is the newest it has seen.
  if (time == bson::Timestamp{}) time = timestamp_at(hello, "operationTime");
  if (time == bson::Timestamp{}) time = cluster_clock(hello);
  return time;
}

bson::Timestamp cluster_clock(bson::View reply) { return timestamp_at(reply, "$clusterTime.clusterTime"); }

Result<bson::Timestamp> oldest_oplog_entry(Client& client, const Member& member, std::stop_token stop) {
  if (member.is_mongos) return bson::Timestamp{};
  TIDEMARK_ASSIGN(const ReplyPtr reply, first_of(client, member, "local", "oplog.rs", std::move(stop)));
  return reply ? timestamp_at(reply->view(), "cursor.firstBatch.0.ts") : bson::Timestamp{};
}

Result<bson::Timestamp> read_clock(Client& client, std::stop_token stop) {
  auto member = client.select(Client::Prefer::kAny, stop);
  if (!member) return fail(member.error().classify(Phase::kOther, kWhere));
  TIDEMARK_ASSIGN(const ReplyPtr hello, say_hello(client, *member, std::move(stop)));
  return std::max(latest_majority_time(hello->view()), cluster_clock(hello->view()));
}

Result<SourceHealth> read_health(Client& client, const std::string& database, std::stop_token stop) {
  auto member = client.select(Client::Prefer::kAny, stop);
  if (!member) return fail(member.error().classify(Phase::kOther, kWhere));
  TIDEMARK_ASSIGN(const ReplyPtr hello, say_hello(client, *member, stop));

  SourceHealth health;
  health.latest = latest_majority_time(hello->view());
  health.clock = std::max(health.latest, cluster_clock(hello->view()));
  TIDEMARK_ASSIGN(const Deployment deployment, deployment_of(client, *member, database, hello->view(), stop));
  health.deployment = deployment.text();
  if (deployment.name.empty()) {
    return fail(React::kConfig, member->address + " is neither a member of a replica set nor a mongos",
                "change streams need a replica set or a sharded cluster: start mongod with --replSet and run "
                "rs.initiate()");
  }
  TIDEMARK_ASSIGN(health.oldest, oldest_oplog_entry(client, *member, stop));
  health.limits = limits_of(health, deployment, is_mongos(hello->view()));
  TIDEMARK_ASSIGN(const ReplyPtr build, ask_one(client, *member, "buildInfo", stop));
  const std::string version = build ? string_at(build->view(), "version") : "";
  health.server = "MongoDB" + (version.empty() ? "" : " " + version);
  return health;
}

}  // namespace tidemark::mongodb
