// The operator's filter: parsed and linted before any connection is made, and rewritten so that it can't hide
// the end of the stream. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "bson/document.h"

namespace tidemark::mongodb {

struct Filter {
  // The stages as the operator wrote them, as a BSON array: what the fingerprint covers. Never "no document".
  bson::Document written;
  // The stages as they are sent.
  bson::Document stages;
};

// Reads a JSON array of aggregation stages; empty text is no stage. An error's `what` says what is wrong with
// which stage, its `hint` what to do instead; the caller adds the place.
//
// A stream ends with an `invalidate` event that has no `ns`, so that a $match on anything else drops it: the
// cursor then closes without a word, and reopening at the last event closes it again, for ever. So every
// $match and $redact is widened to let `invalidate` through.
Result<Filter> parse_filter(std::string_view json);

}  // namespace tidemark::mongodb
