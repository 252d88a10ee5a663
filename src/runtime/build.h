// Turns a parsed pipeline into its parts, and checks what no component can see alone: whether source, sink
// and position fit together. Called by the commands, on their thread.
#pragma once

#include <vector>

#include "config/parser.h"
#include "registry/components.h"
#include "runtime/runner.h"

namespace tidemark {

// Every spec of `components`, for the parser and for the generated reference.
std::vector<const config::ComponentSpec*> all_specs(const Components& components);

// Makes every component; connects to nothing. Errors are kConfig.
Result<PipelineParts> build_pipeline(const config::PipelineConfig& pipeline, const Components& components,
                                     const ComponentContext& context);

}  // namespace tidemark
