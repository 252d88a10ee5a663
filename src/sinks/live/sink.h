// The sink `live`: renders events once as JSON into a ring that the live page's readers follow. Best effort by contract:
// nothing is kept beyond the ring, and nothing waits for a reader.
//
// Made by the composition root; the sink is used by its lane's thread, the feed that it offers on the plugboard by the
// server's, and outlives it.
#pragma once

#include <memory>

#include "config/field_spec.h"
#include "config/settings.h"
#include "core/component.h"
#include "core/sink.h"

namespace tidemark {

const config::ComponentSpec& live_sink_spec();

// Offers a Feed of the pipeline's name on the context's plugboard, if there is one.
Result<std::unique_ptr<Sink>> make_live_sink(const config::Settings& settings,
                                             const ComponentContext& context);

}  // namespace tidemark
