// A MongoDB client for tests: commands and writes in Extended JSON, in one line each.
//
// Writes wait for the majority, and are retried once by the driver when a primary goes away. Errors come back
// as kRetry with the server's code in Error::code: a test that expects one looks at that. One thread a
// client.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bson/document.h"

namespace tidemark::testing {

class Mongo {
 public:
  // Connects on first use. A URI that doesn't parse is an assertion.
  explicit Mongo(const std::string& uri);
  ~Mongo();
  Mongo(Mongo&&) noexcept;

  // Any command, on the primary. The JSON forms assert that `command` is well-formed.
  Result<bson::Document> run(const std::string& database, bson::View command);
  Result<bson::Document> run(const std::string& database, std::string_view command_json);

  Status insert(const std::string& database, const std::string& collection, bson::View document);
  Status insert(const std::string& database, const std::string& collection, std::string_view document_json);
  // In one command; the driver splits what is too large for one.
  Status insert_many(const std::string& database, const std::string& collection,
                     const std::vector<bson::Document>& documents);
  Status update(const std::string& database, const std::string& collection, std::string_view filter_json,
                std::string_view update_json, bool upsert = false);
  Status replace(const std::string& database, const std::string& collection, std::string_view filter_json,
                 std::string_view document_json, bool upsert = false);
  Status remove(const std::string& database, const std::string& collection,
                std::string_view filter_json = "{}", bool many = false);
  Status drop(const std::string& database, const std::string& collection);

  // Every document of the filter in order of _id.
  Result<std::vector<bson::Document>> find(const std::string& database, const std::string& collection,
                                           std::string_view filter_json = "{}");
  Result<int64_t> count(const std::string& database, const std::string& collection,
                        std::string_view filter_json = "{}");

  // "7.0.12", and the same as 7000012.
  Result<std::string> server_version();
  Result<int> server_version_number();

  // For what has no wrapper here: a mongoc_client_t*.
  void* raw() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Parses a JSON literal of a test; an assertion when it doesn't.
bson::Document json(std::string_view text);

}  // namespace tidemark::testing
