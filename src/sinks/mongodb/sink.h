// The sink `mongodb`: events become documents of a MongoDB deployment, written to the majority. Two forms over the same
// collections: transactional, where documents and position commit together where the deployment has transactions, and one
// Sink a lane with the position in a store beside it. Made by the composition root; each instance is used by one thread.
//
// Both forms are safe to replay without transactions too: mode "insert" knows a repeated event by `_id` or by the
// unique key, mode "current" guards every document with the token it was last written by. So where a batch doesn't fit a
// transaction (a rename of a whole collection, a document that a unique index knows already, a deployment without
// transactions), the transactional form writes the documents first and the position after them.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/result.h"
#include "config/field_spec.h"
#include "config/settings.h"
#include "core/component.h"
#include "core/position_store.h"
#include "core/row_plan.h"
#include "core/sink.h"

namespace tidemark {

config::ComponentSpec mongodb_sink_spec();

Result<std::unique_ptr<TransactionalSink>> make_mongodb_transactional(const config::Settings& settings,
                                                                      const ComponentContext& context);
// For lanes > 1, and for sources that keep their own positions.
Result<std::unique_ptr<Sink>> make_mongodb_sink(const config::Settings& settings,
                                                const ComponentContext& context);
// The positions of the transactional form, for lanes > 1.
Result<std::unique_ptr<PositionStore>> make_mongodb_sink_positions(const config::Settings& settings,
                                                                   const ComponentContext& context);

// Whether `collection` gives each collection, `database` each database, one of its own. In mode "current" a source that
// watches more than one needs that.
bool mongodb_sink_is_per_collection(const config::Settings& settings);
bool mongodb_sink_is_per_database(const config::Settings& settings);
// Where events are written; empty where the settings don't say.
std::optional<TablePattern> mongodb_sink_target(const config::Settings& settings);
// The collections in which the pipeline keeps its position.
std::vector<TableName> mongodb_sink_own_names(const config::Settings& settings);
// Mode "current": every update must come with its document.
bool mongodb_sink_needs_full_documents(const config::Settings& settings);

}  // namespace tidemark
