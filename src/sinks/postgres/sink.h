// The ways to make the sink `postgres`, for component.cc of this folder. Each instance is used by one thread.
#pragma once

#include <memory>

#include "base/result.h"
#include "config/settings.h"
#include "core/component.h"
#include "core/position_store.h"
#include "core/sink.h"
#include "sinks/sql/settings.h"

namespace tidemark::postgres {

// How PostgreSQL reads the names of tables.
inline constexpr sql::Naming kNaming = {TablePattern::Schema::kAllowed};

Result<std::unique_ptr<TransactionalSink>> make_transactional(const config::Settings& settings,
                                                              const ComponentContext& context);
// For lanes > 1: one Sink a lane, and the position in the same database.
Result<std::unique_ptr<Sink>> make_sink(const config::Settings& settings, const ComponentContext& context);
Result<std::unique_ptr<PositionStore>> make_positions(const config::Settings& settings,
                                                      const ComponentContext& context);

}  // namespace tidemark::postgres
