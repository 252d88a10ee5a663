// A JSON object as BSON, by the door's own rules (number.h): nothing in it becomes another value, or it isn't read. For text
// that is no CloudEvent. Pure; any thread.
#pragma once

#include <string_view>

#include "base/result.h"
#include "bson/document.h"

namespace tidemark::cloudevents {

// kReject, with the place, for anything but one object: other JSON, a name twice, a number that no type holds.
Result<bson::Document> read_plain_object(std::string_view json);

}  // namespace tidemark::cloudevents
