#include "sandbox/store/projection.h"

#include "sandbox/store/projection_tree.h"

namespace tidemark::sandbox {

Reply<Projection> Projection::parse(bson::View spec, const PipelineContext& context) {
  Projection projection;
  if (!spec || spec.empty()) return projection;  // everything
  SANDBOX_ASSIGN(projection.tree_, ProjectionTree::parse_find(spec, context));
  return projection;
}

Reply<bson::Document> Projection::apply(bson::View document, const bson::Matcher* query) const {
  const bson::Document owned(document);
  return tree_ ? tree_->apply(owned, query) : owned;
}

bool Projection::needs_query() const { return tree_ && tree_->needs_query(); }

}  // namespace tidemark::sandbox
