// Filters as the server's commands take them: bson::Matcher with $expr, and errors as the server answers
// them. Pure functions.
#pragma once

#include "bson/matcher.h"
#include "sandbox/store/pipeline_context.h"

namespace tidemark::sandbox {

// $expr sees `context`; the result keeps its own copy of it.
Reply<bson::Matcher> parse_filter(bson::View filter, const PipelineContext& context = {});

}  // namespace tidemark::sandbox
