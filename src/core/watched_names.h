// Which collections belong to a pipeline: what its source watches, without what `exclude` names and without the collections
// that the server makes for a moment. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/event.h"

namespace tidemark {

// A collection of the server's own, there for a moment or for itself: what $out, mapReduce, convertToCapped and a
// renameCollection across databases fill and then rename onto their target, and `system.*`.
bool is_temporary_collection(std::string_view collection);

// The setting `exclude`: "db.coll" for one collection, "db.*" for a whole database.
class ExcludedNames {
 public:
  // kConfig for a text that is neither.
  static Result<ExcludedNames> parse(const std::vector<std::string>& texts);

  bool has(std::string_view database, std::string_view collection) const;
  bool has(const Namespace& ns) const { return has(ns.database, ns.collection); }
  bool empty() const { return names_.empty(); }

 private:
  struct Name {
    std::string database;
    std::string collection;  // empty: all of them
  };
  std::vector<Name> names_;
};

// The namespace of the configuration. Nothing is learnt from events: a restart would forget it.
struct WatchedNames {
  std::string database;    // empty: every database
  std::string collection;  // empty: every collection
  ExcludedNames exclude;

  bool has(const Namespace& ns) const;
};

}  // namespace tidemark
