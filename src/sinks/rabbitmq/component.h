// The sink `rabbitmq`: every event becomes one persistent message, published with `mandatory` and counted as delivered when
// the broker has confirmed it. At least once; one connection a lane. Made by the composition root; each instance is used
// by one thread.
#pragma once

#include "registry/declarations.h"

namespace tidemark {

const SinkComponent& rabbitmq_sink_component();

}  // namespace tidemark
