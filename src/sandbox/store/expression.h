// Aggregation expressions: parsed once, evaluated against documents. What is not implemented is refused when
// parsed, with the server's code.
//
// An Expression is immutable and cheap to copy; any thread may evaluate it.
#pragma once

#include <memory>

#include "sandbox/store/pipeline_context.h"
#include "sandbox/store/value.h"

namespace tidemark::sandbox {

class ExpressionNode;

class Expression {
 public:
  // An expression that is missing for every document.
  Expression() = default;
  // Variables are those of the language and of `context.let`.
  static Reply<Expression> parse(const bson::Element& spec, const PipelineContext& context);
  static Expression constant(Value value);

  // $$ROOT and $$CURRENT are `root`.
  Reply<Value> evaluate(const bson::Document& root) const;

 private:
  std::shared_ptr<const ExpressionNode> node_;
  PipelineContext context_;
};

}  // namespace tidemark::sandbox
