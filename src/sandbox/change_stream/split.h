// Events beyond what one reply can hold, cut into fragments as $changeStreamSplitLargeEvent does it. Pure
// functions.
#pragma once

#include <cstdint>
#include <vector>

#include "sandbox/change_stream/token.h"

namespace tidemark::sandbox {

struct Fragment {
  bson::Document event;
  bson::Document token;
};

// Whole fields, the smallest first, are dealt out over as few fragments as that allows; each has its own
// token and splitEvent {fragment, of}. Fails with 7182500 when a single field is too large, as a server does.
// REQUIRES an event whose first field is `token`'s document, and size_max far above a token.
Reply<std::vector<Fragment>> split_event(bson::View event, TokenData token, size_t size_max);

}  // namespace tidemark::sandbox
