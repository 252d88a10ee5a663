// The sink `rabbitmq`: every event becomes one persistent message, published with `mandatory` and counted as delivered when
// the broker has confirmed it. At least once; one connection a lane. Made by the composition root; each instance is used
// by one thread.
#pragma once

#include <memory>

#include "base/result.h"
#include "config/field_spec.h"
#include "config/settings.h"
#include "core/component.h"
#include "core/sink.h"

namespace tidemark {

config::ComponentSpec rabbitmq_sink_spec();

Result<std::unique_ptr<Sink>> make_rabbitmq_sink(const config::Settings& settings,
                                                 const ComponentContext& context);

}  // namespace tidemark
