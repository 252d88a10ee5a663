// Where the writes of one command go: the member's data and oplog, or the open transaction's copies. The command's
// statements see one catalog and add oplog entries; what happens to those is decided here.
#pragma once

#include "sandbox/server/command.h"

namespace tidemark::sandbox {

struct WriteTarget {
  Catalog& catalog;
  Cluster& cluster;
  const bson::Document& lsid;
  int64_t txn_number = -1;                 // of a retryable write
  const SessionRecord* session = nullptr;  // what this number already did; null for nothing
  bool in_transaction = false;
  std::vector<std::shared_ptr<OplogEntry>> entries;

  // The entry that an earlier try of this statement made, or null.
  const OplogEntry* done_before(int32_t statement_id) const;
  // A new entry about a document of `collection`.
  OplogEntry& add(OpKind kind, const Collection& collection, int32_t statement_id);
  // The same for what is no write of a document, and therefore belongs to no retryable statement.
  OplogEntry& add_ddl(OpKind kind, const Collection& collection);
  // The collection, created when there is none.
  Reply<Collection*> ensure_collection(std::string_view db, std::string_view name);
  // A new collection. `options` as `create` takes them; already checked.
  Reply<Collection*> create_collection(std::string_view db, std::string_view name, bson::View options);
};

// Runs `body` with the target of this command, under the lock it needs; logs the entries, even when `body` fails after
// some of its statements (an ordered batch that stops). Sets inv.written.
Reply<void> with_write_target(Invocation& inv, std::string_view collection,
                              const std::function<Reply<void>(WriteTarget&)>& body);

// Runs `body` on the data that a read of this command sees. Sets inv.seen.
Reply<void> with_read_catalog(Invocation& inv, std::string_view db, std::string_view collection,
                              const std::function<Reply<void>(const Catalog&)>& body);

// {_id: ...} of a document.
bson::Document id_of(bson::View document);

}  // namespace tidemark::sandbox
