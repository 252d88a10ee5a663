// /metrics: the figures of this process's pipelines, and the server's own, in Prometheus' text format. Built from
// scratch at each scrape, so that nothing is counted in two places. Any thread.
#pragma once

#include <string>
#include <vector>

#include "http/counters.h"
#include "http/views.h"

namespace tidemark::http {

std::string render_metrics(const Identity& identity, const std::vector<PipelineView>& pipelines,
                           const StatsView& stats, const guard::GuardView& guard, const Counters& counters);

}  // namespace tidemark::http
