#include "sandbox/store/catalog.h"

namespace tidemark::sandbox {
namespace {

constexpr size_t kDatabaseNameMax = 63;
constexpr size_t kNamespaceMax = 255;

std::string joined(std::string_view db, std::string_view name) {
  return std::string(db) + "." + std::string(name);
}

}  // namespace

Reply<void> check_namespace(std::string_view db, std::string_view collection) {
  const std::string ns = joined(db, collection);
  const bool bad_db = db.empty() || db.size() > kDatabaseNameMax ||
                      db.find_first_of(std::string_view("/\\. \"$\0", 7)) != db.npos;
  if (bad_db || collection.empty() || collection.find('\0') != collection.npos)
    return command_error(kInvalidNamespace, "Invalid namespace specified '" + ns + "'");
  if (collection.starts_with(".") || collection.find('$') != collection.npos)
    return command_error(kInvalidNamespace, "Invalid collection name: " + std::string(collection));
  if (ns.size() > kNamespaceMax)
    return command_error(kInvalidNamespace, "Fully qualified namespace is too long. Namespace: " + ns +
                                                " Max: " + std::to_string(kNamespaceMax));
  if (collection.starts_with("system."))
    return command_error(kInvalidNamespace, "Invalid system namespace: " + ns);
  return {};
}

Catalog::Catalog(const Catalog& other) { *this = other; }

Catalog& Catalog::operator=(const Catalog& other) {
  if (this == &other) return *this;
  databases_.clear();
  for (const auto& [db, collections] : other.databases_) {
    Database& copy = databases_[db];
    for (const auto& [name, collection] : collections)
      copy.emplace(name, std::make_unique<Collection>(*collection));
  }
  return *this;
}

const Collection* Catalog::find(std::string_view db, std::string_view name) const {
  const auto database = databases_.find(db);
  if (database == databases_.end()) return nullptr;
  const auto collection = database->second.find(name);
  return collection == database->second.end() ? nullptr : collection->second.get();
}

Collection* Catalog::find(std::string_view db, std::string_view name) {
  return const_cast<Collection*>(std::as_const(*this).find(db, name));
}

const Collection* Catalog::find(const Uuid& uuid) const {
  for (const auto& [db, collections] : databases_) {
    for (const auto& [name, collection] : collections) {
      if (collection->uuid() == uuid) return collection.get();
    }
  }
  return nullptr;
}

Collection* Catalog::find(const Uuid& uuid) {
  return const_cast<Collection*>(std::as_const(*this).find(uuid));
}

Reply<Collection*> Catalog::create(std::string_view db, std::string_view name, const Uuid& uuid,
                                   bson::View options) {
  SANDBOX_TRY(check_namespace(db, name));
  SANDBOX_ASSIGN(bson::Document checked, check_collection_options(options));
  if (find(db, name) != nullptr)
    return command_error(kNamespaceExists, "Collection " + joined(db, name) + " already exists.");
  auto& database = databases_[std::string(db)];
  const auto created = database.emplace(
      name, std::make_unique<Collection>(std::string(db), std::string(name), uuid, std::move(checked)));
  return created.first->second.get();
}

Reply<void> Catalog::drop(std::string_view db, std::string_view name) {
  const auto database = databases_.find(db);
  if (database == databases_.end()) return command_error(kNamespaceNotFound, "ns not found");
  const auto collection = database->second.find(name);
  if (collection == database->second.end()) return command_error(kNamespaceNotFound, "ns not found");
  database->second.erase(collection);
  if (database->second.empty()) databases_.erase(database);
  return {};
}

Reply<void> Catalog::rename(std::string_view from_db, std::string_view from, std::string_view to_db,
                            std::string_view to, bool drop_target) {
  SANDBOX_TRY(check_namespace(to_db, to));
  if (from_db == to_db && from == to)
    return command_error(kIllegalOperation, "Can't rename a collection to itself");
  const auto source = databases_.find(from_db);
  if (find(from_db, from) == nullptr)
    return command_error(kNamespaceNotFound,
                         "Source collection " + joined(from_db, from) + " does not exist");
  if (find(to_db, to) != nullptr) {
    if (!drop_target) return command_error(kNamespaceExists, "target namespace exists");
    SANDBOX_TRY(drop(to_db, to));
  }
  auto node = source->second.extract(source->second.find(from));
  node.key() = to;
  node.mapped()->set_name(std::string(to_db), std::string(to));
  node.mapped()->make_permanent();
  databases_[std::string(to_db)].insert(std::move(node));
  if (source->second.empty()) databases_.erase(source);
  return {};
}

void Catalog::drop_database(std::string_view db) {
  const auto database = databases_.find(db);
  if (database != databases_.end()) databases_.erase(database);
}

std::vector<std::string> Catalog::databases() const {
  std::vector<std::string> names;
  for (const auto& [db, collections] : databases_) names.push_back(db);
  return names;
}

std::vector<const Collection*> Catalog::collections(std::string_view db) const {
  std::vector<const Collection*> result;
  const auto database = databases_.find(db);
  if (database == databases_.end()) return result;
  for (const auto& [name, collection] : database->second) result.push_back(collection.get());
  return result;
}

std::vector<Collection*> Catalog::collections(std::string_view db) {
  std::vector<Collection*> result;
  const auto database = databases_.find(db);
  if (database == databases_.end()) return result;
  for (auto& [name, collection] : database->second) result.push_back(collection.get());
  return result;
}

}  // namespace tidemark::sandbox
