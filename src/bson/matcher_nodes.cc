#include "bson/matcher_nodes.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "bson/compare.h"

namespace tidemark::bson {
namespace {

// Visits what the server calls the elements of a path: through arrays, each item that is an object, and the
// item that the next part names by its index. visit(value, index in the outermost array) returns true to
// stop.
template <class Visit>
class PathWalk {
 public:
  PathWalk(std::span<const std::string> parts, bool tries_items, Visit& visit)
      : parts_(parts), tries_items_(tries_items), visit_(visit) {}

  bool document(View document, size_t part, int64_t outer) {
    const auto element = document.find(parts_[part]);
    if (!element) return visit_(nullptr, outer);
    const bool last = part + 1 == parts_.size();
    if (last) {
      if (element->is_array() && tries_items_ && items(element->document(), outer)) return true;
      return visit_(&*element, outer);
    }
    if (element->is_document()) return this->document(element->document(), part + 1, outer);
    if (element->is_array()) return array(element->document(), part + 1, outer);
    return visit_(nullptr, outer);
  }

 private:
  bool items(View array, int64_t outer) {
    int64_t index = 0;
    for (const Element item : array) {
      if (visit_(&item, outer < 0 ? index : outer)) return true;
      ++index;
    }
    return false;
  }

  bool array(View array, size_t part, int64_t outer) {
    int64_t index = 0;
    for (const Element item : array) {
      const int64_t position = outer < 0 ? index : outer;
      ++index;
      if (item.is_document() && document(item.document(), part, position)) return true;
      if (item.key() != parts_[part]) continue;
      if (part + 1 == parts_.size()) {
        if (visit_(&item, position)) return true;
      } else if (item.is_document()) {
        if (document(item.document(), part + 1, position)) return true;
      } else if (item.is_array()) {
        if (this->array(item.document(), part + 1, position)) return true;
      }
    }
    return false;
  }

