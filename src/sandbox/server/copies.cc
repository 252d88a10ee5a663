#include "sandbox/server/copies.h"

namespace tidemark::sandbox {
namespace {

constexpr std::string_view kNameCharacters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr size_t kRandomCharacters = 5;

Reply<void> copy_documents(WriteTarget& target, const Collection& from, Collection& to) {
  for (const auto& document : from.all()) {
    SANDBOX_TRY(to.insert(document));
    OplogEntry& entry = target.add_ddl(OpKind::kInsert, to);
    entry.from_migrate = true;
    entry.key = to.document_key(document);
    entry.after = document;
  }
  return {};
}

Reply<void> copy_indexes(WriteTarget& target, const Collection& from, Collection& to) {
  bson::Builder command;
  {
    ArrayWriter indexes(command.raw(), "indexes");
    for (const auto& spec : from.list_indexes()) {
      const auto name = spec.view().find("name");
      if (name && name->is_string() && name->string() == "_id_") continue;
      SANDBOX_TRY(to.create_index(spec));
      indexes.append(spec.view());
    }
    if (indexes.count() == 0) return {};
  }
  OplogEntry& entry = target.add_ddl(OpKind::kCreateIndexes, to);
  entry.from_migrate = true;
  entry.command = command.finish();
  return {};
}

}  // namespace

std::string temporary_name(WriteTarget& target, std::string_view db, std::string_view what) {
  while (true) {
    std::string name = "tmp";
    uint64_t draw = target.cluster.identities.random();
    for (size_t i = 0; i < kRandomCharacters; i++, draw /= kNameCharacters.size())
      name += kNameCharacters[draw % kNameCharacters.size()];
    name += '.';
    name += what;
    if (target.catalog.find(db, name) == nullptr) return name;
  }
}

Reply<void> rename_within(WriteTarget& target, std::string_view db, std::string_view from,
                          std::string_view to, bool drop_target) {
  std::optional<Uuid> dropped;
  if (const Collection* victim = target.catalog.find(db, to); victim != nullptr && drop_target)
    dropped = victim->uuid();
  SANDBOX_TRY(target.catalog.rename(db, from, db, to, drop_target));
  OplogEntry& entry = target.add_ddl(OpKind::kRename, *target.catalog.find(db, to));
  entry.coll = from;
  entry.to_db = db;
  entry.to_coll = to;
  entry.dropped_target = dropped;
  return {};
}

Reply<void> rename_across(WriteTarget& target, std::string_view from_db, std::string_view from,
                          std::string_view to_db, std::string_view to, bool drop_target) {
  const Collection* source = target.catalog.find(from_db, from);
  if (source == nullptr)
    return command_error(kNamespaceNotFound, "Source collection " + std::string(from_db) + "." +
                                                 std::string(from) + " does not exist");
  if (target.catalog.find(to_db, to) != nullptr && !drop_target)
    return command_error(kNamespaceExists, "target namespace exists");
  const std::string temporary = temporary_name(target, to_db, "renameCollection");
  SANDBOX_ASSIGN(Collection * copy, target.create_collection(to_db, temporary, source->options()));
  SANDBOX_TRY(copy_indexes(target, *source, *copy));
  SANDBOX_TRY(copy_documents(target, *source, *copy));
  SANDBOX_TRY(rename_within(target, to_db, temporary, to, drop_target));
  target.add_ddl(OpKind::kDrop, *source);
  return target.catalog.drop(from_db, from);
}

Reply<void> clone_as_capped(WriteTarget& target, std::string_view db, std::string_view from,
                            std::string_view to, int64_t size, bool temporary) {
  const Collection* source = target.catalog.find(db, from);
  if (source == nullptr)
    return command_error(kNamespaceNotFound, "source collection " + std::string(db) + "." +
                                                 std::string(from) + " does not exist");
  if (target.catalog.find(db, to) != nullptr)
    return command_error(kNamespaceExists, "cloneCollectionAsCapped failed - destination collection " +
                                               std::string(db) + "." + std::string(to) + " already exists");
  bson::Builder options;
  options.append("capped", true).append("size", size);
  if (temporary) options.append("temp", true);
  SANDBOX_ASSIGN(Collection * copy, target.create_collection(db, to, options.view()));
  return copy_documents(target, *source, *copy);
}

}  // namespace tidemark::sandbox
