// One stage of a pipeline. Private to pipeline.cc and the stage_*.cc files. Immutable once parsed.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "sandbox/store/pipeline_context.h"

namespace tidemark::sandbox {

using Documents = std::vector<bson::Document>;

class Stage {
 public:
  virtual ~Stage() = default;
  virtual Reply<Documents> run(Documents input) const = 0;
  // Whether one document can go through alone.
  virtual bool is_streaming() const { return false; }
  // REQUIRES is_streaming(). Empty: the document is dropped.
  virtual Reply<std::optional<bson::Document>> apply_one(const bson::Document& document) const;
};

// A stage that looks at one document at a time.
class StreamingStage : public Stage {
 public:
  Reply<Documents> run(Documents input) const override;
  bool is_streaming() const override { return true; }
};

using StagePtr = std::shared_ptr<const Stage>;
using StageParser = Reply<StagePtr> (*)(const bson::Element& argument, const PipelineContext& context);
using StageTable = std::map<std::string_view, StageParser>;

void add_streaming_stages(StageTable& table);
void add_ordering_stages(StageTable& table);  // $sort, $limit, $skip, $count, $sample, $unwind
void add_grouping_stages(StageTable& table);  // $group, $sortByCount, $bucket, $bucketAuto
void add_joining_stages(StageTable& table);   // $lookup, $unionWith, $facet, $collStats

}  // namespace tidemark::sandbox
