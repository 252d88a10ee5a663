// A source of change events.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/event.h"
#include "core/position.h"
#include "core/position_store.h"

namespace tidemark {

struct SourceBatch {
  // Never null; no events = nothing happened, yet `resume_after` may have moved.
  std::shared_ptr<EventBatch> events;
  // Where to resume once every event of the batch is durable: the batch's high-water mark
  // (postBatchResumeToken).
  Position resume_after;
  // The server ended the cursor after this batch (an invalidate): open again from `resume_after`, nothing is
  // wrong.
  bool closed = false;
  // Where to resume while only some of the batch's events are durable; empty: behind the last of those that are. Not empty
  // for events that the source made up, or would have to make up again: their ids are no place in the stream.
  Position resume_within = {};
  // Events of the stream since the batch before that the source left out: of excluded and of temporary collections. None of
  // them is in `events`.
  uint64_t left_out = 0;
};

// What makes a stored token good for this source and no other.
struct SourceIdentity {
  std::string fingerprint;  // hex SHA-256 of namespace, filter and options
  std::string summary;      // the same for people: "shop.orders, full_document=update_lookup"
};

// What `status` and the guard ask the deployment itself. Zero times are unknown.
struct SourceHealth {
  bson::Timestamp latest;  // the newest majority-committed operation
  bson::Timestamp oldest;  // the oldest entry still in the oplog
  // The deployment's own clock, as far as any member has heard of it: never behind `latest`, also where a member lags.
  bson::Timestamp clock = {};
  std::string deployment = {};  // its identity (core/deployment.h)
  std::string server = {};      // name and version, for people
  // The server has been at work on one read of this stream for so long: it scans its oplog for the next event.
  std::optional<int64_t> scanning_s = {};
  // What this user or this kind of deployment keeps from us, and what that costs, each a sentence for people.
  std::vector<std::string> limits = {};
  std::optional<uint64_t> backlog = {};  // messages that wait at the source, where it is a queue
  // A queue drops a message for good that came back more often, as far as can be told; empty = no such limit is known.
  std::optional<uint64_t> delivery_limit = {};
};

// Where a new position comes from: the operator's `--from`.
struct StartPoint {
  enum class Kind { kNow, kEarliest, kTime, kToken } kind = Kind::kNow;
  bson::Timestamp time;    // kTime
  std::string token_data;  // kToken: the hex string
};

// open() and read() are called by one thread, in that order; after an error of either, open() comes next. The
// rest may be called by any thread, also while read() runs.
//
// Errors: kRetry (open again after a back-off), kPositionLost (terminal), kConfig, kCancelled, kFatal.
class Source {
 public:
  virtual ~Source() = default;

  virtual SourceIdentity identity() const = 0;

  // Opens the stream after `from`; without one, the caller has no position yet and gets kConfig. Never falls
  // back to another position. The value is the position just opened at, a high-water mark: it equals `from`
  // or lies after it with no event between.
  virtual Result<Position> open(const Position& from, std::stop_token stop) = 0;

  // Waits up to `wait` for events, and returns at once with those that are there.
  virtual Result<SourceBatch> read(std::chrono::milliseconds wait, std::stop_token stop) = 0;

  // Turns the operator's choice into a position on the live deployment, by opening a stream there.
  virtual Result<Position> resolve(const StartPoint& start, std::stop_token stop) = 0;

  // Asks the deployment; its own connection, so that a busy stream doesn't hold it up.
  virtual Result<SourceHealth> health(std::stop_token stop) = 0;

  // For `tidemark check --connect`: opens the stream as it would be opened now and reads from it once, so that what the
  // deployment refuses is said before anything runs. What works, but not as well as it might, is a sentence each.
  virtual Result<std::vector<std::string>> rehearse(std::stop_token) { return std::vector<std::string>(); }

  // `listener` is called, from any thread, when an open that failed is worth trying again at once (a new
  // primary was elected). Set before the first open; it must not call back into the source.
  virtual void on_ready(std::function<void()> listener) = 0;

  // The store of a source whose position is an acknowledgement (a broker's queue, an HTTP client that waits for its
  // answer): acquire() begins a session with an empty position, save() acknowledges everything up to it. Null for
  // sources whose position must be kept elsewhere. Used by another thread than read(); lives as long as the source.
  virtual PositionStore* own_positions() { return nullptr; }

  // Whether opening it takes something away that costs when it is given back undelivered: then it is opened only once the
  // sink is. A broker counts how often a message comes back, and may drop it for that.
  virtual bool wants_sink_first() const { return false; }

  // No more reads will come: the server may be told to send nothing more (AMQP: basic.cancel). Acknowledgements still
  // work. Any thread; doesn't block.
  virtual void stop_delivery() {}

  // Closes the stream and its connections. After it, only destruction.
  virtual void close() = 0;
};

}  // namespace tidemark
