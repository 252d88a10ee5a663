// A change stream: the cursor that turns one member's oplog into change events.
//
// It is pulled and never waits: who serves getMore waits on Oplog::wait_committed(position()) and pulls
// again. One stream belongs to one cursor and is used by one thread at a time; the oplog and what the lookup
// reads must outlive it. After an error the stream is dead: the server kills the cursor.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "sandbox/change_stream/event.h"
#include "sandbox/change_stream/spec.h"
#include "sandbox/change_stream/split.h"
#include "sandbox/replication/oplog.h"

namespace tidemark::sandbox {

struct OpenRequest {
  PipelineContext context;  // version, db, collection (empty: {aggregate: 1}), now
  bson::View pipeline;      // the aggregate's, $changeStream first
  const Oplog* oplog = nullptr;
  PostImageLookup lookup;  // absent: updateLookup finds nothing
};

struct BatchLimits {
  size_t events_max = 0;                // 0: as many as fit
  size_t bytes_max = 16 * 1024 * 1024;  // of all events; a single larger one still goes alone
  bool get_more = true;                 // false for the first batch: servers word errors differently there
};

struct BatchInfo {
  size_t events = 0;
  size_t bytes = 0;
  bool closed = false;  // an invalidate was passed: the cursor's id is 0 from this reply on
};

class ChangeStream {
 public:
  // Checks the request; reads nothing yet, so that an aggregate with batchSize 0 doesn't scan.
  static Reply<ChangeStream> open(OpenRequest request);

  ChangeStream(ChangeStream&&) noexcept;
  ChangeStream& operator=(ChangeStream&&) noexcept;
  ~ChangeStream();

  // Appends the next events to `batch`, an array that is empty. No events: the end of what is committed was
  // reached.
  Reply<BatchInfo> next(const BatchLimits& limits, bson_t* batch);

  // The postBatchResumeToken after the last next(); valid until the next one.
  bson::View post_batch_token() const;
  bool invalidated() const;
  // Everything up to here was looked at: there is nothing to pull before a later entry is committed.
  bson::Timestamp position() const;
  const StreamSpec& spec() const;

 private:
  class Impl;
  explicit ChangeStream(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidemark::sandbox
