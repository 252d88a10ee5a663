// The sink `null`: counts events and keeps none, for benchmarks of everything before it.
#pragma once

#include "registry/declarations.h"

namespace tidemark {

const SinkComponent& null_sink_component();

}  // namespace tidemark
