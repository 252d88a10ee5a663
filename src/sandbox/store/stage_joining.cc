// Stages that read something besides their input: $lookup, $unionWith, $facet, $collStats.
#include <algorithm>
#include <set>
#include <unordered_map>

#include "bson/compare.h"
#include "sandbox/store/expression.h"
#include "sandbox/store/path_values.h"
#include "sandbox/store/pipeline.h"
#include "sandbox/store/stage.h"

namespace tidemark::sandbox {
namespace {

Documents read(const PipelineContext& context, std::string_view collection) {
  return context.read_collection ? context.read_collection(context.db, collection) : Documents();
}

bson::Document with_array(const bson::Document& document, std::string_view name, const Documents& items) {
  bson::Builder array;
  for (size_t i = 0; i < items.size(); ++i) array.append(std::to_string(i), items[i].view());
  bson::Builder builder;
  for (const bson::Element field : document.view()) {
    if (field.key() != name) builder.append(field.key(), field);
  }
  builder.append_array(name, array.view());
  return builder.finish();
}

class LookupStage final : public Stage {
 public:
  PipelineContext context;
  std::string from, local, foreign, as;
  std::vector<std::pair<std::string, Expression>> let;
  bson::Document pipeline;  // an array's bytes; absent without one

  Reply<Documents> run(Documents input) const override {
    const Documents others = read(context, from);
    const Index index = foreign.empty() ? Index() : index_of(others);
    Documents output;
    for (const bson::Document& document : input) {
      Documents found = foreign.empty() ? others : equal_to(document, others, index);
      if (pipeline) {
        SANDBOX_ASSIGN(found, inner(document, std::move(found)));
      }
      output.push_back(with_array(document, as, found));
    }
    return output;
  }

 private:
  using Index = std::unordered_map<std::string, std::vector<size_t>>;

  // The keys under which a field joins: each item of an array besides the whole; missing joins as null.
  static std::vector<std::string> keys_of(bson::View document, std::string_view path) {
    std::vector<std::string> keys;
    for (const bool expand : {true, false}) {
      visit_path(document, path, expand, [&](const bson::Element* value) {
        std::string key;
        if (value != nullptr)
          bson::canonical_key(*value, key);
        else
          bson::canonical_key_of_null(key);
        if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(std::move(key));
      });
    }
    return keys;
  }

  Index index_of(const Documents& others) const {
    Index index;
    for (size_t i = 0; i < others.size(); ++i) {
      for (std::string& key : keys_of(others[i].view(), foreign)) index[std::move(key)].push_back(i);
    }
    return index;
  }

  Documents equal_to(const bson::Document& document, const Documents& others, const Index& index) const {
    std::set<size_t> positions;
    for (const std::string& key : keys_of(document.view(), local)) {
      const auto found = index.find(key);
      if (found != index.end()) positions.insert(found->second.begin(), found->second.end());
    }
    Documents result;
    for (const size_t position : positions) result.push_back(others[position]);
    return result;
  }

  // The stage's variables are constants of the inner pipeline, which is therefore parsed for each document.
  Reply<Documents> inner(const bson::Document& document, Documents found) const {
    PipelineContext inner_context = context;
    bson::Builder variables;
    variables.concat(context.let.view());
    for (const auto& [name, expression] : let) {
      SANDBOX_ASSIGN(const Value value, expression.evaluate(document));
      (value.missing() ? Value::null() : value).append_to(variables, name);
    }
    inner_context.let = variables.finish();
    inner_context.collection = from;
    SANDBOX_ASSIGN(const Pipeline parsed, Pipeline::parse(pipeline.view(), inner_context));
    return parsed.run(std::move(found));
  }
};

class UnionStage final : public Stage {
 public:
  PipelineContext context;
  std::string collection;
  Pipeline pipeline;

  Reply<Documents> run(Documents input) const override {
    SANDBOX_ASSIGN(const Documents others, pipeline.run(read(context, collection)));
    input.insert(input.end(), others.begin(), others.end());
    return input;
  }
};

class FacetStage final : public Stage {
 public:
  std::vector<std::pair<std::string, Pipeline>> facets;

  Reply<Documents> run(Documents input) const override {
    bson::Document result(bson::Builder().view());
    for (const auto& [name, pipeline] : facets) {
      SANDBOX_ASSIGN(const Documents found, pipeline.run(input));
      result = with_array(result, name, found);
    }
    return Documents{result};
  }
};

class CollStatsStage final : public Stage {
 public:
  PipelineContext context;
  bool count = false;
  bool storage = false;

