// create, drop, dropDatabase, renameCollection, convertToCapped, collMod, createIndexes and dropIndexes.
#include "sandbox/server/copies.h"
#include "sandbox/server/update_one.h"

namespace tidemark::sandbox {
namespace {

constexpr std::string_view kNotOptions =
    "create collMod $db lsid txnNumber autocommit startTransaction $clusterTime $readPreference readConcern "
    "writeConcern "
    "maxTimeMS comment apiVersion apiStrict apiDeprecationErrors $client $audit";

// The command's own options, without what every command accepts.
bson::Document own_options(bson::View body) {
  bson::Builder out;
  for (const auto& field : body)
    if (!token_in(kNotOptions, field.key())) out.append(field.key(), field);
  return out.finish();
}

tl::unexpected<CommandError> no_namespace(const Invocation& inv, std::string_view ns) {
  return command_error(kNamespaceNotFound,
                       inv.cluster.classic() ? "ns not found" : "ns does not exist: " + std::string(ns));
}

Reply<void> create(Invocation& inv) {
  SANDBOX_ASSIGN(const std::string name, inv.collection());
  const bson::Document options = own_options(inv.body);
  if (inv.cluster.classic() && options.view().find("timeseries"))
    return command_error(40415, "BSON field 'create.timeseries' is an unknown field.");
  return with_write_target(inv, name, [&](WriteTarget& target) -> Reply<void> {
    if (const auto pipeline = options.view().find("pipeline"))
      SANDBOX_TRY(Pipeline::parse(pipeline->document(), inv.context(name)));
    if (inv.cluster.classic() && target.catalog.find(inv.db, name) != nullptr)
      return command_error(kNamespaceExists, "a collection '" + inv.db + "." + name + "' already exists");
    SANDBOX_TRY(target.create_collection(inv.db, name, options));
    return {};
  });
}

Reply<void> drop(Invocation& inv) {
  SANDBOX_ASSIGN(const std::string name, inv.collection());
  return with_write_target(inv, name, [&](WriteTarget& target) -> Reply<void> {
    Collection* collection = target.catalog.find(inv.db, name);
    if (collection == nullptr) {
      // From 7.0 on, dropping what isn't there succeeds.
      if (inv.cluster.classic()) return no_namespace(inv, inv.db + "." + name);
      return {};
    }
    inv.reply.append("nIndexesWas", static_cast<int32_t>(collection->index_count()))
        .append("ns", collection->ns());
    target.add_ddl(OpKind::kDrop, *collection);
    return target.catalog.drop(inv.db, name);
  });
}

Reply<void> drop_database(Invocation& inv) {
  if (inv.db == "admin" || inv.db == "config" || inv.db == "local")
    return command_error(kIllegalOperation, "Dropping the '" + inv.db + "' database is prohibited.");
  return with_write_target(inv, "", [&](WriteTarget& target) -> Reply<void> {
    const auto collections = target.catalog.collections(inv.db);
    if (collections.empty()) return {};
    for (const Collection* collection : collections) target.add_ddl(OpKind::kDrop, *collection);
    target.catalog.drop_database(inv.db);
    auto entry = std::make_shared<OplogEntry>();
    entry->kind = OpKind::kDropDatabase;
    entry->db = inv.db;
    target.entries.push_back(std::move(entry));
    inv.reply.append("dropped", inv.db);
    return {};
  });
}

Reply<std::pair<std::string, std::string>> split_namespace(const Invocation& inv, std::string_view key) {
  SANDBOX_ASSIGN(const auto text, string_field(inv, inv.body, key));
  const size_t dot = text.find('.');
  if (dot == std::string_view::npos)
    return command_error(kInvalidNamespace, "Invalid namespace specified '" + std::string(text) + "'");
  const auto db = text.substr(0, dot);
  const auto collection = text.substr(dot + 1);
  SANDBOX_TRY(check_namespace(db, collection));
  return std::pair<std::string, std::string>(db, collection);
}

Reply<void> rename_collection(Invocation& inv) {
  SANDBOX_ASSIGN(const auto from, split_namespace(inv, "renameCollection"));
  SANDBOX_ASSIGN(const auto to, split_namespace(inv, "to"));
  SANDBOX_ASSIGN(const bool drop_target, bool_field(inv, inv.body, "dropTarget", false));
  return with_write_target(inv, from.second, [&](WriteTarget& target) -> Reply<void> {
    if (from.first == to.first) return rename_within(target, from.first, from.second, to.second, drop_target);
    return rename_across(target, from.first, from.second, to.first, to.second, drop_target);
  });
}

Reply<int64_t> capped_size(const Invocation& inv) {
  SANDBOX_ASSIGN(const int64_t size, int_field(inv, inv.body, "size", 0));
  if (size <= 0) return command_error(kInvalidOptions, "Capped collection size must be greater than zero");
  return size;
}

Reply<void> convert_to_capped(Invocation& inv) {
  SANDBOX_ASSIGN(const std::string name, inv.collection());
  SANDBOX_ASSIGN(const int64_t size, capped_size(inv));
  return with_write_target(inv, name, [&](WriteTarget& target) -> Reply<void> {
    const std::string temporary = temporary_name(target, inv.db, "convertToCapped." + name);
    SANDBOX_TRY(clone_as_capped(target, inv.db, name, temporary, size, true));
    return rename_within(target, inv.db, temporary, name, true);
  });
}

Reply<void> clone_collection_as_capped(Invocation& inv) {
  SANDBOX_ASSIGN(const std::string name, inv.collection());
  SANDBOX_ASSIGN(const auto to, string_field(inv, inv.body, "toCollection"));
  SANDBOX_ASSIGN(const int64_t size, capped_size(inv));
  SANDBOX_ASSIGN(const bool temporary, bool_field(inv, inv.body, "temp", false));
  return with_write_target(inv, name, [&](WriteTarget& target) -> Reply<void> {
    return clone_as_capped(target, inv.db, name, to, size, temporary);
  });
}

Reply<void> coll_mod(Invocation& inv) {
  SANDBOX_ASSIGN(const std::string name, inv.collection());
  const bson::Document changes = own_options(inv.body);
  return with_write_target(inv, name, [&](WriteTarget& target) -> Reply<void> {
    Collection* collection = target.catalog.find(inv.db, name);
    if (collection == nullptr) return no_namespace(inv, inv.db + "." + name);
    SANDBOX_ASSIGN(bson::Document options,
                   check_collection_options(merge_options(collection->options(), changes)));
    collection->set_options(std::move(options));
    target.add_ddl(OpKind::kModify, *collection).command = changes;
    return {};
  });
}

// The spec of an index as listIndexes shows it.
bson::Document index_spec(const Collection& collection, std::string_view name) {
  for (auto& spec : collection.list_indexes()) {
    const auto field = spec.view().find("name");
    if (field && field->is_string() && field->string() == name) return spec;
  }
  return {};
}

void append_index_counts(Invocation& inv, bool created, size_t before, size_t after) {
  if (inv.cluster.classic()) inv.reply.append("createdCollectionAutomatically", created);
  inv.reply.append("numIndexesBefore", static_cast<int32_t>(before))
      .append("numIndexesAfter", static_cast<int32_t>(after));
  if (!inv.cluster.classic()) inv.reply.append("createdCollectionAutomatically", created);
  if (before == after) inv.reply.append("note", "all indexes already exist");
}

Reply<void> create_indexes(Invocation& inv) {
  SANDBOX_ASSIGN(const std::string name, inv.collection());
  SANDBOX_ASSIGN(const auto specs, batch_of(inv, "indexes"));
  return with_write_target(inv, name, [&](WriteTarget& target) -> Reply<void> {
    const bool existed = target.catalog.find(inv.db, name) != nullptr;
    SANDBOX_ASSIGN(Collection * collection, target.ensure_collection(inv.db, name));
    const size_t before = collection->index_count();
    bson::Builder command;
    size_t created = 0;
    Reply<void> failed;
    std::vector<std::string> names;
    {
      ArrayWriter indexes(command.raw(), "indexes");
      for (const auto& spec : specs) {
        auto made = collection->create_index(spec);
        if (!made) {
          failed = tl::unexpected<CommandError>(std::move(made).error());
          break;
        }
        if (!*made) continue;
        created++;
        // The newest one stands last.
        const auto all = collection->list_indexes();
        if (const auto field = all.back().view().find("name"); field && field->is_string())
          names.emplace_back(field->string());
        indexes.append(all.back().view());
      }
    }
    if (!failed) {
      // All or nothing. What was just created can be dropped.
      for (const auto& index : names) (void)collection->drop_index(index);
      return failed;
    }
    if (created > 0) target.add_ddl(OpKind::kCreateIndexes, *collection).command = command.finish();
    append_index_counts(inv, !existed, before, collection->index_count());
    return {};
  });
}

Reply<std::vector<std::string>> indexes_to_drop(const bson::Element& which, const Collection& collection) {
  std::vector<std::string> names;
  if (which.is_array()) {
    for (const auto& item : which.document())
      if (item.is_string()) names.emplace_back(item.string());
  } else if (which.is_document()) {
    const auto name = collection.index_name(which.document());
    if (!name) return command_error(kIndexNotFound, "can't find index with key");
    names.push_back(*name);
  } else if (which.is_string() && which.string() == "*") {
    for (const auto& spec : collection.list_indexes())
      if (const auto name = spec.view().find("name"); name && name->string() != "_id_")
        names.emplace_back(name->string());
  } else if (which.is_string()) {
    names.emplace_back(which.string());
  } else {
    return command_error(kTypeMismatch, "'index' must be a string, an array or an object");
  }
  return names;
}

Reply<void> drop_indexes(Invocation& inv) {
  SANDBOX_ASSIGN(const std::string name, inv.collection());
  const auto which = inv.body.find("index");
  if (!which) return command_error(40414, "BSON field 'dropIndexes.index' is missing but a required field");
  return with_write_target(inv, name, [&](WriteTarget& target) -> Reply<void> {
    Collection* collection = target.catalog.find(inv.db, name);
    if (collection == nullptr) return no_namespace(inv, inv.db + "." + name);
    const auto before = static_cast<int32_t>(collection->index_count());
    SANDBOX_ASSIGN(const auto names, indexes_to_drop(*which, *collection));
    for (const auto& index : names)
      if (index == "_id_" || !index_spec(*collection, index)) return collection->drop_index(index);
    bson::Builder command;
    {
      ArrayWriter indexes(command.raw(), "indexes");
      for (const auto& index : names) indexes.append(index_spec(*collection, index).view());
    }
    for (const auto& index : names) SANDBOX_TRY(collection->drop_index(index));
    if (!names.empty()) target.add_ddl(OpKind::kDropIndexes, *collection).command = command.finish();
    inv.reply.append("nIndexesWas", before);
    return {};
  });
}

constexpr uint32_t kDdl = kPrimaryOnly | kWriteConcern;
constexpr CommandSpec kCommands[] = {
    {"create", create, kDdl | kTransactions | kAnyFields, ""},
    {"drop", drop, kDdl, ""},
    {"dropDatabase", drop_database, kDdl, ""},
    {"renameCollection", rename_collection, kDdl | kAdminOnly, "to dropTarget stayTemp"},
    {"convertToCapped", convert_to_capped, kDdl, "size"},
    {"cloneCollectionAsCapped", clone_collection_as_capped, kDdl, "toCollection size temp"},
    {"collMod", coll_mod, kDdl | kAnyFields, ""},
    {"createIndexes", create_indexes, kDdl | kTransactions,
     "indexes ignoreUnknownIndexOptions commitQuorum v"},
    {"dropIndexes", drop_indexes, kDdl, "index"},
    {"deleteIndexes", drop_indexes, kDdl, "index"},
};

}  // namespace

std::span<const CommandSpec> ddl_commands() { return kCommands; }

}  // namespace tidemark::sandbox
