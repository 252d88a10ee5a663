// Whose is it: a collection of the destination holds the documents of one source collection, which stands under its name in a
// collection of owners: {_id: "copy.orders", namespace: "shop.orders", pipeline: "orders"}. docs/adr/0039-tables-have-owners.md
// One thread; belongs to one writer, and remembers what it has read.
#pragma once

#include <map>
#include <stop_token>
#include <string>

#include "base/result.h"
#include "core/event.h"
#include "core/row_plan.h"
#include "mongo/client.h"

namespace tidemark::mongodb_sink {

class Owners {
 public:
  // `place`: the collection of owners.
  Owners(TableName place, std::string pipeline) : place_(std::move(place)), pipeline_(std::move(pipeline)) {}

  // "shop.orders"; empty where nobody has written into it, and then it is asked for each time.
  Result<std::string> of(mongo::Client& client, const TableName& target, std::stop_token stop);
  // Whether of() would answer without a question.
  bool knows(const TableName& target) const { return known_.contains(target.text()); }
  // `ns` owns it from now on, if nobody does. The owner. REQUIRES that the collection exists: one that has an owner and
  // isn't there was dropped by somebody.
  Result<std::string> claim(mongo::Client& client, const TableName& target, const Namespace& ns,
                            std::stop_token stop);
  // The collection of the source is gone, so that another may have its place.
  Status release(mongo::Client& client, const TableName& target, std::stop_token stop);
  void forget() { known_.clear(); }

  // What the operator runs to have a dropped collection made anew.
  std::string removal_of(const TableName& target) const;

 private:
  const TableName place_;
  const std::string pipeline_;
  std::map<std::string, std::string> known_;
};

}  // namespace tidemark::mongodb_sink
