// The nodes of a compiled filter. Private to bson/matcher.cc, which builds them; immutable once built.
#pragma once

#include <bitset>
#include <memory>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "bson/document.h"
#include "bson/matcher.h"
#include "bson/regex.h"

namespace tidemark::bson {

class MatchNode {
 public:
  virtual ~MatchNode() = default;
  virtual bool matches(View document, MatchDetails* details) const = 0;
  // The same question about one value, as $elemMatch asks it; conditions on fields look into the value.
  virtual bool matches_item(const Element& item) const = 0;
};
using MatchNodePtr = std::shared_ptr<const MatchNode>;

// A condition on one value. `value` is null where the path leads nowhere.
class Predicate {
 public:
  virtual ~Predicate() = default;
  virtual bool test(const Element* value, MatchDetails* details) const = 0;
  // Whether an array at the end of the path is tried item by item before it is tried as a whole.
  virtual bool tries_items() const { return true; }
};

// A predicate at a dotted path, with the server's way through arrays.
class PathNode final : public MatchNode {
 public:
  PathNode(std::string_view path, std::unique_ptr<const Predicate> predicate);
  bool matches(View document, MatchDetails* details) const override;
  bool matches_item(const Element& item) const override { return predicate_->test(&item, nullptr); }

 private:
  std::vector<std::string> parts_;
  std::unique_ptr<const Predicate> predicate_;
};

enum class Junction { kAnd, kOr, kNor };

class JunctionNode final : public MatchNode {
 public:
  JunctionNode(Junction junction, std::vector<MatchNodePtr> children)
      : junction_(junction), children_(std::move(children)) {}
  bool matches(View document, MatchDetails* details) const override;
  bool matches_item(const Element& item) const override;

 private:
  Junction junction_;
  std::vector<MatchNodePtr> children_;
};

class NotNode final : public MatchNode {
 public:
  explicit NotNode(MatchNodePtr child) : child_(std::move(child)) {}
  bool matches(View document, MatchDetails* details) const override;
  bool matches_item(const Element& item) const override { return !child_->matches_item(item); }

 private:
  MatchNodePtr child_;
};

class ConstantNode final : public MatchNode {
 public:
  explicit ConstantNode(bool value) : value_(value) {}
  bool matches(View, MatchDetails*) const override { return value_; }
  bool matches_item(const Element&) const override { return value_; }

 private:
  bool value_;
};

class ExprNode final : public MatchNode {
 public:
  explicit ExprNode(ExprPredicate predicate) : predicate_(std::move(predicate)) {}
  bool matches(View document, MatchDetails* details) const override;
  bool matches_item(const Element&) const override { return false; }

 private:
  ExprPredicate predicate_;
};

// For a value that stands alone (parse_value): its fields, or the value itself.
class ValueFieldsNode final : public MatchNode {
 public:
  explicit ValueFieldsNode(MatchNodePtr fields) : fields_(std::move(fields)) {}
  bool matches(View, MatchDetails*) const override { return false; }
  bool matches_item(const Element& item) const override {
    return item.is_document() && fields_->matches(item.document(), nullptr);
  }

 private:
  MatchNodePtr fields_;
};

// Conditions on the value as if it stood in a field, so that the items of an array are tried as well.
class WrappedValueNode final : public MatchNode {
 public:
  explicit WrappedValueNode(MatchNodePtr conditions) : conditions_(std::move(conditions)) {}
  bool matches(View, MatchDetails*) const override { return false; }
  bool matches_item(const Element& item) const override {
    Builder wrapped;
    wrapped.append("", item);
    return conditions_->matches(wrapped.view(), nullptr);
  }

 private:
  MatchNodePtr conditions_;
};

// ---- predicates

enum class Comparison { kEqual, kLess, kLessOrEqual, kGreater, kGreaterOrEqual };

class ComparePredicate final : public Predicate {
 public:
  ComparePredicate(Comparison comparison, const Element& right);
  bool test(const Element* value, MatchDetails* details) const override;

 private:
  Comparison comparison_;
  Document holder_;  // {"": right}
  Element right_;
};

class InPredicate final : public Predicate {
 public:
  void add(const Element& value);
  void add(Regex regex) { regexes_.push_back(std::move(regex)); }
  void add_regex_value(const Element& value) { add_key(value); }
  bool test(const Element* value, MatchDetails* details) const override;

 private:
  void add_key(const Element& value);

  std::unordered_set<std::string> keys_;
  std::vector<Regex> regexes_;
  bool null_ = false;
};

class RegexPredicate final : public Predicate {
 public:
  RegexPredicate(Regex regex, std::string pattern, std::string options)
      : regex_(std::move(regex)), pattern_(std::move(pattern)), options_(std::move(options)) {}
  bool test(const Element* value, MatchDetails* details) const override;

 private:
  Regex regex_;
  std::string pattern_;
  std::string options_;
};

class ModPredicate final : public Predicate {
 public:
  ModPredicate(int64_t divisor, int64_t remainder) : divisor_(divisor), remainder_(remainder) {}
  bool test(const Element* value, MatchDetails* details) const override;

 private:
  int64_t divisor_;
  int64_t remainder_;
};

class ExistsPredicate final : public Predicate {
 public:
  bool test(const Element* value, MatchDetails*) const override { return value != nullptr; }
  bool tries_items() const override { return false; }
};

class TypePredicate final : public Predicate {
 public:
  void add(bson_type_t type) { types_.set(static_cast<uint8_t>(type)); }
  bool test(const Element* value, MatchDetails*) const override {
    return value != nullptr && types_.test(static_cast<uint8_t>(value->type()));
  }

 private:
  std::bitset<256> types_;
};

class SizePredicate final : public Predicate {
 public:
  explicit SizePredicate(int64_t size) : size_(size) {}
  bool test(const Element* value, MatchDetails* details) const override;
  bool tries_items() const override { return false; }

 private:
  int64_t size_;
};

// $elemMatch: some item is an object (or array) that `fields` matches, or, when `by_value`, an item that it
// holds of.
class ElemMatchPredicate final : public Predicate {
 public:
  ElemMatchPredicate(MatchNodePtr condition, bool by_value)
      : condition_(std::move(condition)), by_value_(by_value) {}
  bool test(const Element* value, MatchDetails* details) const override;
  bool tries_items() const override { return false; }

 private:
  MatchNodePtr condition_;
  bool by_value_;
};

enum class BitTest { kAllSet, kAllClear, kAnySet, kAnyClear };

class BitsPredicate final : public Predicate {
 public:
  BitsPredicate(BitTest test, std::vector<uint32_t> positions)
      : test_(test), positions_(std::move(positions)) {}
  bool test(const Element* value, MatchDetails* details) const override;

 private:
  BitTest test_;
  std::vector<uint32_t> positions_;
};

}  // namespace tidemark::bson
