// Names that lead astray though each part of a pipeline is right alone: two collections into one table, events into the
// program's own collections, renames that a filter hides. `check` refuses what these find, `run` warns and goes on: the
// sink keeps them apart event by event. Pure; any thread.
#pragma once

#include <string>
#include <vector>

#include "config/parser.h"
#include "runtime/components.h"

namespace tidemark {

// kConfig that names the field, the two that collide, and a pattern that keeps them apart.
Status check_names(const config::PipelineConfig& pipeline, const Components& components);

// What is allowed, and should be known.
std::vector<std::string> name_warnings(const config::PipelineConfig& pipeline, const Components& components);

}  // namespace tidemark
