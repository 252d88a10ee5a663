// The sink `postgres`: change events become rows of a PostgreSQL database. Two forms over the same tables:
// transactional, where rows and position commit together (effectively once), and one Sink a lane with the
// position in a store beside it. Made by the composition root; each instance is used by one thread.
#pragma once

#include "registry/declarations.h"

namespace tidemark {

const SinkComponent& postgres_sink_component();

}  // namespace tidemark
