// One member's databases and collections. Copying it is an initial sync: every document is shared, not
// copied.
//
// Not synchronised: the member that owns it holds its lock around every call. A Collection* lives until the
// collection is dropped or the catalog is assigned to.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/store/collection.h"

namespace tidemark::sandbox {

class Catalog {
 public:
  Catalog() = default;
  Catalog(const Catalog& other);
  Catalog& operator=(const Catalog& other);
  Catalog(Catalog&&) = default;
  Catalog& operator=(Catalog&&) = default;

  // Null when there is none.
  Collection* find(std::string_view db, std::string_view name);
  const Collection* find(std::string_view db, std::string_view name) const;
  Collection* find(const Uuid& uuid);
  const Collection* find(const Uuid& uuid) const;

  // `options` are checked here. NamespaceExists (48), InvalidNamespace (73), InvalidOptions (72).
  Reply<Collection*> create(std::string_view db, std::string_view name, const Uuid& uuid,
                            bson::View options = {});
  // NamespaceNotFound (26) when there is none.
  Reply<void> drop(std::string_view db, std::string_view name);
  // Keeps the uuid. 26 no source, 48 the target exists and isn't to be dropped, 20 the same name twice.
  Reply<void> rename(std::string_view from_db, std::string_view from, std::string_view to_db,
                     std::string_view to, bool drop_target);
  // Drops every collection; an unknown database has none.
  void drop_database(std::string_view db);
  void clear() { databases_.clear(); }

  // Sorted by name; a database exists as long as it has a collection.
  std::vector<std::string> databases() const;
  std::vector<Collection*> collections(std::string_view db);
  std::vector<const Collection*> collections(std::string_view db) const;

 private:
  using Database = std::map<std::string, std::unique_ptr<Collection>, std::less<>>;
  std::map<std::string, Database, std::less<>> databases_;
};

// InvalidNamespace (73) for names that the server refuses.
Reply<void> check_namespace(std::string_view db, std::string_view collection);

}  // namespace tidemark::sandbox
