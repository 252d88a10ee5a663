// An aggregation pipeline: parsed once, run over documents. Everything happens in memory, on the caller's
// thread. Immutable once parsed; any thread may run one.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sandbox/store/pipeline_context.h"

namespace tidemark::sandbox {

class Stage;

class Pipeline {
 public:
  // `stages` is the array. $out, $merge and what the sandbox doesn't have are refused with the server's
  // codes; $changeStream too: whoever opens a change stream takes that stage off first.
  static Reply<Pipeline> parse(bson::View stages, const PipelineContext& context);

  Reply<std::vector<bson::Document>> run(std::vector<bson::Document> input) const;
  // One document through stages that look at one document at a time ($match, $project, $addFields, $set,
  // $unset, $replaceRoot, $replaceWith, $redact); empty when a stage drops it. REQUIRES is_streaming().
  Reply<std::optional<bson::Document>> apply_one(const bson::Document& document) const;

  bool is_streaming() const;
  // "$match", "$group", in order.
  std::span<const std::string> stage_names() const { return names_; }
  bool empty() const { return names_.empty(); }
  // The filter of a leading $match, so that a collection can use an index for it; no document when there is
  // none.
  bson::View leading_match() const { return leading_match_; }

 private:
  std::vector<std::shared_ptr<const Stage>> stages_;
  std::vector<std::string> names_;
  bson::Document leading_match_;
};

}  // namespace tidemark::sandbox
