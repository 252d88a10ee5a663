// Makes a failing schedule smaller while it still fails: fewer faults, fewer relays, fewer writes. Pure but for what `fails`
// does; one thread.
#pragma once

#include <functional>

#include "chaos/schedule.h"

namespace tidemark::chaos {

// `fails` runs a schedule, more than once where chance has a part in it. It is asked at most `runs_max` times. The result
// is the smallest schedule that was seen to fail, `schedule` itself at worst.
Schedule minimise(const Schedule& schedule, const std::function<bool(const Schedule&)>& fails, int runs_max);

// `schedule` without relay `index` and what was meant for it. REQUIRES more than one relay.
Schedule without_relay(const Schedule& schedule, size_t index);

}  // namespace tidemark::chaos
