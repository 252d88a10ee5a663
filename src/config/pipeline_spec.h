// The fields of a pipeline that belong to no component, and of the file as a whole.
#pragma once

#include "config/field_spec.h"

namespace tidemark::config {

// `[[pipeline]]` itself: name, lanes, limits, patience. kind "pipeline", no type.
const ComponentSpec& pipeline_spec();

// `[log]`. kind "log", no type.
const ComponentSpec& log_spec();

}  // namespace tidemark::config
