// The position of a pipeline in a MongoDB collection, with a lease that keeps a second instance out.
//
// Every write waits for the majority, so that no election takes it back. What the lease promises, and how long
// the next instance waits after a crash: mongo/position_store.h. Used by one thread at a time.
#pragma once

#include "registry/declarations.h"

namespace tidemark {

const PositionComponent& mongodb_position_component();

}  // namespace tidemark
