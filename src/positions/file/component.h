// The position of one pipeline in a file of its own.
//
// The file is replaced whole (temporary file, sync, rename, sync of the folder), so a crash leaves the old
// position or the new one. Two things keep two processes apart: a lock on PATH.lock, which ends with its
// process however that ends, and an epoch inside the file, raised by every owner, for the case that somebody
// removed the lock file. Used by one thread.
#pragma once

#include "registry/declarations.h"

namespace tidemark {

const PositionComponent& file_position_component();

}  // namespace tidemark