  Reply<Documents> run(Documents) const override {
    if (!context.collection_stats) return command_error(kNotImplemented, "$collStats is not available here");
    const bson::Document stats = context.collection_stats(context.db, context.collection);
    bson::Builder builder;
    builder.append("ns", context.db + "." + context.collection).append_date("localTime", context.now_ms);
    if (storage) builder.append("storageStats", stats.view());
    if (count) {
      if (const auto number = stats.view().find("count")) builder.append("count", *number);
    }
    return Documents{builder.finish()};
  }
};

Reply<std::string> text_of(const bson::Element& item, std::string_view stage) {
  if (!item.is_string())
    return command_error(kFailedToParse, std::string(stage) + " argument '" + std::string(item.key()) +
                                             "' must be a string, is type " +
                                             std::string(type_name(item.type())));
  return std::string(item.string());
}

Reply<StagePtr> parse_lookup(const bson::Element& argument, const PipelineContext& context) {
  if (!argument.is_document())
    return command_error(kFailedToParse, "the $lookup stage specification must be an object, but found " +
                                             std::string(type_name(argument.type())));
  auto stage = std::make_shared<LookupStage>();
  stage->context = context;
  std::vector<std::string> variables;
  bool has_let = false;
  for (const bson::Element item : argument.document()) {
    const std::string_view name = item.key();
    if (name == "pipeline") {
      if (!item.is_array())
        return command_error(kTypeMismatch, "'pipeline' option must be specified as an array");
      stage->pipeline = bson::Document(item.document());
    } else if (name == "let") {
      if (!item.is_document())
        return command_error(kFailedToParse, "$lookup argument 'let' must be an object");
      has_let = true;
      for (const bson::Element variable : item.document()) {
        SANDBOX_ASSIGN(Expression expression, Expression::parse(variable, context));
        stage->let.emplace_back(std::string(variable.key()), std::move(expression));
      }
    } else if (name == "from" || name == "as" || name == "localField" || name == "foreignField") {
      auto& slot = name == "from"         ? stage->from
                   : name == "as"         ? stage->as
                   : name == "localField" ? stage->local
                                          : stage->foreign;
      if (name == "from" && item.is_document())
        return command_error(kNotImplemented,
                             "$lookup from another database is not implemented by the sandbox");
      SANDBOX_ASSIGN(slot, text_of(item, "$lookup"));
    } else {
      return command_error(kFailedToParse, "unknown argument to $lookup: " + std::string(name));
    }
  }
  if (stage->from.empty()) return command_error(kFailedToParse, "must specify 'from' field for a $lookup");
  if (stage->as.empty()) return command_error(kFailedToParse, "must specify 'as' field for a $lookup");
  if (stage->as.find('.') != std::string::npos)
    return command_error(kNotImplemented, "a dotted 'as' of $lookup is not implemented by the sandbox");
  if (stage->local.empty() != stage->foreign.empty())
    return command_error(
        kFailedToParse,
        "$lookup requires both or neither of 'localField' and 'foreignField' to be specified");
  if (stage->local.empty() && !stage->pipeline)
    return command_error(
        kFailedToParse,
        "$lookup requires either 'pipeline' or both 'localField' and 'foreignField' to be specified");
  if (has_let && !stage->pipeline)
    return command_error(kFailedToParse, "$lookup with a 'let' argument must also specify 'pipeline'");
  if (stage->pipeline) {  // mistakes show before the first document, or without one
    PipelineContext inner = context;
    bson::Builder names;
    names.concat(context.let.view());
    for (const auto& [name, unused] : stage->let) names.append_null(name);
    inner.let = names.finish();
    SANDBOX_TRY(Pipeline::parse(stage->pipeline.view(), inner));
  }
  return stage;
}

Reply<StagePtr> parse_union_with(const bson::Element& argument, const PipelineContext& context) {
  auto stage = std::make_shared<UnionStage>();
  stage->context = context;
  if (argument.is_string()) {
    stage->collection = argument.string();
    return stage;
  }
  if (!argument.is_document())
    return command_error(kFailedToParse,
                         "the $unionWith stage specification must be an object or string, but found " +
                             std::string(type_name(argument.type())));
  for (const bson::Element item : argument.document()) {
    if (item.key() == "coll") {
      SANDBOX_ASSIGN(stage->collection, text_of(item, "$unionWith"));
    } else if (item.key() == "pipeline" && item.is_array()) {
      PipelineContext inner = context;
      SANDBOX_ASSIGN(stage->pipeline, Pipeline::parse(item.document(), inner));
    } else {
      return command_error(40415,
                           "BSON field '$unionWith." + std::string(item.key()) + "' is an unknown field.");
    }
  }
  if (stage->collection.empty())
    return command_error(40414, "BSON field '$unionWith.coll' is missing but a required field");
  return stage;
}

Reply<StagePtr> parse_facet(const bson::Element& argument, const PipelineContext& context) {
  if (!argument.is_document() || argument.document().empty())
    return command_error(40169, "the $facet specification must be a non-empty object");
  auto stage = std::make_shared<FacetStage>();
  for (const bson::Element item : argument.document()) {
    const std::string name(item.key());
    if (!item.is_array())
      return command_error(40170, "arguments to $facet must be arrays, " + name + " is type " +
                                      std::string(type_name(item.type())));
    SANDBOX_ASSIGN(Pipeline pipeline, Pipeline::parse(item.document(), context));
    for (const std::string& stage_name : pipeline.stage_names()) {
      if (stage_name == "$facet" || stage_name == "$collStats")
        return command_error(40600, stage_name + " is not allowed to be used within a $facet stage");
    }
    stage->facets.emplace_back(name, std::move(pipeline));
  }
  return stage;
}

Reply<StagePtr> parse_coll_stats(const bson::Element& argument, const PipelineContext& context) {
  if (!argument.is_document())
    return command_error(
        40166, "$collStats must take a nested object but found: " + std::string(type_name(argument.type())));
  auto stage = std::make_shared<CollStatsStage>();
  stage->context = context;
  for (const bson::Element item : argument.document()) {
    if (item.key() == "count")
      stage->count = true;
    else if (item.key() == "storageStats")
      stage->storage = true;
    else if (item.key() == "latencyStats" || item.key() == "queryExecStats")
      return command_error(kNotImplemented,
                           std::string(item.key()) + " of $collStats is not implemented by the sandbox");
    else
      return command_error(40415,
                           "BSON field '$collStats." + std::string(item.key()) + "' is an unknown field.");
  }
  return stage;
}

}  // namespace

void add_joining_stages(StageTable& table) {
  table["$lookup"] = parse_lookup;
  table["$unionWith"] = parse_union_with;
  table["$facet"] = parse_facet;
  table["$collStats"] = parse_coll_stats;
}

}  // namespace tidemark::sandbox
