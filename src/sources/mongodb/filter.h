// The operator's filter: parsed and linted before any connection is made, and rewritten so that it can't hide
// the end of the stream. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bson/document.h"
#include "bson/matcher.h"

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

// The filter's conditions, so that they can be asked here too; empty where it has other stages than $match, or operators that
// only a server evaluates.
std::optional<std::vector<bson::Matcher>> matchers_of(const Filter& filter);
// What of it is about namespace and operation alone, and must hold whatever the rest says: a collection whose inserts fail
// these passes none of its documents.
std::vector<bson::Matcher> name_conditions(const Filter& filter);
// The stages as they are sent by a source that must see every rename. REQUIRES matchers_of(filter): what they refuse is then
// left out on this side.
bson::Document stages_with_renames(const Filter& filter);

}  // namespace tidemark::mongodb
