// What a sink and its audit say of a table's owner, the collection whose rows it holds (docs/adr/0039-tables-have-owners.md).
// Pure; one thread.
#pragma once

#include <map>
#include <string>

#include "base/result.h"
#include "core/audit.h"
#include "core/event.h"
#include "core/refused_names.h"

namespace tidemark {

// A table that has an owner and isn't there: somebody has dropped it while the pipeline wasn't looking, and what stood in it
// was said to be written. `remove_owner` is the statement by which the operator says that it may be made anew.
// docs/adr/0053-a-table-that-was-dropped.md
inline Error dropped_by_somebody(const std::string& where, const std::string& table, const std::string& owner,
                                 const std::string& remove_owner) {
  return {
      React::kConfig,
      where + ": '" + table + "' is gone: it held the documents of " + owner +
          ", and somebody has dropped it. Made anew it would be empty, without a word about what stood in it",
      "put it back from a backup; or let it be made anew with " + remove_owner +
          ", and bring its rows from the source with `tidemark audit --repair`"};
}

// The owners as an audit found them when it was opened.
class TableOwners {
 public:
  void clear() { owners_.clear(); }
  void add(std::string table, std::string owner) { owners_[std::move(table)] = std::move(owner); }

  // kReject where the table belongs to another collection: nothing of this one is there, and the sink refuses its events.
  Status check(const std::string& table, const Namespace& collection) const {
    const auto found = owners_.find(table);
    if (found == owners_.end() || found->second == RefusedNames::text_of(collection)) return {};
    return fail(React::kReject, "'" + table + "' holds the documents of " + found->second);
  }

 private:
  std::map<std::string, std::string> owners_;  // the collection's text by the table's
};

}  // namespace tidemark
