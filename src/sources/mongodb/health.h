// What a deployment says about itself, for `status`, the guard and the check that a position meets the
// deployment it came from. Stateless; runs on the caller's thread with the caller's client.
#pragma once

#include <stop_token>

#include "base/result.h"
#include "core/source.h"
#include "sources/mongodb/driver.h"

namespace tidemark::mongodb {

// Selects a member by itself. What a grant forbids stays zero; only an unreachable deployment, refused
// credentials or a member that is no replica set's are errors.
//
// SourceHealth::deployment is "name/id" with the replica set's own id where replSetGetConfig is permitted (it
// stays the same for the life of the set), else "name"; "sharded/id" or "sharded" behind a mongos.
Result<SourceHealth> read_health(Client& client, std::stop_token stop);

// The time of the oldest entry of the oplog; zero where `local` may not be read, and behind a mongos.
Result<bson::Timestamp> oldest_oplog_entry(Client& client, const Member& member, std::stop_token stop);

// The parts that need no server.
bson::Timestamp latest_majority_time(bson::View hello);

}  // namespace tidemark::mongodb
