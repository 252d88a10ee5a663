#include "sources/mongodb/health.h"

#include "sources/mongodb/cursor.h"

namespace tidemark::mongodb {
namespace {

constexpr std::string_view kWhere = "asking the deployment about itself";

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
  constexpr int kUnauthorized = 13, kCommandNotFound = 59, kInvalidNamespace = 73, kFeatureNotSupported = 303;
  if (failure.cancelled || failure.origin != Origin::kServer) return false;
  return failure.code == kUnauthorized || failure.code == kCommandNotFound ||
         failure.code == kInvalidNamespace || failure.code == kFeatureNotSupported;
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

Result<std::string> deployment_of(Client& client, const Member& member, bson::View hello,
                                  std::stop_token stop) {
  std::string name = string_at(hello, "setName");
  std::string id;
  if (!name.empty()) {
    TIDEMARK_ASSIGN(const ReplyPtr config, ask_one(client, member, "replSetGetConfig", stop));
    if (config) id = object_id_at(config->view(), "config.settings.replicaSetId");
  } else if (string_at(hello, "msg") == "isdbgrid") {
    name = "sharded";
    TIDEMARK_ASSIGN(const ReplyPtr version, first_of(client, member, "config", "version", stop));
    if (version) id = object_id_at(version->view(), "cursor.firstBatch.0.clusterId");
  }
  return id.empty() ? name : name + "/" + id;
}

}  // namespace

bson::Timestamp latest_majority_time(bson::View hello) {
  bson::Timestamp time = timestamp_at(hello, "lastWrite.majorityOpTime.ts");
  if (time == bson::Timestamp{}) time = timestamp_at(hello, "lastWrite.majorityOpTime");
  // A mongos has no lastWrite; its operationTime is the newest it has seen.
  if (time == bson::Timestamp{}) time = timestamp_at(hello, "operationTime");
  return time;
}

Result<bson::Timestamp> oldest_oplog_entry(Client& client, const Member& member, std::stop_token stop) {
  TIDEMARK_ASSIGN(const ReplyPtr reply, first_of(client, member, "local", "oplog.rs", std::move(stop)));
  return reply ? timestamp_at(reply->view(), "cursor.firstBatch.0.ts") : bson::Timestamp{};
}

Result<SourceHealth> read_health(Client& client, std::stop_token stop) {
  auto member = client.select(Client::Prefer::kAny, stop);
  if (!member) return fail(member.error().classify(Phase::kOther, kWhere));

  TIDEMARK_ASSIGN(ReplyPtr hello, ask_one(client, *member, "hello", stop));
  if (!hello) {  // before 4.4.2
    TIDEMARK_ASSIGN(hello, ask_one(client, *member, "isMaster", stop));
  }
  if (!hello) return fail(React::kFatal, "the server knows neither hello nor isMaster");

  SourceHealth health;
  health.latest = latest_majority_time(hello->view());
  TIDEMARK_ASSIGN(health.deployment, deployment_of(client, *member, hello->view(), stop));
  if (health.deployment.empty()) {
    return fail(React::kConfig, member->address + " is neither a member of a replica set nor a mongos",
                "change streams need a replica set or a sharded cluster: start mongod with --replSet and run "
                "rs.initiate()");
  }
  TIDEMARK_ASSIGN(health.oldest, oldest_oplog_entry(client, *member, stop));
  TIDEMARK_ASSIGN(const ReplyPtr build, ask_one(client, *member, "buildInfo", stop));
  const std::string version = build ? string_at(build->view(), "version") : "";
  health.server = "MongoDB" + (version.empty() ? "" : " " + version);
  return health;
}

}  // namespace tidemark::mongodb
