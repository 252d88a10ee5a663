// A MongoDB deployment as the demo's own threads use it: commands with replies, and the documents of a
// collection. libmongoc stays behind it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "bson/document.h"

namespace tidemark::demo {

// One thread at a time; made by a ServerPool, which outlives it.
class Server {
 public:
  enum class Member { kPrimary, kOther };  // kOther: a secondary while there is one

  // The reply, also when it holds writeErrors. Errors are kRetry with the server's code, for the caller knows
  // better than the driver whether to go on.
  Result<bson::Document> command(const std::string& database, bson::View command, Member member);
  // A write with {w: "majority"}; a write concern that isn't met is an error.
  Result<bson::Document> write(const std::string& database, bson::View command);
  // Hands every document of the collection out, in order of _id, read with {readConcern: "majority"}.
  Status each(const std::string& database, const std::string& collection,
              const std::function<void(bson::View)>& take);

 private:
  friend class ServerPool;
  struct Lease;  // a client of the pool, given back with the last copy
  explicit Server(std::shared_ptr<Lease> lease) : lease_(std::move(lease)) {}
  std::shared_ptr<Lease> lease_;
};

// Watches the deployment with the driver's background threads, so that a new primary is found at once.
// Thread-safe.
class ServerPool {
 public:
  static Result<ServerPool> connect(const std::string& uri);
  // A connection of its own for the calling thread.
  Server connection();

  struct Pool;

 private:
  std::shared_ptr<Pool> pool_;
};

}  // namespace tidemark::demo
