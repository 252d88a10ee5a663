// Positions in memory, as a component: for pipelines that are best effort by contract (a live feed). Nothing survives the
// process. Each store is over a shelf of its own.
#pragma once

#include "registry/declarations.h"

namespace tidemark {

const PositionComponent& memory_position_component();

}  // namespace tidemark
