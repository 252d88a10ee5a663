// The position of one pipeline in a file of its own.
//
// The file is replaced whole (temporary file, sync, rename, sync of the folder), so a crash leaves the old
// position or the new one. Two things keep two processes apart: a lock on PATH.lock, which ends with its
// process however that ends, and an epoch inside the file, raised by every owner, for the case that somebody
// removed the lock file. Used by one thread.
#pragma once

#include <memory>

#include "config/field_spec.h"
#include "config/settings.h"
#include "core/component.h"
#include "core/position_store.h"

namespace tidemark {

const config::ComponentSpec& file_position_spec();

Result<std::unique_ptr<PositionStore>> make_file_position(const config::Settings& settings,
                                                          const ComponentContext& context);

}  // namespace tidemark
