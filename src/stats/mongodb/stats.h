// The stats probe `mongodb`: how many documents a collection holds, by severity and by category, and the cluster time at
// which that was so. Made by the composition root; one thread at a time.
//
// One aggregate answers everything, so that the figures belong together. On 5.0 and later it reads a snapshot, and `at` is
// exactly the snapshot's time: every document inserted up to `at` is counted, none after it. Older servers have
// no such reads outside of transactions; there it reads what the majority has, and `at` is the reply's operationTime, which
// may lie a little after the counts (they may lack documents that were inserted while the server counted, and have none
// too many).
#pragma once

#include <memory>

#include "base/result.h"
#include "config/field_spec.h"
#include "config/settings.h"
#include "core/component.h"
#include "core/stats_probe.h"

namespace tidemark {

config::ComponentSpec mongodb_stats_spec();

// Checks the URI; connects to nothing.
Result<std::unique_ptr<StatsProbe>> make_mongodb_stats(const config::Settings& settings,
                                                       const ComponentContext& context);

}  // namespace tidemark
