// A change stream of libmongoc for tests: opened with JSON, read with patience. Owned by a test; one thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "bson/document.h"
#include "support/mongo.h"

namespace tidemark::testing {

class DriverStream {
 public:
  // `collection` empty: the database's stream; `database` empty too: the deployment's. `pipeline` is a JSON
  // array, `options` what mongoc_collection_watch takes. Nothing happens before the first next(): a failure
  // to open shows there.
  DriverStream(Mongo& mongo, const std::string& database, const std::string& collection,
               std::string_view pipeline = "[]", std::string_view options = "{}");
  ~DriverStream();
  DriverStream(const DriverStream&) = delete;
  DriverStream& operator=(const DriverStream&) = delete;

  // The next event, or nothing when none came within some seconds. Errors carry the server's code and, in
  // what, its text.
  Result<std::optional<bson::Document>> next(int attempts = 20);
  // One getMore: nothing when it brought nothing.
  Result<std::optional<bson::Document>> try_next() { return next(1); }
  // The driver's resume token; none before the first reply.
  bson::Document token() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidemark::testing
