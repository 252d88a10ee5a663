// Sinks: where events become durable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/event.h"
#include "core/position.h"
#include "core/position_store.h"

namespace tidemark {

struct WriteFailure {
  Error error;
  // events[0, durable_prefix) ARE durable; nothing at or after it counts.
  size_t durable_prefix = 0;
  // With error.react == kReject: the event that can't be taken; durable_prefix <= culprit < events.size().
  size_t culprit = 0;
};
using WriteResult = tl::expected<void, WriteFailure>;

inline tl::unexpected<WriteFailure> write_failed(Error error, size_t durable_prefix = 0, size_t culprit = 0) {
  return tl::unexpected<WriteFailure>(WriteFailure{std::move(error), durable_prefix, culprit});
}

// A sink without a position of its own: at least once, with a PositionStore beside it. One instance a lane,
// one thread an instance; events arrive in stream order, and again after a failure or a restart, so a sink
// keyed by Event::id must take a repeated or an older event without harm.
class Sink {
 public:
  virtual ~Sink() = default;
  // Connects, creates what is missing, repairs what a crash left. Called again after any error that is
  // kRetry.
  virtual Status open(std::stop_token stop) = 0;
  // Success means that every event is durable: return is the acknowledgement. After an error whose outcome
  // the sink can't know, durable_prefix says only what it has read back.
  virtual WriteResult write(std::span<const Event> events, std::stop_token stop) = 0;
  virtual void close() = 0;

  // Bytes of the write-ahead log that the destination keeps in a file beside its own; empty where it has none, or it can't
  // be told. Any thread, also while write() runs.
  virtual std::optional<uint64_t> wal_bytes() const { return std::nullopt; }
};

// A sink that commits events and position in one transaction, and so is its own PositionStore: effectively
// once. One instance, one thread, stream order.
class TransactionalSink {
 public:
  virtual ~TransactionalSink() = default;
  // Like Sink::open; also takes the fenced lease on the position and loads it. Empty only if none was ever
  // saved.
  virtual Result<std::optional<StoredPosition>> open_and_load(const PositionContext& context,
                                                              std::stop_token stop) = 0;
  // Commits every event and `resume_after`, or nothing: durable_prefix is 0 on failure. `events` may be
  // empty, to save a high-water mark. An ambiguous commit is resolved by reading the stored position back.
  virtual WriteResult write(std::span<const Event> events, const Position& resume_after,
                            std::stop_token stop) = 0;
  virtual void close() = 0;
  // The same position for the commands that show or set it while no pipeline runs.
  virtual PositionStore& position_store() = 0;
  // As Sink::wal_bytes.
  virtual std::optional<uint64_t> wal_bytes() const { return std::nullopt; }
};

}  // namespace tidemark
