#include "sandbox/change_stream/spec.h"

#include <algorithm>
#include <array>

#include "sandbox/change_stream/text.h"
#include "sandbox/store/filter.h"
#include "sandbox/store/value.h"

namespace tidemark::sandbox {
namespace {

constexpr std::string_view kSplitStage = "$changeStreamSplitLargeEvent";

constexpr std::array<std::string_view, 8> kPermitted = {"$match", "$project",     "$addFields",   "$set",
                                                        "$unset", "$replaceRoot", "$replaceWith", "$redact"};

// Stages that servers know and that no change stream may have.
constexpr std::array<std::string_view, 35> kRefused = {"$bucket",
                                                       "$bucketAuto",
                                                       "$collStats",
                                                       "$count",
                                                       "$currentOp",
                                                       "$facet",
                                                       "$geoNear",
                                                       "$graphLookup",
                                                       "$group",
                                                       "$indexStats",
                                                       "$limit",
                                                       "$listLocalSessions",
                                                       "$listSessions",
                                                       "$lookup",
                                                       "$merge",
                                                       "$out",
                                                       "$planCacheStats",
                                                       "$sample",
                                                       "$skip",
                                                       "$sort",
                                                       "$sortByCount",
                                                       "$unionWith",
                                                       "$unwind",
                                                       "$setWindowFields",
                                                       "$densify",
                                                       "$fill",
                                                       "$documents",
                                                       "$search",
                                                       "$searchMeta",
                                                       "$vectorSearch",
                                                       "$listCatalog",
                                                       "$queryStats",
                                                       "$querySettings",
                                                       "$sharedDataDistribution",
                                                       "$listSampledQueries"};

template <class Names>
bool contains(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Reply<void> expect(const bson::Element& field, bson_type_t type) {
  if (field.type() == type) return {};
  return command_error(kTypeMismatch, "BSON field '$changeStream." + std::string(field.key()) +
                                          "' is the wrong type '" + std::string(type_name(field.type())) +
                                          "', expected type '" + std::string(type_name(type)) + "'");
}

tl::unexpected<CommandError> bad_enumerator(const bson::Element& field) {
  return command_error(kBadValue, "Enumeration value '" + std::string(field.string()) +
                                      "' for field '$changeStream." + std::string(field.key()) +
                                      "' is not a valid value.");
}

Reply<void> parse_full_document(const bson::Element& field, StreamSpec& spec) {
  SANDBOX_TRY(expect(field, BSON_TYPE_UTF8));
  const std::string_view value = field.string();
  if (value == "default") {
    spec.full_document = PostImage::kDefault;
  } else if (value == "updateLookup") {
    spec.full_document = PostImage::kUpdateLookup;
  } else if (spec.classic()) {
    return command_error(
        40575,
        "unrecognized value for the 'fullDocument' option to the $changeStream stage. Expected "
        "\"default\" or \"updateLookup\", got \"" +
            std::string(value) + "\"");
  } else if (value == "whenAvailable") {
    spec.full_document = PostImage::kWhenAvailable;
  } else if (value == "required") {
    spec.full_document = PostImage::kRequired;
  } else {
    return bad_enumerator(field);
  }
  return {};
}

Reply<void> parse_before_change(const bson::Element& field, StreamSpec& spec) {
  SANDBOX_TRY(expect(field, BSON_TYPE_UTF8));
  const std::string_view value = field.string();
  if (value == "off") {
    spec.full_document_before_change = PreImage::kOff;
  } else if (value == "whenAvailable") {
    spec.full_document_before_change = PreImage::kWhenAvailable;
  } else if (value == "required") {
    spec.full_document_before_change = PreImage::kRequired;
  } else {
    return bad_enumerator(field);
  }
  return {};
}

// The options that say where to start, as they came.
struct StartOptions {
  bson::View resume_after;
  bson::View start_after;
  bool all_changes_for_cluster = false;
};

Reply<StartOptions> parse_options(bson::View options, StreamSpec& spec) {
  StartOptions start;
  for (const bson::Element field : options) {
    const std::string_view name = field.key();
    const bool newer = name == "fullDocumentBeforeChange" || name == "showExpandedEvents";
    const bool known = name == "resumeAfter" || name == "startAfter" || name == "startAtOperationTime" ||
                       name == "fullDocument" || name == "allChangesForCluster" || (newer && !spec.classic());
    if (!known) {
      return command_error(40415,
                           "BSON field '$changeStream." + std::string(name) + "' is an unknown field.");
    }
    if (field.is_null()) continue;  // null is the same as absent
    if (name == "fullDocument") {
      SANDBOX_TRY(parse_full_document(field, spec));
    } else if (name == "fullDocumentBeforeChange") {
      SANDBOX_TRY(parse_before_change(field, spec));
    } else if (name == "startAtOperationTime") {
      SANDBOX_TRY(expect(field, BSON_TYPE_TIMESTAMP));
      bson::Timestamp time;
      bson_iter_timestamp(&field.iter(), &time.seconds, &time.increment);
      spec.start_at_operation_time = time;
    } else if (name == "allChangesForCluster" || name == "showExpandedEvents") {
      SANDBOX_TRY(expect(field, BSON_TYPE_BOOL));
      (name == "showExpandedEvents" ? spec.show_expanded_events : start.all_changes_for_cluster) =
          field.truthy();
    } else {
      SANDBOX_TRY(expect(field, BSON_TYPE_DOCUMENT));
      (name == "resumeAfter" ? start.resume_after : start.start_after) = field.document();
    }
  }
  return start;
}

Reply<void> check_place(const StartOptions& start, const PipelineContext& context) {
  const std::string ns =
      context.db + "." + (context.collection.empty() ? "$cmd.aggregate" : context.collection);
  const bool admin = context.db == "admin";
  if (start.all_changes_for_cluster && (!admin || !context.collection.empty())) {
    return command_error(kInvalidOptions,
                         "A $changeStream with 'allChangesForCluster:true' may only be opened on the 'admin' "
                         "database, and with no collection name; found " +
                             ns);
  }
  const bool internal =
      admin ? !start.all_changes_for_cluster : context.db == "local" || context.db == "config";
  if (internal) {
    return command_error(kInvalidNamespace,
                         "$changeStream may not be opened on the internal " + context.db + " database");
  }
  if (context.collection.starts_with("system.")) {
    return command_error(kInvalidNamespace,
                         "$changeStream may not be opened on the internal " + ns + " collection");
  }
  return {};
}

Reply<void> resolve_start(const StartOptions& start, StreamSpec& spec) {
  const bool classic = spec.classic();
  if (start.resume_after && start.start_after) {
    return command_error(50865,
                         "Do not specify both 'resumeAfter' and 'startAfter' in a $changeStream stage");
  }
  const bson::View token = start.resume_after ? start.resume_after : start.start_after;
  if (!token) return {};
  SANDBOX_ASSIGN(spec.resume_token, parse_token(token, spec.version));
  bson::Builder kept;
  kept.append("_data", *token.find("_data"));
  if (const auto bits = token.find("_typeBits")) kept.append("_typeBits", *bits);
  spec.resume_token_document = kept.finish();
  if (spec.start_at_operation_time) {
    return command_error(40674, classic
                                    ? "Only one type of resume option is allowed, but multiple were found."
                                    : "Only one type of resume option is allowed, but multiple were found");
  }
  if (start.resume_after && spec.resume_token->from_invalidate) {
    return command_error(
        kInvalidResumeToken,
        std::string("Attempting to resume a change stream using 'resumeAfter' is not allowed from "
                    "an invalidate notification") +
            (classic ? "." : ""));
  }
  if (spec.scope == StreamScope::kCollection && !spec.resume_token->high_water_mark &&
      !spec.resume_token->uuid) {
    return command_error(
        kInvalidResumeToken,
        "Attempted to resume a single-collection stream, but the resume token does not include a "
        "UUID");
  }
  return {};
}

Reply<std::vector<bson::Element>> split_stages(bson::View pipeline) {
  std::vector<bson::Element> stages;
  for (const bson::Element item : pipeline) {
    if (!item.is_document()) {
      return command_error(kTypeMismatch, "Each element of the 'pipeline' array must be an object");
    }
    const bson::View stage = item.document();
    auto first = stage.begin();
    if (!(first != stage.end())) {
      return command_error(40323, "A pipeline stage specification object must contain exactly one field.");
    }
    stages.push_back(*first);
    if (++first != stage.end()) {
      return command_error(40323, "A pipeline stage specification object must contain exactly one field.");
    }
  }
  return stages;
}

// Names first: an unknown stage is reported even where an option of $changeStream is wrong too.
Reply<void> check_known(const std::vector<bson::Element>& stages, const StreamSpec& spec) {
  for (const bson::Element& stage : stages) {
    const std::string_view name = stage.key();
    const bool newer = name == kSplitStage;
    if (contains(kPermitted, name) || contains(kRefused, name) || name == "$changeStream") continue;
    if (newer && !spec.classic()) continue;
    return command_error(40324, "Unrecognized pipeline stage name: '" + std::string(name) + "'");
  }
  return {};
}

Reply<void> parse_stages(const std::vector<bson::Element>& stages, const PipelineContext& context,
                         StreamSpec& spec) {
  bson::Builder rest;
  uint32_t rest_count = 0;
  for (size_t i = 1; i < stages.size(); ++i) {
    const bson::Element& stage = stages[i];
    const std::string name(stage.key());
    if (name == "$changeStream") {
      return command_error(40602, "$changeStream is only valid as the first stage in a pipeline.");
    }
    if (name == kSplitStage) {
      if (!stage.is_document() || !stage.document().empty()) {
        return command_error(7182800, name + " spec should be an empty object");
      }
      if (i + 1 != stages.size())
        return command_error(7182802, name + " must be the last stage in the pipeline");
      spec.split_large_events = true;
    } else if (name == "$match" && rest_count == 0) {
      if (!stage.is_document()) {
        return command_error(15959, "the match filter must be an expression in an object");
      }
      SANDBOX_ASSIGN(auto matcher, parse_filter(stage.document(), context));
      spec.matchers.push_back(std::move(matcher));
    } else if (contains(kPermitted, name)) {
      bson::Builder one;
      one.append(name, stage);
      rest.append(std::to_string(rest_count++), one.view());
    } else {
      return command_error(kIllegalOperation, name + " is not permitted in a $changeStream pipeline");
    }
  }
  if (rest_count > 0) {
    SANDBOX_ASSIGN(spec.pipeline, Pipeline::parse(rest.view(), context));
  }
  return {};
}

}  // namespace

bool is_change_stream(bson::View pipeline) {
  const auto first = pipeline.begin();
  if (!(first != pipeline.end()) || !(*first).is_document()) return false;
  const bson::View stage = (*first).document();
  const auto field = stage.begin();
  return field != stage.end() && (*field).key() == "$changeStream";
}

Reply<StreamSpec> parse_stream(bson::View pipeline, const PipelineContext& context) {
  StreamSpec spec;
  spec.version = context.version;
  spec.db = context.db;
  spec.coll = context.collection;
  spec.scope = context.db == "admin"        ? StreamScope::kDeployment
               : context.collection.empty() ? StreamScope::kDatabase
                                            : StreamScope::kCollection;
  SANDBOX_ASSIGN(const std::vector<bson::Element> stages, split_stages(pipeline));
  SANDBOX_TRY(check_known(stages, spec));
  if (!stages.front().is_document()) {
    return command_error(50808, "$changeStream stage expects a document as argument");
  }
  SANDBOX_ASSIGN(const StartOptions start, parse_options(stages.front().document(), spec));
  SANDBOX_TRY(check_place(start, context));
  SANDBOX_TRY(resolve_start(start, spec));
  SANDBOX_TRY(parse_stages(stages, context, spec));
  return spec;
}

Reply<void> check_stream_read_concern(bson::View read_concern, ServerVersion version) {
  const auto level = read_concern.find("level");
  if (!level || !level->is_string() || level->string() == "majority") return {};
  bson::Builder shown;
  shown.concat(read_concern);
  if (version.major >= 7) shown.append("provenance", "clientSupplied");
  return command_error(
      kInvalidOptions,
      "$changeStream cannot run with a readConcern other than 'majority', or in a multi-document "
      "transaction. Current readConcern: { readConcern: " +
          bson_text(shown.view()) + " }");
}

}  // namespace tidemark::sandbox
