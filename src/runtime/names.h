// Names that lead astray though each part of a pipeline is right alone: two collections into one table, events into the
// program's own collections, renames that a filter hides. `check` refuses what these find. `run` warns and goes on where
// the sink keeps them apart event by event. Pure; any thread.
#pragma once

#include <string>
#include <vector>

#include "config/parser.h"
#include "registry/components.h"

namespace tidemark {

// kConfig that names the field, the two that collide, and a pattern that keeps them apart.
Status check_names(const config::PipelineConfig& pipeline, const Components& components);

// The same for those that nothing keeps apart at run time: a pipeline must not start with them.
Status check_names_to_run(const config::PipelineConfig& pipeline, const Components& components);

// What `other` (or the pipeline itself) keeps in the place that the pipeline's sink writes to: positions, owners, letters. No
// event of the pipeline may write there.
std::vector<std::string> reserved_names(const config::PipelineConfig& pipeline,
                                        const config::PipelineConfig& other, const Components& components);

// What is allowed, and should be known.
std::vector<std::string> name_warnings(const config::PipelineConfig& pipeline, const Components& components);

}  // namespace tidemark
