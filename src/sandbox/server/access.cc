#include "sandbox/server/access.h"

#include "sandbox/change_stream/spec.h"

namespace tidemark::sandbox {
namespace {

// What needs no privilege beyond being known: the cursor or session is the asker's own, or the answer is made for everybody.
constexpr std::string_view kOwn =
    "getMore killCursors startSession endSessions killSessions refreshSessions commitTransaction "
    "abortTransaction "
    "logout listDatabases";
constexpr std::string_view kReading =
    "find count distinct aggregate listCollections listIndexes dbStats dbstats collStats collstats dbHash";
constexpr std::string_view kWriting =
    "insert update delete findAndModify findandmodify create drop dropDatabase createIndexes dropIndexes "
    "deleteIndexes "
    "collMod convertToCapped cloneCollectionAsCapped";
constexpr std::string_view kMonitoring =
    "serverStatus replSetGetStatus replSetGetConfig getCmdLineOpts hostInfo getLog getParameter "
    "getDefaultRWConcern "
    "listShards";

bool is_stream_of_everything(const Invocation& inv) {
  const auto pipeline = inv.body.find("pipeline");
  return inv.db == "admin" && pipeline && pipeline->is_array() && is_change_stream(pipeline->document());
}

bool ends_in_write(const Invocation& inv) {
  const auto pipeline = inv.body.find("pipeline");
  if (!pipeline || !pipeline->is_array()) return false;
  for (const auto& stage : pipeline->document())
    if (stage.is_document() && (stage.document().find("$out") || stage.document().find("$merge")))
      return true;
  return false;
}

std::string_view database_of(const bson::Element& ns) {
  return ns.is_string() ? ns.string().substr(0, ns.string().find('.')) : std::string_view();
}

bool may_rename(const Invocation& inv, const User& user) {
  const auto to = inv.body.find("to");
  return may(user, Privilege::kWrite, database_of(*inv.body.begin())) && to &&
         may(user, Privilege::kWrite, database_of(*to));
}

bool allowed(const Invocation& inv, const User& user) {
  if (token_in(kOwn, inv.name)) return true;
  if (inv.name == "aggregate" && is_stream_of_everything(inv))
    return may(user, Privilege::kRead, kAnyDatabase);
  if (inv.name == "aggregate" && ends_in_write(inv) && !may(user, Privilege::kWrite, inv.db)) return false;
  if (inv.name == "renameCollection") return may_rename(inv, user);
  if (token_in(kReading, inv.name)) return may(user, Privilege::kRead, inv.db);
  if (token_in(kWriting, inv.name)) return may(user, Privilege::kWrite, inv.db);
  if (token_in(kMonitoring, inv.name)) return may(user, Privilege::kMonitor, inv.db);
  return may(user, Privilege::kEverything, inv.db);
}

}  // namespace

Reply<void> check_privileges(Invocation& inv) {
  ConnectionState& connection = inv.connection;
  if (inv.cluster.options.user.empty() || inv.spec->is(kNoAuth)) return {};
  std::optional<User> user;
  if (connection.authenticated) user = inv.cluster.users.find(connection.user_db, connection.user);
  if (user && user->id != connection.user_id) user.reset();
  if (!user) {
    connection.authenticated = false;
    return command_error(kUnauthorized, "command " + std::string(inv.name) + " requires authentication");
  }
  if (allowed(inv, *user)) return {};
  return command_error(kUnauthorized, "not authorized on " + inv.db + " to execute command { " +
                                          std::string(inv.name) + ": ... }");
}

}  // namespace tidemark::sandbox
