// The source `rabbitmq`: a consumer of one queue whose position is its acknowledgement. At least once: what isn't
// acknowledged when a connection ends, the broker delivers again, so the pipeline's receiver must be idempotent.
// sources/rabbitmq/queue_source.h is the implementation.
#pragma once

#include "registry/declarations.h"

namespace tidemark {

const SourceComponent& rabbitmq_source_component();

}  // namespace tidemark
