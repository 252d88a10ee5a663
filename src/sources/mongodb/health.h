// What a deployment says about itself, for `status`, the guard and the check that a position meets the
// deployment it came from. Stateless; runs on the caller's thread with the caller's client.
#pragma once

#include <stop_token>
#include <string>

#include "base/result.h"
#include "core/source.h"
#include "sources/mongodb/driver.h"

namespace tidemark::mongodb {

// Selects a member by itself. What a grant forbids, or a mongos doesn't have, stays zero and is told in
// SourceHealth::limits; only an unreachable deployment, refused credentials or a member that is no replica set's are errors.
//
// SourceHealth::deployment is the text of core/deployment.h. The replica set's own id comes from replSetGetConfig where that is
// permitted (it stays the same for the life of the set); behind a mongos the cluster's from config.version. `database`
// is what is watched (empty: everything): identities of its collections are what a user with `read` sees.
Result<SourceHealth> read_health(Client& client, const std::string& database, std::stop_token stop);

// The time of the oldest entry of the oplog; zero where `local` may not be read, and behind a mongos.
Result<bson::Timestamp> oldest_oplog_entry(Client& client, const Member& member, std::stop_token stop);

// The deployment's own clock as the member asked has heard of it.
Result<bson::Timestamp> read_clock(Client& client, std::stop_token stop);

// The parts that need no server.
bson::Timestamp latest_majority_time(bson::View hello);
bson::Timestamp cluster_clock(bson::View reply);

}  // namespace tidemark::mongodb
