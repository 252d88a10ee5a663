// What projections, $project, $addFields and $unset have in common: a tree over field names that says what
// becomes of each field. Private to projection.cc and the stages. Immutable once parsed.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bson/matcher.h"
#include "sandbox/store/expr_node.h"
#include "sandbox/store/update_tree.h"

namespace tidemark::sandbox {

enum class ProjectionKind { kInclusion, kExclusion, kAddFields };

class ProjectionTree {
 public:
  struct Slice {
    int64_t skip = 0;
    int64_t limit = 0;
    bool from_end = false;
  };
  struct Node {
    enum class Action { kChildren, kKeep, kDrop, kCompute, kSlice, kElemMatch, kPositional };
    Action action = Action::kChildren;
    std::vector<std::pair<std::string, std::unique_ptr<Node>>> children;
    ExpressionPtr expression;
    Slice slice;
    std::optional<bson::Matcher> elem_match;

    Node* child(std::string_view name) const;
    bool computes() const;  // here or below
  };

  // The projection of a find.
  static Reply<std::shared_ptr<const ProjectionTree>> parse_find(bson::View spec,
                                                                 const PipelineContext& context);
  // $project, $addFields.
  static Reply<std::shared_ptr<const ProjectionTree>> parse_stage(bson::View spec, ProjectionKind kind,
                                                                  const PipelineContext& context);

  Reply<bson::Document> apply(const bson::Document& document, const bson::Matcher* query) const;
  bool needs_query() const { return positional_; }

 private:
  friend class ProjectionParser;

  Reply<void> project(const Node& node, bson::View fields, std::optional<uint32_t> position,
                      bson::Builder& out) const;
  Reply<void> project_array(const Node& node, bson::View items, std::optional<uint32_t> position,
                            bson::Builder& out) const;
  Reply<void> compute(const Node& node, const Scope& scope, MutableNode& target) const;

  ProjectionKind kind_ = ProjectionKind::kInclusion;
  Node root_;
  bool positional_ = false;
  PipelineContext context_;
};

}  // namespace tidemark::sandbox
