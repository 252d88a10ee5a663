// The unique index by which mode "insert" knows a repeated event again. One thread.
#pragma once

#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "bson/document.h"
#include "core/row_plan.h"
#include "mongo/client.h"

namespace tidemark::mongodb_sink {

class UniqueIndex {
 public:
  // Dotted paths; none: `_id` alone tells repetitions.
  explicit UniqueIndex(const std::vector<std::string>& paths);

  // Creates it when absent. kConfig when the documents that are there, or another index, stand in its way.
  Status ensure(mongo::Client& client, const TableName& target, std::stop_token stop);

  // The first path that the document lacks or has null.
  std::optional<std::string> missing_in(bson::View document) const;

  // Whether a duplicate key (11000) means that this very document is there: by `_id` or by this index.
  bool is_repetition(const mongo::WriteError& error) const;

  const std::string& name() const { return name_; }

 private:
  Result<bool> exists(mongo::Client& client, const TableName& target, std::stop_token stop);

  const std::vector<std::string> paths_;
  bson::Document pattern_;
  std::string name_;             // "raw.source_1_raw.id_1", as the shell would name it
  std::set<std::string> names_;  // what it is called where somebody else created it
};

}  // namespace tidemark::mongodb_sink
