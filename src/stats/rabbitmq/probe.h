// The stats probe `rabbitmq`: how many messages wait in a queue. Made by the composition root; one thread at a time, with a
// connection of its own that is opened again after a failure.
#pragma once

#include <memory>

#include "base/result.h"
#include "config/field_spec.h"
#include "config/settings.h"
#include "core/component.h"
#include "core/stats_probe.h"

namespace tidemark {

config::ComponentSpec rabbitmq_stats_spec();

Result<std::unique_ptr<StatsProbe>> make_rabbitmq_stats(const config::Settings& settings,
                                                        const ComponentContext& context);

}  // namespace tidemark
