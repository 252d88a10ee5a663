// The documents that the sink `mongodb` keeps, as an audit reads them: on a connection of its own, from the primary, as a
// majority has them. The normal form is canonical Extended JSON: `_id` first, then the other fields in the order in which
// they are stored, without the guard field. Made by the composition root; one thread at a time.
#pragma once

#include <memory>

#include "base/result.h"
#include "config/settings.h"
#include "core/audit.h"
#include "core/component.h"

namespace tidemark::mongodb_sink {

// `settings` are the sink's own. kConfig for mode "insert", whose documents have no fixed relation to those of a source.
Result<std::unique_ptr<AuditEnd>> make_audit_end(const config::Settings& settings,
                                                 const ComponentContext& context);

}  // namespace tidemark::mongodb_sink
