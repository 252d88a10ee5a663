// Where a pipeline's position lives.
#pragma once

#include <optional>
#include <stop_token>
#include <string>

#include "base/result.h"
#include "core/position.h"

namespace tidemark {

// What is written beside every position of one pipeline.
struct PositionContext {
  std::string pipeline;     // the pipeline's name: the key where a store keeps several
  std::string fingerprint;  // SourceIdentity::fingerprint
  std::string deployment;   // SourceHealth::deployment
};

// One owner at a time. One thread at a time.
class PositionStore {
 public:
  virtual ~PositionStore() = default;

  // Takes the lease (kFenced when another live owner holds it), raises the epoch and loads what is stored. Empty only
  // if nothing was ever saved; unreadable is kCorrupt, never empty. After kCorrupt the lease is held all the same, so
  // that the operator's `position set` and `position reset` can erase() it; save() is refused until then.
  virtual Result<std::optional<StoredPosition>> acquire(const PositionContext& context,
                                                        std::stop_token stop) = 0;

  // Durable on return. kFenced once another owner has taken the lease; REQUIRES acquire().
  virtual Status save(const DurablePosition& position, std::stop_token stop) = 0;

  // Reads without a lease and without checking whose it is: for `status` and `position show`.
  virtual Result<std::optional<StoredPosition>> peek(const std::string& pipeline, std::stop_token stop) = 0;

  // Forgets the position (`tidemark position reset`). REQUIRES acquire().
  virtual Status erase(std::stop_token stop) = 0;

  // Gives the lease back. Also done by destruction; a crash leaves it to expire or to the operating system.
  virtual void release() = 0;

  // Where it is, for messages: "file orders.position".
  virtual std::string describe() const = 0;
};

}  // namespace tidemark
