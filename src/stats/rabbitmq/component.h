// The stats probe `rabbitmq`: how many messages wait in a queue. Made by the composition root; one thread at a time, with a
// connection of its own that is opened again after a failure.
#pragma once

#include "registry/declarations.h"

namespace tidemark {

const StatsComponent& rabbitmq_stats_component();

}  // namespace tidemark
