// A destination that an audit can read, as somebody with a client of the server's own sees and damages it. What stands there
// is read without any code of the program. One thread; what it is made with outlives it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "support/mongo.h"
#include "support/temp_folder.h"

namespace tidemark::e2e {

enum class EndKind { kSqlite, kPostgres, kMongodb };

std::string to_string(EndKind kind);

// The documents are {_id: N, n: N, status: "open"}, N an int.
class AuditedEnd {
 public:
  // Why this kind can't be tested here; empty when it can.
  static std::optional<std::string> unavailable(EndKind kind);
  // A mongodb end is the database `database` of the deployment at `uri`.
  static std::unique_ptr<AuditedEnd> make(EndKind kind, const testing::TempFolder& folder,
                                          const std::string& uri, const std::string& database);
  virtual ~AuditedEnd() = default;

  // [pipeline.sink]
  virtual std::string toml() const = 0;
  // Every row whole, with whatever the program keeps beside the document, by canonical `_id`.
  virtual std::map<std::string, std::string> rows() = 0;

  virtual void remove(const std::vector<int>& ids) = 0;
  // Another text in `status`.
  virtual void twist(const std::vector<int>& ids) = 0;
  // The same number in `n`, as a long.
  virtual void retype(const std::vector<int>& ids) = 0;
  // Copies of document 1 under these ids.
  virtual void invent(const std::vector<int>& ids) = 0;
  // This document, canonical JSON, in the row of its id.
  virtual void put(const std::string& json) = 0;
  // Any one of the rows is gone.
  virtual void lose_one() = 0;
  // The table is gone.
  virtual void drop() = 0;
  // As the sink says it to the operator: what was dropped may be made anew.
  virtual void disown() = 0;

  // The id as rows() and audits call it.
  static std::string id_of(int n) { return "{\"$numberInt\":\"" + std::to_string(n) + "\"}"; }
};

}  // namespace tidemark::e2e
