// The last result of each audit, kept as a small file in the guard's state folder, so that a restart knows how old it is. Pure
// convenience: what can't be read counts as absent. Any thread; one at a time for one audit.
#pragma once

#include <optional>
#include <string>

#include "env/file_system.h"
#include "guard/report.h"

namespace tidemark::app {

// Empty without a `state` folder, too.
std::optional<guard::AuditView> last_audit(FileSystem& files, const std::string& state,
                                           const std::string& pipeline, const std::string& kind);
// Without a `state` folder nothing happens.
Status keep_audit(FileSystem& files, const std::string& state, const guard::AuditView& view);

// Makes the folder when it isn't there; "" needs none. kConfig when it can't be made.
Status make_state_folder(const std::string& state);

}  // namespace tidemark::app
