// The sink `mongodb`: events become documents of a MongoDB deployment, written to the majority. Two forms over the same
// collections: transactional, where documents and position commit together where the deployment has transactions, and one
// Sink a lane with the position in a store beside it. Made by the composition root; each instance is used by one thread.
//
// Both forms are safe to replay without transactions too: mode "insert" knows a repeated event by `_id` or by the
// unique key, mode "current" guards every document with the token it was last written by. So where a batch doesn't fit a
// transaction (a rename of a whole collection, a document that a unique index knows already, a deployment without
// transactions), the transactional form writes the documents first and the position after them.
#pragma once

#include "registry/declarations.h"

namespace tidemark {

const SinkComponent& mongodb_sink_component();

}  // namespace tidemark
