// Applying an oplog entry to a catalog: what a secondary does with each entry it copies, and what the commit of a
// transaction does with its operations. Pure but for the catalog; the caller holds the catalog's lock.
#pragma once

#include "sandbox/replication/oplog.h"
#include "sandbox/store/catalog.h"

namespace tidemark::sandbox {

// An error means that this catalog isn't a copy of the one the entry was made on: copy all data anew.
Reply<void> apply(const OplogEntry& entry, Catalog& catalog);

// A collection's options after a collMod: `changes` replace the options of the same name.
bson::Document merge_options(bson::View options, bson::View changes);

}  // namespace tidemark::sandbox
