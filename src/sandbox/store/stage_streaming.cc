// $match, $project, $addFields, $set, $unset, $replaceRoot, $replaceWith, $redact.
#include "sandbox/store/expression.h"
#include "sandbox/store/filter.h"
#include "sandbox/store/projection_tree.h"
#include "sandbox/store/shell_text.h"
#include "sandbox/store/stage.h"

namespace tidemark::sandbox {
namespace {

using MaybeDocument = std::optional<bson::Document>;

class MatchStage final : public StreamingStage {
 public:
  explicit MatchStage(bson::Matcher matcher) : matcher_(std::move(matcher)) {}
  Reply<MaybeDocument> apply_one(const bson::Document& document) const override {
    bson::MatchDetails details;
    const bool matches = matcher_.matches(document, &details);
    if (details.error) return command_error(*details.error);
    return matches ? MaybeDocument(document) : MaybeDocument();
  }

 private:
  bson::Matcher matcher_;
};

class ProjectStage final : public StreamingStage {
 public:
  explicit ProjectStage(std::shared_ptr<const ProjectionTree> tree) : tree_(std::move(tree)) {}
  Reply<MaybeDocument> apply_one(const bson::Document& document) const override {
    SANDBOX_ASSIGN(bson::Document result, tree_->apply(document, nullptr));
    return MaybeDocument(std::move(result));
  }

 private:
  std::shared_ptr<const ProjectionTree> tree_;
};

class ReplaceRootStage final : public StreamingStage {
 public:
  explicit ReplaceRootStage(Expression expression) : expression_(std::move(expression)) {}
  Reply<MaybeDocument> apply_one(const bson::Document& document) const override {
    SANDBOX_ASSIGN(const Value root, expression_.evaluate(document));
    if (!root.is_document())
      return command_error(
          40228, "'newRoot' expression must evaluate to an object, but resulting value was: " +
                     (root.missing() ? "MISSING" : shell_text(root)) + ". Type of resulting value: '" +
                     std::string(type_name(root)) + "'.");
    return MaybeDocument(bson::Document(root.view()));
  }

 private:
  Expression expression_;
};

class RedactStage final : public StreamingStage {
 public:
  explicit RedactStage(Expression expression) : expression_(std::move(expression)) {}
  Reply<MaybeDocument> apply_one(const bson::Document& document) const override {
    SANDBOX_ASSIGN(const Value verdict, expression_.evaluate(document));
    const std::string_view word = verdict.is_string() ? verdict.string() : std::string_view();
    if (word == "keep") return MaybeDocument(document);
    if (word == "prune") return MaybeDocument();
    if (word != "descend")
      return command_error(17053,
                           "$redact's expression should not return anything aside from the variables $$KEEP, "
                           "$$DESCEND, and $$PRUNE, but returned " +
                               shell_text(verdict));
    bson::Builder builder;
    for (const bson::Element field : document.view()) SANDBOX_TRY(descend(field, field.key(), builder));
    return MaybeDocument(builder.finish());
  }

 private:
  Reply<void> descend(const bson::Element& value, std::string_view key, bson::Builder& out) const {
    if (value.is_document()) {
      SANDBOX_ASSIGN(const MaybeDocument inner, apply_one(bson::Document(value.document())));
      if (inner) out.append(key, inner->view());
      return {};
    }
    if (!value.is_array()) {
      out.append(key, value);
      return {};
    }
    bson::Builder items;
    uint32_t index = 0;
    for (const bson::Element item : value.document()) {
      const size_t before = items.view().size();
      SANDBOX_TRY(descend(item, std::to_string(index), items));
      if (items.view().size() != before) ++index;
    }
    out.append_array(key, items.view());
    return {};
  }

  Expression expression_;
};

Reply<StagePtr> parse_match(const bson::Element& argument, const PipelineContext& context) {
  if (!argument.is_document())
    return command_error(15959, "the match filter must be an expression in an object");
  SANDBOX_ASSIGN(bson::Matcher matcher, parse_filter(argument.document(), context));
  return std::make_shared<const MatchStage>(std::move(matcher));
}

Reply<StagePtr> parse_project(const bson::Element& argument, const PipelineContext& context) {
  if (!argument.is_document()) return command_error(15969, "$project specification must be an object");
  SANDBOX_ASSIGN(auto tree,
                 ProjectionTree::parse_stage(argument.document(), ProjectionKind::kInclusion, context));
  return std::make_shared<const ProjectStage>(std::move(tree));
}

Reply<StagePtr> parse_add_fields(const bson::Element& argument, const PipelineContext& context) {
  if (!argument.is_document())
    return command_error(40272, std::string(argument.key()) + " specification stage must be an object, got " +
                                    std::string(type_name(argument.type())));
  SANDBOX_ASSIGN(auto tree,
                 ProjectionTree::parse_stage(argument.document(), ProjectionKind::kAddFields, context));
  return std::make_shared<const ProjectStage>(std::move(tree));
}

Reply<StagePtr> parse_unset(const bson::Element& argument, const PipelineContext& context) {
  bson::Builder spec;
  if (argument.is_string()) {
    spec.append(argument.string(), false);
  } else if (argument.is_array()) {
    for (const bson::Element item : argument.document()) {
      if (!item.is_string())
        return command_error(
            31120, "$unset specification must be a string or an array containing only string values");
      spec.append(item.string(), false);
    }
    if (spec.view().empty())
      return command_error(31119,
                           "$unset specification must be a string or an array with at least one field");
  } else {
    return command_error(31002, "$unset specification must be a string or an array");
  }
  SANDBOX_ASSIGN(auto tree, ProjectionTree::parse_stage(spec.view(), ProjectionKind::kExclusion, context));
  return std::make_shared<const ProjectStage>(std::move(tree));
}

Reply<StagePtr> parse_replace_root(const bson::Element& argument, const PipelineContext& context) {
  if (!argument.is_document())
    return command_error(40229, "expected an object as specification for $replaceRoot stage, got " +
                                    std::string(type_name(argument.type())));
  const auto root = argument.document().find("newRoot");
  for (const bson::Element item : argument.document()) {
    if (item.key() != "newRoot")
      return command_error(40415,
                           "BSON field '$replaceRoot." + std::string(item.key()) + "' is an unknown field.");
  }
  if (!root) return command_error(40414, "BSON field '$replaceRoot.newRoot' is missing but a required field");
  SANDBOX_ASSIGN(Expression expression, Expression::parse(*root, context));
  return std::make_shared<const ReplaceRootStage>(std::move(expression));
}

Reply<StagePtr> parse_replace_with(const bson::Element& argument, const PipelineContext& context) {
  SANDBOX_ASSIGN(Expression expression, Expression::parse(argument, context));
  return std::make_shared<const ReplaceRootStage>(std::move(expression));
}

Reply<StagePtr> parse_redact(const bson::Element& argument, const PipelineContext& context) {
  SANDBOX_ASSIGN(Expression expression, Expression::parse(argument, context));
  return std::make_shared<const RedactStage>(std::move(expression));
}

}  // namespace

void add_streaming_stages(StageTable& table) {
  table["$match"] = parse_match;
  table["$project"] = parse_project;
  table["$addFields"] = parse_add_fields;
  table["$set"] = parse_add_fields;
  table["$unset"] = parse_unset;
  table["$replaceRoot"] = parse_replace_root;
  table["$replaceWith"] = parse_replace_with;
  table["$redact"] = parse_redact;
}

}  // namespace tidemark::sandbox
