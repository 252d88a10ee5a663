// Reading documents for commands: from a collection, or from the few that the server makes up (the oplog, the feature
// compatibility version, the set's configuration); and answering with them through a cursor.
#pragma once

#include "sandbox/server/command.h"

namespace tidemark::sandbox {

inline constexpr size_t kBatchBytesMax = 16 * 1024 * 1024;
inline constexpr int64_t kFirstBatch = 101;

struct DocumentQuery {
  std::string db;
  std::string collection;
  bson::View filter;  // absent: all
  bson::View sort;    // absent or empty: natural
  size_t skip = 0;
  size_t limit = 0;  // 0: all
  // find's `min` over _id: from this value on, in _id's order, whatever the types. REQUIRES no sort but {_id: 1}.
  std::optional<bson::Element> id_min = {};
};

// 166 for a view and for a time series: no change stream can be opened on them, and a view takes no write.
Reply<void> check_watchable(const Collection& collection);
Reply<void> check_writable(const Collection& collection);

// A view's are those of what it stands on, through its pipeline.
Reply<std::vector<bson::Document>> read_documents(Invocation& inv, const DocumentQuery& query);

// The entry as it stands in local.oplog.rs.
bson::Document render_oplog_entry(const OplogEntry& entry);
// replSetGetConfig's `config`.
bson::Document set_config(const Cluster& cluster);

// Answers {cursor: {firstBatch, id, ns}} with up to `batch_size` documents; the cursor stays open for the rest.
Reply<void> reply_with_cursor(Invocation& inv, std::unique_ptr<Cursor> cursor, int64_t batch_size,
                              bool single_batch, bool id_first = false);
// Appends up to `batch_size` of the cursor's documents (at least one when there is one, whatever its size).
Reply<void> append_batch(Cursor& cursor, int64_t batch_size, ArrayWriter& out);

// The current document of this key as far as a majority has it, for updateLookup.
bson::Document committed_document(const Member& member, const Uuid& uuid, bson::View key);

}  // namespace tidemark::sandbox
