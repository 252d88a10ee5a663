// What a pipeline's transforms hide, hidden in an event as its source handed it out: for whatever is kept of an event that
// didn't get through all of them (dead letters). Immutable; any thread.
//
// The transforms themselves can't do it: one that rejects may stand before the one that hides, and a retry begins again at
// the first of them. Fields that a transform renames are hidden under their old names too.
#pragma once

#include <memory>
#include <vector>

#include "core/transform.h"

namespace tidemark {

class Concealment {
 public:
  // `transforms` are the pipeline's, in its order; needed during the call alone.
  static Result<Concealment> of(const std::vector<std::unique_ptr<Transform>>& transforms);

  bool empty() const { return hiders_.empty(); }

  // `event` as its source handed it out (Event::received), with everything hidden: its views and its payload. An error says
  // that it could not be done, and then nothing of the event but its id and its key may be kept.
  Result<Event> conceal(const Event& event, EventBatch& batch) const;

 private:
  std::vector<std::unique_ptr<Transform>> hiders_;
};

// The event's id, type, time, namespace and `_id` alone, without payload.
Result<Event> bare(const Event& event, EventBatch& batch);

}  // namespace tidemark