  std::span<const std::string> parts_;
  bool tries_items_;
  Visit& visit_;
};

bool is_nan(const Element& value) {
  if (value.type() == BSON_TYPE_DOUBLE) return std::isnan(bson_iter_double(&value.iter()));
  if (value.type() != BSON_TYPE_DECIMAL128) return false;
  bson_decimal128_t decimal;
  bson_iter_decimal128(&value.iter(), &decimal);
  return (decimal.high & 0x7c00000000000000ULL) == 0x7c00000000000000ULL;
}

bool is_nullish(const Element* value) {
  return value == nullptr || value->type() == BSON_TYPE_NULL || value->type() == BSON_TYPE_UNDEFINED;
}

}  // namespace

PathNode::PathNode(std::string_view path, std::unique_ptr<const Predicate> predicate)
    : predicate_(std::move(predicate)) {
  while (true) {
    const size_t dot = path.find('.');
    parts_.emplace_back(path.substr(0, dot));
    if (dot == path.npos) return;
    path.remove_prefix(dot + 1);
  }
}

bool PathNode::matches(View document, MatchDetails* details) const {
  auto visit = [&](const Element* value, int64_t outer) {
    if (!predicate_->test(value, details)) return false;
    if (details != nullptr && outer >= 0) details->array_index = static_cast<uint32_t>(outer);
    return true;
  };
  return PathWalk<decltype(visit)>(parts_, predicate_->tries_items(), visit).document(document, 0, -1);
}

bool JunctionNode::matches(View document, MatchDetails* details) const {
  const bool any = junction_ != Junction::kAnd;
  for (const auto& child : children_) {
    if (child->matches(document, junction_ == Junction::kNor ? nullptr : details) == any)
      return junction_ == Junction::kOr;
  }
  return junction_ != Junction::kOr;
}

bool JunctionNode::matches_item(const Element& item) const {
  const bool any = junction_ != Junction::kAnd;
  for (const auto& child : children_) {
    if (child->matches_item(item) == any) return junction_ == Junction::kOr;
  }
  return junction_ != Junction::kOr;
}

bool NotNode::matches(View document, MatchDetails* details) const {
  MatchDetails inner;  // what is under a $not chooses no array item, but its errors count
  const bool result = !child_->matches(document, &inner);
  if (!inner.error) return result;
  if (details != nullptr) details->error = std::move(inner.error);
  return false;
}

bool ExprNode::matches(View document, MatchDetails* details) const {
  auto result = predicate_(document);
  if (result) return *result;
  if (details != nullptr) details->error = std::move(result).error();
  return false;
}

ComparePredicate::ComparePredicate(Comparison comparison, const Element& right) : comparison_(comparison) {
  Builder holder;
  holder.append("", right);
  holder_ = holder.finish();
  right_ = *holder_.view().begin();
}

bool ComparePredicate::test(const Element* value, MatchDetails*) const {
  const bool with_equal = comparison_ == Comparison::kEqual || comparison_ == Comparison::kLessOrEqual ||
                          comparison_ == Comparison::kGreaterOrEqual;
  const bson_type_t right = right_.type();
  if (right == BSON_TYPE_NULL) return with_equal && is_nullish(value);
  const int bracket = value == nullptr ? 0 : canonical_type(value->type());
  if (bracket != canonical_type(right)) {
    if (right == BSON_TYPE_MAXKEY)
      return comparison_ == Comparison::kLess || comparison_ == Comparison::kLessOrEqual;
    if (right == BSON_TYPE_MINKEY)
      return comparison_ == Comparison::kGreater || comparison_ == Comparison::kGreaterOrEqual;
    return false;
  }
  if (is_nan(right_) || is_nan(*value)) return with_equal && is_nan(right_) && is_nan(*value);
  const int order = compare(*value, right_);
  switch (comparison_) {
    case Comparison::kEqual:
      return order == 0;
    case Comparison::kLess:
      return order < 0;
    case Comparison::kLessOrEqual:
      return order <= 0;
    case Comparison::kGreater:
      return order > 0;
    case Comparison::kGreaterOrEqual:
      return order >= 0;
  }
  return false;
}

void InPredicate::add_key(const Element& value) { keys_.insert(canonical_key(value)); }

void InPredicate::add(const Element& value) {
  if (is_nullish(&value)) null_ = true;
  add_key(value);
}

bool InPredicate::test(const Element* value, MatchDetails*) const {
  if (is_nullish(value)) return null_;
  if (!keys_.empty() && keys_.contains(canonical_key(*value))) return true;
  if (regexes_.empty() || !(value->is_string() || value->type() == BSON_TYPE_SYMBOL)) return false;
  const std::string_view text = value->string();
  return std::any_of(regexes_.begin(), regexes_.end(),
                     [text](const Regex& regex) { return regex.search(text); });
}

bool RegexPredicate::test(const Element* value, MatchDetails*) const {
  if (value == nullptr) return false;
  if (value->is_string() || value->type() == BSON_TYPE_SYMBOL) return regex_.search(value->string());
  if (value->type() != BSON_TYPE_REGEX) return false;
  const RegexValue regex = value->regex();
  return pattern_ == regex.pattern && options_ == regex.options;
}

bool ModPredicate::test(const Element* value, MatchDetails*) const {
  if (value == nullptr || !value->is_number()) return false;
  int64_t number = 0;
  if (value->type() == BSON_TYPE_DOUBLE) {
    const double real = bson_iter_double(&value->iter());
    if (!std::isfinite(real) || std::fabs(real) >= 0x1p63) return false;
    number = static_cast<int64_t>(real);
  } else if (const auto whole = value->integer()) {
    number = *whole;
  } else {
    return false;
  }
  return (divisor_ == -1 ? 0 : number % divisor_) == remainder_;
}

bool SizePredicate::test(const Element* value, MatchDetails*) const {
  if (value == nullptr || !value->is_array()) return false;
  int64_t size = 0;
  for ([[maybe_unused]] const Element item : value->document()) ++size;
  return size == size_;
}

bool ElemMatchPredicate::test(const Element* value, MatchDetails* details) const {
  if (value == nullptr || !value->is_array()) return false;
  uint32_t index = 0;
  for (const Element item : value->document()) {
    const bool found =
        by_value_ ? condition_->matches_item(item)
                  : (item.is_document() || item.is_array()) && condition_->matches(item.document(), nullptr);
    if (found) {
      if (details != nullptr) details->array_index = index;
      return true;
    }
    ++index;
  }
  return false;
}

bool BitsPredicate::test(const Element* value, MatchDetails*) const {
  if (value == nullptr) return false;
  std::span<const uint8_t> bytes;
  int64_t number = 0;
  if (value->type() == BSON_TYPE_BINARY) {
    bytes = value->binary().bytes;
  } else if (const auto whole = value->is_number() ? value->integer() : std::nullopt) {
    number = *whole;
  } else {
    return false;
  }
  const bool binary = value->type() == BSON_TYPE_BINARY;
  const auto is_set = [&](uint32_t position) {
    if (binary) return position / 8 < bytes.size() && ((bytes[position / 8] >> (position % 8)) & 1) != 0;
    return ((number >> std::min(position, 63U)) & 1) != 0;  // the sign goes on for ever
  };
  switch (test_) {
    case BitTest::kAllSet:
      return std::all_of(positions_.begin(), positions_.end(), is_set);
    case BitTest::kAllClear:
      return std::none_of(positions_.begin(), positions_.end(), is_set);
    case BitTest::kAnySet:
      return std::any_of(positions_.begin(), positions_.end(), is_set);
    case BitTest::kAnyClear:
      return !std::all_of(positions_.begin(), positions_.end(), is_set);
  }
  return false;
}

}  // namespace tidemark::bson
