// The rows of the sink `sqlite` as an audit reads them: from a connection of its own that can't write, in read transactions
// of a page each, so that a long audit neither blocks the pipeline's commits nor keeps the log of the database from being
// checkpointed. What stands in the file is the normal form: ids and documents are texts. Made by the composition root; one
// thread at a time.
#pragma once

#include <memory>

#include "base/result.h"
#include "config/settings.h"
#include "core/audit.h"
#include "core/component.h"

namespace tidemark::sqlite {

// `settings` are the sink's own. kConfig for mode "log", whose rows are events. A file that isn't there is kRetry when the
// end is opened: the pipeline creates it.
//
// Sums, counts and leaves are read in the order of the file, which for a large database is many times faster than by
// id; a row that is removed and written anew meanwhile may be seen twice there.
Result<std::unique_ptr<AuditEnd>> make_audit_end(const config::Settings& settings,
                                                 const ComponentContext& context);

}  // namespace tidemark::sqlite
