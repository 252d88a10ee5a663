#include "chaos/deployment.h"

#include <cstdlib>

#include <fmt/format.h>
#include <signal.h>

#include "bson/json.h"
#include "chaos/writer.h"
#include "support/mongo.h"

namespace tidemark::chaos {
namespace {

using testing::Mongo;

constexpr int kRestartTries = 50;
constexpr std::chrono::milliseconds kRestartPause{20};
constexpr const char* kImpatient = "serverSelectionTimeoutMS=400&socketTimeoutMS=1500&connectTimeoutMS=400";

// "mongodb://a:1,b:2/?replicaSet=x" as one URI for each host.
std::vector<std::string> direct_uris(const std::string& uri) {
  const size_t scheme = uri.find("://") + 3;
  const size_t at = uri.find('@');
  const size_t hosts_begin = at == std::string::npos ? scheme : at + 1;
  std::string hosts = uri.substr(hosts_begin, uri.find('/', scheme) - hosts_begin);
  std::vector<std::string> all;
  while (!hosts.empty()) {
    const size_t comma = hosts.find(',');
    all.push_back(uri.substr(0, hosts_begin) + hosts.substr(0, comma) + "/?directConnection=true&" +
                  kImpatient);
    hosts = comma == std::string::npos ? "" : hosts.substr(comma + 1);
  }
  return all;
}

// A member that answered, and said no: no other one would say yes.
bool is_refusal(const Error& error) { return error.what.find("sandbox:") != std::string::npos; }

}  // namespace

Result<std::unique_ptr<Deployment>> Deployment::start(uint64_t seed) {
  std::unique_ptr<Deployment> deployment(new Deployment);
  testing::ReplicaSet::Options options;
  options.sandbox_args = {"--election-ms", "40", "--noop-ms", "40", "--seed", std::to_string(seed)};
  TIDEMARK_ASSIGN(deployment->set_, testing::ReplicaSet::start(std::move(options)));
  for (std::string& uri : direct_uris(deployment->uri()))
    deployment->members_.push_back({.uri = std::move(uri), .command_line = {}, .process = nullptr});
  return deployment;
}

Deployment::~Deployment() = default;

// A new client each time: one that has failed waits 5 s before it tries again.
Result<bson::Document> Deployment::ask(size_t member, const std::string& command) {
  return Mongo(members_[member].uri).run("admin", command);
}

Result<bson::Document> Deployment::order(const std::string& command) {
  Result<bson::Document> reply = fail(React::kRetry, "no member answers");
  for (size_t i = 0; i < members_.size(); ++i) {
    if (!members_[i].up()) continue;
    reply = ask(i, command);
    if (reply || is_refusal(reply.error())) return reply;
  }
  return reply;
}

void Deployment::order_all(const std::string& command) {
  for (size_t i = 0; i < members_.size(); ++i)
    if (members_[i].up()) (void)ask(i, command);
}

Result<int> Deployment::find_member(bool primary) {
  TIDEMARK_ASSIGN(const auto status, order(R"({"sandbox": "status"})"));
  const auto members = status.view().find("members");
  if (!members || !members->is_array()) return fail(React::kRetry, "the sandbox told no members");
  for (const auto& entry : members->document()) {
    const bson::View member = entry.document();
    const int index = static_cast<int>(member.find("member")->integer().value_or(0));
    const bool is_primary = member.find("primary")->truthy();
    if (is_primary == primary && members_[static_cast<size_t>(index)].up()) return index;
  }
  return fail(React::kRetry, primary ? "there is no primary now" : "there is no secondary now");
}

Status Deployment::order_about(int member, const std::string& fields) {
  Result<bson::Document> reply = fail(React::kRetry, "no other member answers");
  for (size_t i = 0; i < members_.size() && !reply; ++i) {
    if (static_cast<int>(i) == member || !members_[i].up()) continue;
    reply = ask(i, fmt::format("{{{}, \"member\": {}}}", fields, member));
  }
  if (!reply) return fail(reply.error());
  return {};
}

Status Deployment::step_down() {
  if (is_sandbox()) {
    TIDEMARK_ASSIGN(const auto reply, order(R"({"sandbox": "stepDown", "seconds": 1})"));
    return {};
  }
  Mongo client(uri() + "&" + kImpatient);
  TIDEMARK_ASSIGN(const auto reply,
                  client.run("admin", R"({"replSetStepDown": 5, "secondaryCatchUpPeriodSecs": 2})"));
  return {};
}

Result<int> Deployment::kill(bool primary) {
  if (!is_sandbox()) return kill_mongod(primary);
  TIDEMARK_ASSIGN(const int member, find_member(primary));
  TIDEMARK_TRY(order_about(member, R"("sandbox": "kill")"));
  members_[static_cast<size_t>(member)].killed = true;
  return member;
}

// kill -9 of a mongod that this run has started itself; one that was given by URI is left alone.
Result<int> Deployment::kill_mongod(bool primary) {
  if (std::getenv("TIDEMARK_TEST_MONGODB_URI") != nullptr)
    return fail(React::kConfig, "members of a deployment given by URI are not killed");
  for (size_t i = 0; i < members_.size(); ++i) {
    if (!members_[i].up()) continue;
    const auto hello = ask(i, R"({"isMaster": 1})");
    const auto is_primary = hello ? hello->view().find("ismaster") : std::nullopt;
    if (!is_primary || is_primary->truthy() != primary) continue;
    TIDEMARK_ASSIGN(const auto status, ask(i, R"({"serverStatus": 1})"));
    TIDEMARK_ASSIGN(const auto line, ask(i, R"({"getCmdLineOpts": 1})"));
    const auto pid = status.view().find("pid");
    const auto argv = line.view().find("argv");
    if (!pid || !pid->integer() || !argv || !argv->is_array())
      return fail(React::kConfig, "mongod doesn't tell its pid");
    members_[i].command_line.clear();
    for (const auto& word : argv->document()) members_[i].command_line.emplace_back(word.string());
    ::kill(static_cast<pid_t>(*pid->integer()), SIGKILL);
    members_[i].process.reset();
    members_[i].killed = true;
    return static_cast<int>(i);
  }
  return fail(React::kRetry, "no such member");
}

Status Deployment::restart(int member) {
  Member& target = members_[static_cast<size_t>(member)];
  if (!target.command_line.empty()) {
    target.process = std::make_unique<testing::Process>(target.command_line);
    target.killed = false;
    return {};
  }
  TIDEMARK_ASSIGN(const auto reply, order(fmt::format(R"({{"sandbox": "restart", "member": {}}})", member)));
  target.killed = target.mute = false;
  return {};
}

Result<int> Deployment::pause(bool primary) {
  TIDEMARK_ASSIGN(const int member, find_member(primary));
  TIDEMARK_TRY(order_about(member, R"("sandbox": "pause")"));
  members_[static_cast<size_t>(member)].mute = true;
  return member;
}

Status Deployment::resume(int member) {
  TIDEMARK_ASSIGN(const auto reply, order(fmt::format(R"({{"sandbox": "resume", "member": {}}})", member)));
  members_[static_cast<size_t>(member)].mute = false;
  return {};
}

Result<int> Deployment::partition(bool primary, bool clients) {
  TIDEMARK_ASSIGN(const int member, find_member(primary));
  TIDEMARK_TRY(order_about(member, fmt::format(R"("sandbox": "partition", "clients": {})", clients)));
  if (clients) members_[static_cast<size_t>(member)].mute = true;
  return member;
}

Status Deployment::heal(int member) {
  TIDEMARK_ASSIGN(const auto reply, order(fmt::format(R"({{"sandbox": "heal", "member": {}}})", member)));
  members_[static_cast<size_t>(member)].mute = false;
  return {};
}

void Deployment::set_replicating(bool on) {
  for (size_t i = 0; i < members_.size(); ++i)
    (void)order(fmt::format(R"({{"sandbox": "{}Replication", "member": {}}})", on ? "start" : "stop", i));
}

int Deployment::write_unreplicated(const std::string& database, const std::string& collection, int count,
                                   int64_t& next) {
  Mongo client(uri() + "&retryWrites=false&" + kImpatient);
  int written = 0;
  for (int i = 0; i < count; ++i) {
    const std::string document = fmt::format("{{\"_id\": {}, \"v\": {}}}", unreplicated_id_json(next), next);
    ++next;
    const auto reply = client.run(
        database, fmt::format(R"({{"insert": "{}", "documents": [{}], "writeConcern": {{"w": 1}}}})",
                              collection, document));
    if (reply) ++written;
  }
  return written;
}

void Deployment::delay(int ms) {
  for (size_t i = 0; i < members_.size(); ++i)
    (void)order(fmt::format(R"({{"sandbox": "delay", "member": {}, "ms": {}}})", i, ms));
}

Status Deployment::truncate_oplog(bson::Timestamp position) {
  const auto timestamp = [](bson::Timestamp ts) {
    return fmt::format(R"({{"$timestamp": {{"t": {}, "i": {}}}}})", ts.seconds, ts.increment);
  };
  // A high-water mark may lie between two entries, and a member may lag: what is oldest of all is safe for all.
  std::optional<bson::Timestamp> before;
  for (const Member& member : members_) {
    if (!member.up()) continue;
    TIDEMARK_ASSIGN(
        const auto reply,
        Mongo(member.uri + "&readPreference=secondaryPreferred")
            .run("local", R"({"find": "oplog.rs", "filter": {"ts": {"$lte": )" + timestamp(position) +
                              R"(}}, "sort": {"ts": -1}, "limit": 1, "singleBatch": true})"));
    const auto entry = reply.view().find_path("cursor.firstBatch.0.ts");
    if (!entry || entry->type() != BSON_TYPE_TIMESTAMP)
      return fail(React::kRetry, "no entry before the position");
    bson::Timestamp ts;
    bson_iter_timestamp(&entry->iter(), &ts.seconds, &ts.increment);
    before = before ? std::min(*before, ts) : ts;
  }
  if (!before) return fail(React::kRetry, "no member answers");
  TIDEMARK_ASSIGN(const auto reply,
                  order(R"({"sandbox": "truncateOplog", "before": )" + timestamp(*before) + "}"));
  return {};
}

void Deployment::fail_commands(const std::string& data) {
  order_all(R"({"configureFailPoint": "failCommand", "mode": "alwaysOn", "data": )" + data + "}");
}

void Deployment::stop_failing() { order_all(R"({"configureFailPoint": "failCommand", "mode": "off"})"); }

void Deployment::heal_all() {
  if (is_sandbox()) {
    for (size_t i = 0; i < members_.size(); ++i) {
      const int member = static_cast<int>(i);
      // While nobody is primary and the others are slow, an order finds no member that answers.
      for (int tries = 0; members_[i].killed && !restart(member) && tries < kRestartTries; ++tries)
        testing::internal::pause(kRestartPause);
      (void)resume(member);
      (void)heal(member);
    }
    set_replicating(true);
    delay(0);
    (void)order(R"({"sandbox": "failStream", "errorCode": 43, "times": 0})");
  } else {
    for (size_t i = 0; i < members_.size(); ++i)
      if (members_[i].killed) (void)restart(static_cast<int>(i));
  }
  stop_failing();
}

std::string Deployment::status() {
  const auto reply = order(is_sandbox() ? R"({"sandbox": "status"})" : R"({"replSetGetStatus": 1})");
  return reply ? bson::to_json(*reply, bson::JsonMode::kRelaxed) : reply.error().describe();
}

}  // namespace tidemark::chaos
