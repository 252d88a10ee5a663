// $out and $merge: the stages with which an aggregation writes. Their writes are ordinary ones, which change streams show:
// $out fills a temporary collection (`tmp.agg_out.<uuid>`) and renames it onto its target, $merge updates document by
// document.
#pragma once

#include "sandbox/server/command.h"

namespace tidemark::sandbox {

struct SplitPipeline {
  bson::Document reading;                // the array without the writing stage
  std::optional<bson::Element> writing;  // borrowed from the pipeline that was split
};

// 40601 when a writing stage isn't the last one.
Reply<SplitPipeline> split_writing_stage(bson::View pipeline);
// REQUIRES a stage that split_writing_stage found. Sets inv.written.
Reply<void> run_writing_stage(Invocation& inv, const bson::Element& stage,
                              const std::vector<bson::Document>& documents);

}  // namespace tidemark::sandbox
