// The position of a pipeline in a MongoDB collection, with a lease that keeps a second instance out.
//
// Every write waits for the majority, so that no election takes it back. What the lease promises, and how long
// the next instance waits after a crash: mongo/position_store.h. Used by one thread at a time.
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
