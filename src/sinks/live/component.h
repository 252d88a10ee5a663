// The sink `live`: renders events once as JSON into a ring that the live page's readers follow. Best effort by contract:
// nothing is kept beyond the ring, and nothing waits for a reader.
//
// Made by the composition root; the sink is used by its lane's thread, the feed that it offers on the plugboard by the
// server's, and outlives it.
#pragma once

#include "registry/declarations.h"

namespace tidemark {

// Offers a Feed of the pipeline's name on the context's plugboard, if there is one.
const SinkComponent& live_sink_component();

}  // namespace tidemark
