// A transform changes, replaces or drops one event.
#pragma once

#include "core/event.h"

namespace tidemark {

// Pure: the same event gives the same result, on any thread. What it builds it stores in `batch`.
class Transform {
 public:
  virtual ~Transform() = default;

  enum class Verdict { kKeep, kDrop };

  // Changes `event` in place. An error (kReject) makes the pipeline apply `on_reject` to this one event.
  virtual Result<Verdict> apply(Event& event, EventBatch& batch) const = 0;
};

}  // namespace tidemark
