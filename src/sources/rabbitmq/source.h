// The source `rabbitmq`: a consumer of one queue whose position is its acknowledgement. At least once: what isn't
// acknowledged when a connection ends, the broker delivers again, so the pipeline's receiver must be idempotent.
// sources/rabbitmq/queue_source.h is the implementation.
#pragma once

#include <memory>

#include "base/result.h"
#include "config/field_spec.h"
#include "config/settings.h"
#include "core/component.h"
#include "core/source.h"

namespace tidemark {

config::ComponentSpec rabbitmq_source_spec();

// Checks the settings; connects to nothing.
Result<std::unique_ptr<Source>> make_rabbitmq_source(const config::Settings& settings,
                                                     const ComponentContext& context);

}  // namespace tidemark
