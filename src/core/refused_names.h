// Collections that a sink can give no table of their own: the name is taken by another collection or by the pipeline's own
// tables, or the destination can't hold it. The first event of each is rejected, with the reason; what follows is left out
// until the sink is opened again: one letter says it, a million would bury it, and stop the others meanwhile.
// docs/adr/0039-tables-have-owners.md
//
// Owned by one sink; one thread.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "base/result.h"
#include "core/event.h"
#include "core/sink.h"

namespace tidemark {

class RefusedNames {
 public:
  bool has(const Namespace& ns) const { return !names_.empty() && names_.contains(text_of(ns)); }

  // `error` becomes a reject of the event `culprit` that tells what becomes of the rest.
  WriteResult refuse(const Namespace& ns, Error error, size_t culprit) {
    const std::string name = text_of(ns);
    names_.insert(name);
    error.react = React::kReject;
    error.what += "; nothing more of " + name + " is written before the next start";
    error.hint = "leave it out with exclude = [\"" + name +
                 "\"] on the source, or give it a pipeline and a table of its own" +
                 (error.hint.empty() ? "" : "; " + error.hint);
    return write_failed(std::move(error), 0, culprit);
  }

  void clear() { names_.clear(); }

  static std::string text_of(const Namespace& ns) {
    std::string text(ns.database);
    if (!ns.collection.empty()) text.append(".").append(ns.collection);
    return text;
  }

 private:
  std::set<std::string> names_;
};

// The words for a table that already belongs to another collection.
inline Error owned_by_another(const std::string& where, const std::string& table, const std::string& owner,
                              const Namespace& ns) {
  return {React::kReject,
          where + ": table '" + table + "' holds the documents of " + owner + ", and the name of " +
              RefusedNames::text_of(ns) + " leads to it too",
          "write a table name that keeps both apart, such as \"{database}.{collection}\"; where " + owner +
              " is gone for good, delete its row from the sink's owner_table"};
}

// Whether an event of a whole collection, or of a whole database, is about a table of this owner; empty: nobody knows.
inline bool concerns(const Event& event, const Namespace& ns, std::string_view owner) {
  if (owner.empty() || owner == RefusedNames::text_of(ns)) return true;
  return event.op == Op::kDropDatabase && owner.starts_with(std::string(ns.database) + ".");
}

// Whether the event ends the collection, so that another may have its table.
inline bool frees_table(const Event& event) {
  return event.op == Op::kDrop || event.op == Op::kDropDatabase || event.op == Op::kRename;
}

}  // namespace tidemark
