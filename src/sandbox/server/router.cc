#include "sandbox/server/router.h"

#include "bson/compare.h"

namespace tidemark::sandbox {
namespace {

// Says what `key` is equal to: {key: value} or {key: {$eq: value}}.
bool says(bson::View query, std::string_view key) {
  const auto field = query.find(key);
  if (!field || field->type() == BSON_TYPE_REGEX) return false;
  if (!field->is_document() || field->document().empty()) return true;
  const auto first = (*field->document().begin()).key();
  return first == "$eq" || !first.starts_with("$");
}

bool says_shard_key(const Collection& collection, bson::View query) {
  for (const auto& part : collection.shard_key().view())
    if (!says(query, part.key())) return false;
  return true;
}

bool is_replacement(bson::View update) {
  return update && (update.empty() || !(*update.begin()).key().starts_with("$"));
}

std::shared_ptr<OplogEntry> transaction_of(WriteTarget& target) {
  auto entry = std::make_shared<OplogEntry>();
  entry->kind = OpKind::kTransaction;
  // A session of its own, so that no retryable write is taken for it.
  bson::Builder lsid;
  append_uuid(lsid, "id", target.cluster.identities.uuid());
  const uint8_t uid[32] = {};
  bson_append_binary(lsid.raw(), "uid", 3, BSON_SUBTYPE_BINARY, uid, sizeof uid);
  entry->lsid = lsid.finish();
  entry->txn_number = 1;
  return entry;
}

std::shared_ptr<OplogEntry> half_of_move(WriteTarget& target, const Collection& collection, OpKind kind,
                                         const bson::Document& document) {
  auto entry = transaction_of(target);
  OplogEntry op;
  op.kind = kind;
  op.db = collection.db();
  op.coll = collection.name();
  op.uuid = collection.uuid();
  op.key = collection.document_key(document);
  op.pre_image_recorded = collection.pre_and_post_images();
  (kind == OpKind::kInsert ? op.after : op.before) = document;
  entry->ops.push_back(std::move(op));
  return entry;
}

Reply<void> shard_collection(Invocation& inv) {
  const auto first = *inv.body.begin();
  const std::string ns = first.is_string() ? std::string(first.string()) : std::string();
  const size_t dot = ns.find('.');
  if (dot == std::string::npos)
    return command_error(kInvalidNamespace, "Invalid namespace specified '" + ns + "'");
  SANDBOX_ASSIGN(const bson::View key, document_field(inv, inv.body, "key"));
  if (!key || key.empty()) return command_error(kBadValue, "Shard key is empty");
  SANDBOX_TRY(with_write_target(inv, ns.substr(dot + 1), [&](WriteTarget& target) -> Reply<void> {
    SANDBOX_ASSIGN(Collection * collection, target.ensure_collection(ns.substr(0, dot), ns.substr(dot + 1)));
    if (collection->shard_key()) return command_error(23, "sharding already enabled for collection " + ns);
    collection->set_shard_key(bson::Document(key));
    // Where tools look for it.
    SANDBOX_ASSIGN(Collection * config, target.ensure_collection("config", "collections"));
    bson::Builder row;
    row.append("_id", ns).append("dropped", false).append("key", key).append("unique", false);
    append_uuid(row, "uuid", collection->uuid());
    const auto id = row.view().find("_id");
    (void)config->remove(*id);
    return config->insert(row.finish());
  }));
  inv.reply.append("collectionsharded", ns);
  return {};
}

Reply<void> nothing(Invocation&) { return {}; }

Reply<void> list_shards(Invocation& inv) {
  ArrayWriter shards(inv.reply.raw(), "shards");
  for (const auto* name : {"shard0", "shard1"}) {
    bson::Builder shard;
    shard.append("_id", name)
        .append("host", std::string(name) + "/" + inv.member().address)
        .append("state", 1);
    shards.append(shard.view());
  }
  return {};
}

constexpr uint32_t kAdmin = kAdminOnly | kRouterOnly;
constexpr CommandSpec kCommands[] = {
    {"enableSharding", nothing, kAdmin, "primaryShard"},
    {"shardCollection", shard_collection, kAdmin | kPrimaryOnly, "key unique numInitialChunks"},
    {"listShards", list_shards, kAdmin, ""},
};

}  // namespace

std::span<const CommandSpec> router_commands() { return kCommands; }

Reply<void> check_routed(const Invocation& inv) {
  if (inv.db == "local") return command_error(kIllegalOperation, "Can't use 'local' database through mongos");
  if (inv.spec->is(kMembersOnly))
    return command_error(kCommandNotFound, "no such command: '" + std::string(inv.name) + "'");
  return {};
}

Reply<void> check_targeted_update(const Collection& collection, bson::View query, bson::View update,
                                  bool multi, bool upsert) {
  if (!collection.shard_key()) return {};
  const bool whole = says_shard_key(collection, query);
  if (upsert && !whole)
    return command_error(kShardKeyNotFound,
                         "Failed to target upsert by query :: could not extract exact shard key");
  if (multi || whole || says(query, "_id") || is_replacement(update)) return {};
  return command_error(
      kInvalidOptions,
      "A {multi:false} update on a sharded collection must either contain an exact match on _id "
      "or must target a single shard but this update targeted _id (and have the collection default "
      "collation) or the shard key");
}

Reply<void> check_targeted_delete(const Collection& collection, bson::View query, bool multi) {
  if (!collection.shard_key() || multi || says(query, "_id") || says_shard_key(collection, query)) return {};
  return command_error(
      kInvalidOptions,
      "A single delete on a sharded collection must contain an exact match on _id (and have the "
      "collection default collation) or contain the shard key (and have the simple collation)");
}

Reply<void> check_targeted_find(const Collection& collection, bson::View query) {
  if (!collection.shard_key() || says_shard_key(collection, query)) return {};
  return command_error(kShardKeyNotFound, "Query for sharded findAndModify must contain the shard key");
}

bool moves(const Collection& collection, bson::View before, bson::View after) {
  for (const auto& part : collection.shard_key().view()) {
    const auto old_value = before.find_path(part.key());
    const auto new_value = after.find_path(part.key());
    if (old_value.has_value() != new_value.has_value()) return true;
    if (old_value && bson::compare(*old_value, *new_value) != 0) return true;
  }
  return false;
}

void log_move(WriteTarget& target, const Collection& collection, const bson::Document& before,
              const bson::Document& after) {
  target.entries.push_back(half_of_move(target, collection, OpKind::kDelete, before));
  target.entries.push_back(half_of_move(target, collection, OpKind::kInsert, after));
  if (target.cluster.insert_before_delete) std::swap(target.entries.end()[-1], target.entries.end()[-2]);
}

}  // namespace tidemark::sandbox
