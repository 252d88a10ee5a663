// The sink `sqlite`: change events become rows of an SQLite database. Two forms over the same tables:
// transactional, where rows and position commit together (effectively once), and one Sink a lane with the
// position in a store beside it. Made by the composition root; each instance is used by one thread.
#pragma once

#include <memory>

#include "base/result.h"
#include "config/field_spec.h"
#include "config/settings.h"
#include "core/component.h"
#include "core/position_store.h"
#include "core/sink.h"

namespace tidemark {

config::ComponentSpec sqlite_sink_spec();

Result<std::unique_ptr<TransactionalSink>> make_sqlite_transactional(const config::Settings& settings,
                                                                     const ComponentContext& context);
// For lanes > 1: one Sink a lane, and the position in the same database.
Result<std::unique_ptr<Sink>> make_sqlite_sink(const config::Settings& settings,
                                               const ComponentContext& context);
Result<std::unique_ptr<PositionStore>> make_sqlite_position_store(const config::Settings& settings,
                                                                  const ComponentContext& context);

// Whether `table` gives each collection, each database, a table of its own. In mode "current" a source that
// watches more than one collection needs the first, one that watches more than one database both.
bool sqlite_table_is_per_collection(const config::Settings& settings);
bool sqlite_table_is_per_database(const config::Settings& settings);

}  // namespace tidemark
