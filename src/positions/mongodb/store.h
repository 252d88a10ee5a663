// The position of a pipeline in a MongoDB collection, with a lease that keeps a second instance out.
//
// Every write waits for the majority, so that no election takes it back. The lease is renewed by each save,
// and a pipeline saves at least every ten seconds while its high-water mark moves, which it does even on an
// idle deployment; so that lease_ttl must be longer than that. An owner that saves nothing for longer,
// because its sink is down, say, may lose the lease to another instance, and is then refused by its epoch.
// Used by one thread at a time.
#pragma once

#include <memory>

#include "config/field_spec.h"
#include "config/settings.h"
#include "core/component.h"
#include "core/position_store.h"

namespace tidemark {

const config::ComponentSpec& mongodb_position_spec();

// Checks the URI; connects to nothing.
Result<std::unique_ptr<PositionStore>> make_mongodb_position(const config::Settings& settings,
                                                             const ComponentContext& context);

}  // namespace tidemark
