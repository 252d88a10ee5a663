// What the source `mongodb` watches, read as documents for an audit: on a connection of its own, from the primary, as a
// majority has it. Made by the composition root; one thread at a time.
#pragma once

#include <memory>

#include "base/result.h"
#include "config/settings.h"
#include "core/audit.h"
#include "core/component.h"

namespace tidemark::mongodb {

// `settings` are the source's own. kConfig when they are wrong, and when `filter` does more than choose collections: what
// the destination must hold then depends on the history of changes, which no document tells. A filter that lets every
// insert, update, replace and delete of a collection through, or none, is taken, and so are stages that only remove fields
// of an event that no row is made of.
Result<std::unique_ptr<AuditSource>> make_audit_source(const config::Settings& settings,
                                                       const ComponentContext& context);

}  // namespace tidemark::mongodb
