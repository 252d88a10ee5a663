// For positions that live in memory alone: where a pipeline that is best effort by contract begins when its process
// does. The operator's word for it stands in the file (`[pipeline.position] type = "memory"`); a store that outlives the
// process never begins anywhere by itself.
#pragma once

#include <memory>

#include "core/position_store.h"
#include "core/source.h"

namespace tidemark {

// A store over `inner` that gives the present position of `source`, which outlives it, where `inner` has none. Used by one
// thread at a time, like every store.
std::unique_ptr<PositionStore> start_at_now(std::unique_ptr<PositionStore> inner, Source& source);

}  // namespace tidemark
