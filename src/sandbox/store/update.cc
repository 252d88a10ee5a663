#include "sandbox/store/update.h"

#include <algorithm>
#include <cstring>

#include "bson/compare.h"
#include "sandbox/store/pipeline.h"
#include "sandbox/store/shell_text.h"
#include "sandbox/store/storable.h"
#include "sandbox/store/update_tree.h"

namespace tidemark::sandbox {

class UpdateProgram {
 public:
  enum class Kind { kModifiers, kReplacement, kPipeline };

  Kind kind = Kind::kReplacement;
  PipelineContext context;
  ModifierUpdate modifiers;
  bson::Document replacement;
  Pipeline pipeline;

  // Until 5.0 an update stores no field whose name begins with "$" but those of a DBRef; an insert may.
  bool checks_names() const { return context.version < ServerVersion{5, 0}; }
};

namespace {

constexpr size_t kDocumentBytesMax = 16 * 1024 * 1024;

// `document` with its _id in front: its own, which must compare equal to that of `before` (a 1 may become a 1.0), or else
// that of `before`.
Reply<bson::Document> with_id_of(bson::View before, bson::View document) {
  const auto old_id = before.find("_id");
  const auto new_id = document.find("_id");
  if (old_id && new_id && bson::compare(*old_id, *new_id) != 0)
    return command_error(
        kImmutableField,
        "After applying the update, the (immutable) field '_id' was found to have been altered to _id: " +
            shell_text(*new_id));
  bson::Builder builder;
  if (old_id || new_id) builder.append("_id", new_id ? *new_id : *old_id);
  for (const bson::Element field : document) {
    if (field.key() != "_id") builder.append(field.key(), field);
  }
  if (builder.view().size() > kDocumentBytesMax)
    return command_error(
        17419, "Resulting document after update is larger than " + std::to_string(kDocumentBytesMax));
  return builder.finish();
}

// A top-level Timestamp(0, 0) of a replacement means "now"; that of an _id stays.
bson::Document with_times(const bson::Document& replacement, const PipelineContext& context) {
  bson::Timestamp time = context.cluster_time;
  return with_timestamps(replacement, [&time] {
    time.increment++;
    return time;
  });
}

Reply<UpdateResult> replace(const UpdateProgram& program, bson::View before) {
  UpdateResult result;
  SANDBOX_ASSIGN(result.after, with_id_of(before, program.replacement));
  if (program.checks_names()) SANDBOX_TRY(check_storable(result.after));
  result.changed = !(result.after.view() == before);
  result.is_replacement = true;
  return result;
}

Reply<UpdateResult> run_pipeline(const UpdateProgram& program, bson::View before) {
  SANDBOX_ASSIGN(const auto output, program.pipeline.apply_one(bson::Document(before)));
  UpdateResult result;
  if (!output) return command_error(kInternalError, "an update pipeline has dropped the document");
  // A pipeline that drops _id keeps it, one that changes it fails.
  SANDBOX_ASSIGN(result.after, with_id_of(before, *output));
  result.changed = !(result.after.view() == before);
  if (!result.changed) return result;
  if (program.checks_names()) SANDBOX_TRY(check_storable(result.after));
  if (program.context.version >= ServerVersion{5, 0}) {
    if (const auto delta = document_delta(before, result.after, kDeltaOverheadBytes)) {
      result.description = delta->describe();
      return result;
    }
  }
  result.is_replacement = true;
  return result;
}

Reply<void> check_update_pipeline(const Pipeline& pipeline) {
  static constexpr std::string_view kAllowed[] = {"$addFields", "$set",         "$project",
                                                  "$unset",     "$replaceRoot", "$replaceWith"};
  for (const std::string& name : pipeline.stage_names()) {
    if (std::find(std::begin(kAllowed), std::end(kAllowed), name) == std::end(kAllowed))
      return command_error(kInvalidOptions, name + " is not allowed to be used within an update");
  }
  return {};
}

// Collects what a query says that fields are equal to.
class EqualityFinder {
 public:
  explicit EqualityFinder(bool only_id) : only_id_(only_id) {}

  Reply<void> visit(bson::View query) {
    for (const bson::Element element : query) {
      const std::string_view name = element.key();
      if (name == "$and" || (name == "$or" && element.is_array() && count(element) == 1)) {
        if (!element.is_array()) continue;
        for (const bson::Element item : element.document()) {
          if (item.is_document()) SANDBOX_TRY(visit(item.document()));
        }
        continue;
      }
      if (name.starts_with("$")) continue;
      SANDBOX_TRY(field(name, element));
    }
    return {};
  }

  Reply<bson::Document> document() && {
    MutableNode root = MutableNode::new_document("");
    for (const auto& [path, value] : found_) SANDBOX_TRY(place(root, path, value));
    return root.freeze_document();
  }

 private:
  static size_t count(const bson::Element& array) {
    size_t n = 0;
    for ([[maybe_unused]] const bson::Element item : array.document()) ++n;
    return n;
  }

  static bool is_operators(const bson::Element& value) {
    return value.is_document() && !value.document().empty() &&
           (*value.document().begin()).key().starts_with("$") &&
           !(*value.document().begin()).key().starts_with("$ref") &&
           (*value.document().begin()).key() != "$id";
  }

