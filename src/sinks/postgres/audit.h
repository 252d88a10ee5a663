// The rows of the sink `postgres` as an audit reads them: on a session of its own that can't write, single statements, no
// transaction that lasts. Sums, counts and leaves are made by the server. Made by the composition root; one thread at a time.
//
// The normal form of a document is what the server prints for its jsonb value. jsonb doesn't keep the order of fields, nor a
// field that stands twice: documents that differ in that alone are equal here.
#pragma once

#include <memory>

#include "base/result.h"
#include "config/settings.h"
#include "core/audit.h"
#include "core/component.h"

namespace tidemark::postgres {

// `settings` are the sink's own. kConfig for mode "log", whose rows are events. A statement may take an hour, or longer
// where `statement_timeout` says so: one reads a whole table. A stop cancels it.
Result<std::unique_ptr<AuditEnd>> make_audit_end(const config::Settings& settings,
                                                 const ComponentContext& context);

}  // namespace tidemark::postgres
