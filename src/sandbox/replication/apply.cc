#include "sandbox/replication/apply.h"

namespace tidemark::sandbox {
namespace {

Reply<Collection*> target(const OplogEntry& entry, Catalog& catalog) {
  Collection* collection = catalog.find(entry.db, entry.coll);
  if (collection == nullptr || collection->uuid() != entry.uuid)
    return command_error(kNamespaceNotFound, "oplog entry for '" + entry.db + "." + entry.coll +
                                                 "', which this member doesn't have");
  return collection;
}

Reply<void> apply_document(const OplogEntry& entry, Collection& collection) {
  if (entry.kind == OpKind::kInsert) return collection.insert(entry.after);
  const auto id = entry.key.view().find("_id");
  if (!id) return command_error(kInternalError, "oplog entry without _id");
  if (entry.kind != OpKind::kDelete) return collection.replace(*id, entry.after);
  if (!collection.remove(*id))
    return command_error(kNoMatchingDocument, "oplog entry deletes what isn't there");
  return {};
}

Reply<void> apply_indexes(const OplogEntry& entry, Collection& collection) {
  const auto indexes = entry.command.view().find("indexes");
  if (!indexes || !indexes->is_array()) return {};
  for (const auto& index : indexes->document()) {
    if (!index.is_document()) continue;
    if (entry.kind == OpKind::kCreateIndexes) {
      SANDBOX_TRY(collection.create_index(index.document()));
    } else if (const auto name = index.document().find("name"); name && name->is_string()) {
      SANDBOX_TRY(collection.drop_index(name->string()));
    }
  }
  return {};
}

}  // namespace

bson::Document merge_options(bson::View options, bson::View changes) {
  bson::Builder merged;
  for (const auto& option : options)
    if (!changes.find(option.key())) merged.append(option.key(), option);
  merged.concat(changes);
  return merged.finish();
}

Reply<void> apply(const OplogEntry& entry, Catalog& catalog) {
  switch (entry.kind) {
    case OpKind::kInsert:
    case OpKind::kUpdate:
    case OpKind::kReplace:
    case OpKind::kDelete: {
      SANDBOX_ASSIGN(Collection * collection, target(entry, catalog));
      return apply_document(entry, *collection);
    }
    case OpKind::kCreate:
      SANDBOX_TRY(catalog.create(entry.db, entry.coll, entry.uuid, entry.command));
      return {};
    case OpKind::kDrop:
      SANDBOX_TRY(target(entry, catalog));
      return catalog.drop(entry.db, entry.coll);
    case OpKind::kRename:
      SANDBOX_TRY(target(entry, catalog));
      return catalog.rename(entry.db, entry.coll, entry.to_db, entry.to_coll,
                            entry.dropped_target.has_value());
    case OpKind::kDropDatabase:
      catalog.drop_database(entry.db);
      return {};
    case OpKind::kCreateIndexes:
    case OpKind::kDropIndexes: {
      SANDBOX_ASSIGN(Collection * collection, target(entry, catalog));
      return apply_indexes(entry, *collection);
    }
    case OpKind::kModify: {
      SANDBOX_ASSIGN(Collection * collection, target(entry, catalog));
      collection->set_options(merge_options(collection->options(), entry.command));
      return {};
    }
    case OpKind::kTransaction:
      for (const auto& op : entry.ops) SANDBOX_TRY(apply(op, catalog));
      return {};
    case OpKind::kNoop:
      return {};
  }
  return {};
}

}  // namespace tidemark::sandbox
