// Schedules that have once made a relay fail, as tidemark-chaos printed them after it had made them as small as it could. They
// run first, always. A line goes in here by hand, with a word about what it found.
#pragma once

namespace tidemark::chaos {

inline constexpr const char* kRegressions[] = {
    // A file that began with an event of a transaction (txnNumber comes before _id) was not taken for the sink's own.
    "seed 16; writes 160; relays file; 77 crash-relay 0 31",
    // A file that may not grow (EFBIG) ended the relay, as no other full disk does.
    "seed 122; writes 116; relays file,sqlite-log-lanes; 27 cut-sink 0 66; 40 cut-sink 0 36",
};

}  // namespace tidemark::chaos
