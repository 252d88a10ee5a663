// MongoDB's query language: a filter document, compiled once, that says of any document whether it matches.
//
// Used by the `filter` transform and by the sandbox. It follows the server in array traversal, in what null
// and missing mean, and in type bracketing; what it doesn't implement it refuses with the server's code in
// Error::code. A Matcher is immutable and cheap to copy; any number of threads may use one.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "bson/document.h"

namespace tidemark::bson {

// $expr needs an evaluator of aggregation expressions, which this folder doesn't have: the caller brings it.
using ExprPredicate = std::function<Result<bool>(View)>;
using ExprCompiler = std::function<Result<ExprPredicate>(const Element&)>;

struct MatchDetails {
  // The index, in the outermost array on the way, of the item that made the last array predicate true: `$` in
  // updates.
  std::optional<uint32_t> array_index;
  // Set when an $expr could not be evaluated; the answer was then false.
  std::optional<Error> error;
};

class MatchNode;

class Matcher {
 public:
  // Errors are React::kConfig and carry the server's code. Without `compile_expr`, $expr is refused.
  static Result<Matcher> parse(View filter, const ExprCompiler& compile_expr = {});
  // A condition on a value that has no field of its own, as in {$pull: {a: {$gt: 3}}}: an object of operators
  // applies to the value, other objects match its fields, anything else must be equal to it.
  static Result<Matcher> parse_value(const Element& condition, const ExprCompiler& compile_expr = {});

  bool matches(View document, MatchDetails* details = nullptr) const;
  // REQUIRES a matcher from parse_value.
  bool matches_value(const Element& value) const;

  // The filter as it was given; a view of this matcher's own copy. For parse_value: {"": condition}.
  View filter() const { return filter_; }

 private:
  Matcher() = default;

  Document filter_;
  std::shared_ptr<const MatchNode> root_;
};

}  // namespace tidemark::bson
