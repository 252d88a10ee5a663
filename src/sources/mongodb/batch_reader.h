// Turns one cursor reply into a SourceBatch: events as views into the reply, fragments put together, and the
// position that stands behind it all. No I/O; owned by the source's reading thread.
#pragma once

#include <memory>

#include "core/source.h"
#include "sources/mongodb/batch_pool.h"
#include "sources/mongodb/cursor.h"
#include "sources/mongodb/split.h"

namespace tidemark::mongodb {

class BatchReader {
 public:
  // Begins anew at `position`, as after every open. Fragments of an event that was cut off are forgotten: the
  // server sends them again, because the position stands before them.
  void start(Position position);

  // The end of what read() has returned so far, or where it was started.
  const Position& position() const { return position_; }

  // REQUIRES that `reply` is a cursor's reply (Cursor made sure of it). Never allocates per event.
  Result<SourceBatch> read(ReplyPtr reply);

 private:
  Status add_events(bson::View array, const Reply& reply, EventBatch& batch);
  // `flaw`: why it can't be taken, or empty.
  Status add_event(bson::View raw, std::string_view flaw, EventBatch& batch);
  Position end_of(const EventBatch& batch, bson::View high_water_mark) const;

  Position position_;
  SplitMerger merger_;
  std::string pending_flaw_;  // of the fragments that the merger holds
  BatchPool pool_;
};

}  // namespace tidemark::mongodb
