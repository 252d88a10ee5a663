// The sandbox as a mongos (--mongos): what a router answers otherwise than a member, and what sharding asks of writes. There
// is one server behind it: chunks and shards are not simulated, but what a client sees of them is, shard keys in documentKey,
// writes that must name the shard key, a document that moves from shard to shard.
#pragma once

#include "sandbox/server/write_target.h"

namespace tidemark::sandbox {

// 20 for anything about `local`, 59 for what only members know.
Reply<void> check_routed(const Invocation& inv);

// What a sharded collection demands of a query; any other collection takes everything. 61 for an upsert that doesn't say the
// whole shard key, and for a findAndModify; 72 for one update or delete that says neither it nor the _id.
Reply<void> check_targeted_update(const Collection& collection, bson::View query, bson::View update,
                                  bool multi, bool upsert);
Reply<void> check_targeted_delete(const Collection& collection, bson::View query, bool multi);
Reply<void> check_targeted_find(const Collection& collection, bson::View query);

// Whether the change from `before` to `after` takes the document to another shard: each value of the key is one of its own.
bool moves(const Collection& collection, bson::View before, bson::View after);
// The entries of such a move: a delete on one shard and an insert on the other, each the transaction of its shard with a
// time of its own; by the fault insertBeforeDelete the insert comes first.
void log_move(WriteTarget& target, const Collection& collection, const bson::Document& before,
              const bson::Document& after);

}  // namespace tidemark::sandbox
