// The stats probe `mongodb`: how many documents a collection holds, by severity and by category, and the cluster time at
// which that was so. Made by the composition root; one thread at a time.
//
// One aggregate answers everything, so that the figures belong together. On 5.0 and later it reads a snapshot, and `at` is
// exactly the snapshot's time: every document inserted up to `at` is counted, none after it. Older servers have
// no such reads outside of transactions; there it reads what the majority has, and `at` is the reply's operationTime, which
// may lie a little after the counts (they may lack documents that were inserted while the server counted, and have none
// too many).
#pragma once

#include "registry/declarations.h"

namespace tidemark {

const StatsComponent& mongodb_stats_component();

}  // namespace tidemark
