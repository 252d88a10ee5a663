// The projection of a find: fields kept or left out, $slice, $elemMatch, the positional `$`, and expressions.
// Immutable once parsed; any thread may use one.
#pragma once

#include <memory>

#include "bson/matcher.h"
#include "sandbox/store/pipeline_context.h"

namespace tidemark::sandbox {

class ProjectionTree;

class Projection {
 public:
  static Reply<Projection> parse(bson::View spec, const PipelineContext& context = {});

  // `query` is the find's filter, needed only where the projection has a positional `$`.
  Reply<bson::Document> apply(bson::View document, const bson::Matcher* query = nullptr) const;
  bool needs_query() const;

 private:
  std::shared_ptr<const ProjectionTree> tree_;
};

}  // namespace tidemark::sandbox