  Reply<void> field(std::string_view path, const bson::Element& condition) {
    if (condition.type() == BSON_TYPE_REGEX) return {};
    if (!is_operators(condition)) return add(path, condition);
    for (const bson::Element item : condition.document()) {
      if (item.key() == "$eq" && item.type() != BSON_TYPE_REGEX) SANDBOX_TRY(add(path, item));
      const bool list = (item.key() == "$in" || item.key() == "$all") && item.is_array();
      if (list && count(item) == 1) {
        const bson::Element only = *item.document().begin();
        if (only.type() != BSON_TYPE_REGEX && !is_operators(only)) SANDBOX_TRY(add(path, only));
      }
    }
    return {};
  }

  Reply<void> add(std::string_view path, const bson::Element& value) {
    if (only_id_ && path != "_id") return {};
    for (const auto& [other, unused] : found_) {
      const bool nested =
          path == other || path.starts_with(other + ".") || other.starts_with(std::string(path) + ".");
      if (nested)
        return command_error(
            54, "cannot infer query fields to set, path '" + std::string(path) + "' is matched twice");
    }
    found_.emplace_back(std::string(path), Value(value));
    return {};
  }

  static Reply<void> place(MutableNode& root, std::string_view path, const Value& value) {
    MutableNode* node = &root;
    std::string_view rest = path;
    while (rest.find('.') != rest.npos) {
      const std::string name(rest.substr(0, rest.find('.')));
      rest.remove_prefix(name.size() + 1);
      MutableNode* child = node->child(name);
      if (child == nullptr) {
        node->children().push_back(MutableNode::new_document(name));
        child = &node->children().back();
      }
      node = child;
    }
    node->children().emplace_back(std::string(rest), value);
    return {};
  }

  bool only_id_;
  std::vector<std::pair<std::string, Value>> found_;
};

}  // namespace

Reply<Update> Update::parse(const bson::Element& u, bson::View array_filters,
                            const PipelineContext& context) {
  auto program = std::make_shared<UpdateProgram>();
  program->context = context;
  if (u.is_array()) {
    if (array_filters && !array_filters.empty())
      return command_error(kFailedToParse, "arrayFilters may not be specified for pipeline-syle updates");
    program->kind = UpdateProgram::Kind::kPipeline;
    SANDBOX_ASSIGN(program->pipeline, Pipeline::parse(u.document(), context));
    SANDBOX_TRY(check_update_pipeline(program->pipeline));
  } else if (!u.is_document()) {
    return command_error(kFailedToParse, "Update argument must be either an object or an array");
  } else if (!u.document().empty() && (*u.document().begin()).key().starts_with("$")) {
    program->kind = UpdateProgram::Kind::kModifiers;
    SANDBOX_ASSIGN(program->modifiers, parse_modifiers(u.document(), array_filters, context));
  } else {
    if (array_filters && !array_filters.empty())
      return command_error(kFailedToParse, "arrayFilters may not be specified for replacement-style updates");
    for (const bson::Element field : u.document()) {
      if (field.key().starts_with("$"))
        return command_error(
            kDollarPrefixedFieldName,
            "The dollar ($) prefixed field '" + std::string(field.key()) + "' in '" +
                std::string(field.key()) +
                "' is not allowed in the context of an update's replacement document. Consider using "
                "an aggregation pipeline with $replaceWith.");
    }
    program->replacement = with_times(bson::Document(u.document()), context);
  }
  Update update;
  update.program_ = std::move(program);
  return update;
}

Reply<UpdateResult> Update::apply(bson::View before, bool is_insert_of_upsert,
                                  const bson::Matcher* query) const {
  switch (program_->kind) {
    case UpdateProgram::Kind::kReplacement:
      return replace(*program_, before);
    case UpdateProgram::Kind::kPipeline:
      return run_pipeline(*program_, before);
    case UpdateProgram::Kind::kModifiers:
      break;
  }
  UpdateEnv env;
  env.context = &program_->context;
  env.is_insert = is_insert_of_upsert;
  env.deltas = program_->context.version >= ServerVersion{5, 0};
  if (query != nullptr && !is_insert_of_upsert && program_->modifiers.positional) {
    bson::MatchDetails details;
    query->matches(before, &details);
    env.positional = details.array_index;
  }
  SANDBOX_ASSIGN(UpdateResult result, apply_modifiers(program_->modifiers, before, std::move(env)));
  // What the modifiers wrote is checked, not what they left alone; on a document that is being made, that is all of it.
  const auto written = result.description ? result.description.view().find("updatedFields") : std::nullopt;
  if (program_->checks_names() && result.changed) {
    if (is_insert_of_upsert)
      SANDBOX_TRY(check_storable(result.after));
    else if (written && written->is_document())
      SANDBOX_TRY(check_storable_values(written->document()));
  }
  return result;
}

bool Update::is_replacement() const { return program_->kind == UpdateProgram::Kind::kReplacement; }
bool Update::is_pipeline() const { return program_->kind == UpdateProgram::Kind::kPipeline; }

Reply<bson::Document> Update::upsert_base(bson::View query) const {
  EqualityFinder finder(is_replacement());
  SANDBOX_TRY(finder.visit(query));
  return std::move(finder).document();
}

}  // namespace tidemark::sandbox
