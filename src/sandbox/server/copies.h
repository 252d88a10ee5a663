// What a server does by copying documents itself: a rename across databases, a capped clone. The copies are oplog entries
// with `fromMigrate`, which no change stream shows; only the renames and drops around them are seen.
//
// Every function changes the target's catalog and adds the entries; the caller holds the lock (with_write_target).
#pragma once

#include "sandbox/server/write_target.h"

namespace tidemark::sandbox {

// "tmp" and five random characters, then "." and `what`: a name that isn't taken in `db`.
std::string temporary_name(WriteTarget& target, std::string_view db, std::string_view what);

// renameCollection inside one database: one entry, the uuid stays. 26 no source, 48 the target exists.
Reply<void> rename_within(WriteTarget& target, std::string_view db, std::string_view from,
                          std::string_view to, bool drop_target);
// renameCollection from one database to another: a hidden copy under a temporary name in the other database, with a uuid
// of its own; then that is renamed and the source dropped.
Reply<void> rename_across(WriteTarget& target, std::string_view from_db, std::string_view from,
                          std::string_view to_db, std::string_view to, bool drop_target);
// A capped collection `to` with hidden copies of the newest documents of `from` that fit; no index but _id's.
Reply<void> clone_as_capped(WriteTarget& target, std::string_view db, std::string_view from,
                            std::string_view to, int64_t size, bool temporary);

}  // namespace tidemark::sandbox
