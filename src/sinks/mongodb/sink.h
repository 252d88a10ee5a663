// The ways to make the sink `mongodb`, for component.cc of this folder. Each instance is used by one thread.
#pragma once

#include <memory>

#include "base/result.h"
#include "config/settings.h"
#include "core/component.h"
#include "core/position_store.h"
#include "core/sink.h"

namespace tidemark::mongodb_sink {

Result<std::unique_ptr<TransactionalSink>> make_transactional(const config::Settings& settings,
                                                              const ComponentContext& context);
// For lanes > 1, and for sources that keep their own positions.
Result<std::unique_ptr<Sink>> make_sink(const config::Settings& settings, const ComponentContext& context);
// The positions of the transactional form, for lanes > 1.
Result<std::unique_ptr<PositionStore>> make_positions(const config::Settings& settings,
                                                      const ComponentContext& context);

}  // namespace tidemark::mongodb_sink
