#include "sandbox/store/pipeline.h"

#include <algorithm>
#include <set>

#include "sandbox/store/stage.h"

namespace tidemark::sandbox {
namespace {

constexpr size_t kStagesMax = 1000;

const StageTable& stage_table() {
  static const StageTable table = [] {
    StageTable t;
    add_streaming_stages(t);
    add_ordering_stages(t);
    add_grouping_stages(t);
    add_joining_stages(t);
    return t;
  }();
  return table;
}

// Stages of the server that the sandbox refuses as not implemented, rather than as unknown.
bool exists_in_server(std::string_view name) {
  static const std::set<std::string_view> kNames{"$changeStreamSplitLargeEvent",
                                                 "$currentOp",
                                                 "$densify",
                                                 "$documents",
                                                 "$fill",
                                                 "$geoNear",
                                                 "$graphLookup",
                                                 "$indexStats",
                                                 "$listLocalSessions",
                                                 "$listSampledQueries",
                                                 "$listSearchIndexes",
                                                 "$listSessions",
                                                 "$merge",
                                                 "$out",
                                                 "$planCacheStats",
                                                 "$search",
                                                 "$searchMeta",
                                                 "$setWindowFields",
                                                 "$shardedDataDistribution",
                                                 "$vectorSearch"};
  return kNames.contains(name);
}

}  // namespace

Reply<std::optional<bson::Document>> Stage::apply_one(const bson::Document&) const {
  return command_error(kInternalError, "a stage that needs all documents was asked about one");
}

Reply<Documents> StreamingStage::run(Documents input) const {
  Documents output;
  output.reserve(input.size());
  for (const bson::Document& document : input) {
    SANDBOX_ASSIGN(auto result, apply_one(document));
    if (result) output.push_back(*std::move(result));
  }
  return output;
}

Reply<Pipeline> Pipeline::parse(bson::View stages, const PipelineContext& context) {
  Pipeline pipeline;
  for (const bson::Element item : stages) {
    if (!item.is_document())
      return command_error(kTypeMismatch, "Each element of the 'pipeline' array must be an object");
    const bson::View spec = item.document();
    auto second = spec.begin();
    if (!spec.empty()) ++second;
    if (spec.empty() || second != spec.end())
      return command_error(40323, "A pipeline stage specification object must contain exactly one field.");
    const bson::Element stage = *spec.begin();
    const std::string name(stage.key());
    if (name == "$changeStream")
      return command_error(40602, "$changeStream is only valid as the first stage in a pipeline.");
    const auto parser = stage_table().find(name);
    if (parser == stage_table().end()) {
      if (exists_in_server(name))
        return command_error(kNotImplemented, name + " is not implemented by the sandbox");
      return command_error(40324, "Unrecognized pipeline stage name: '" + name + "'");
    }
    if (name == "$collStats" && !pipeline.stages_.empty())
      return command_error(40602, "$collStats is only valid as the first stage in a pipeline.");
    SANDBOX_ASSIGN(StagePtr parsed, parser->second(stage, context));
    if (name == "$match" && pipeline.stages_.empty())
      pipeline.leading_match_ = bson::Document(stage.document());
    pipeline.stages_.push_back(std::move(parsed));
    pipeline.names_.push_back(name);
    if (pipeline.stages_.size() > kStagesMax)
      return command_error(
          kFailedToParse, "Pipeline length must be no longer than " + std::to_string(kStagesMax) + " stages");
  }
  return pipeline;
}

Reply<std::vector<bson::Document>> Pipeline::run(std::vector<bson::Document> input) const {
  for (const auto& stage : stages_) {
    SANDBOX_ASSIGN(input, stage->run(std::move(input)));
  }
  return input;
}

Reply<std::optional<bson::Document>> Pipeline::apply_one(const bson::Document& document) const {
  std::optional<bson::Document> current = document;
  for (const auto& stage : stages_) {
    SANDBOX_ASSIGN(current, stage->apply_one(*current));
    if (!current) break;
  }
  return current;
}

bool Pipeline::is_streaming() const {
  return std::all_of(stages_.begin(), stages_.end(), [](const auto& stage) { return stage->is_streaming(); });
}

}  // namespace tidemark::sandbox
