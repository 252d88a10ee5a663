// Seeds that once found a fault of the program, run before all others. A seed names its schedule as long as the simulator draws
// the same numbers in the same order; the fault itself has a test of its own beside the code.
#pragma once

#include <array>
#include <cstdint>

namespace tidemark::sim {

inline constexpr std::array<uint64_t, 4> kRegressions{
    8,       // a read was scheduled in the very step that ended the pipeline in front of a rejected event
    243,     // the end of a batch whose rejected tail was durable first was never saved
    4608,    // what was written before a rejected event was forgotten when that came back during the drain
    436332,  // an older mark was committed after the position of a transaction whose every event was rejected
};

}  // namespace tidemark::sim
