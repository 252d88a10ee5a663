// Positions in memory: for tests, and for pipelines that are best effort by contract (a live feed). Nothing
// survives the process.
//
// A PositionShelf is the storage, any number of stores may stand over one; thread-safe. A store is used by
// one thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/mutex.h"
#include "core/position_store.h"
#include "env/clock.h"

namespace tidemark {

class PositionShelf {
 public:
  struct Slot {
    std::optional<StoredPosition> stored;
    uint64_t epoch = 0;  // of the last owner
    bool owned = false;  // the owner of that epoch lives
  };

  Mutex mutex;
  std::map<std::string, Slot> slots GUARDED_BY(mutex);  // by pipeline
};

std::unique_ptr<PositionStore> make_memory_store(std::shared_ptr<PositionShelf> shelf, std::string pipeline,
                                                 Clock& clock);

}  // namespace tidemark
