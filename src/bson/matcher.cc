#include "bson/matcher.h"

#include <array>
#include <cmath>

#include "bson/matcher_nodes.h"

namespace tidemark::bson {
namespace {

constexpr int kBadValue = 2;
constexpr int kNotImplemented = 238;
constexpr int kDepthMax = 100;  // of filters inside filters

using NodeResult = Result<MatchNodePtr>;
using PredicatePtr = std::unique_ptr<const Predicate>;

tl::unexpected<Error> bad(std::string message, int code = kBadValue) {
  return fail(React::kConfig, std::move(message), "see MongoDB's manual on query operators", code);
}

tl::unexpected<Error> not_implemented(std::string_view name) {
  return bad(std::string(name) + " is not implemented here", kNotImplemented);
}

struct TypeAlias {
  std::string_view name;
  int code;
};
constexpr std::array<TypeAlias, 21> kTypeAliases{
    {{"double", 1},    {"string", 2},     {"object", 3},      {"array", 4},    {"binData", 5},
     {"undefined", 6}, {"objectId", 7},   {"bool", 8},        {"date", 9},     {"null", 10},
     {"regex", 11},    {"dbPointer", 12}, {"javascript", 13}, {"symbol", 14},  {"javascriptWithScope", 15},
     {"int", 16},      {"timestamp", 17}, {"long", 18},       {"decimal", 19}, {"minKey", -1},
     {"maxKey", 127}}};

class FilterParser {
 public:
  explicit FilterParser(const ExprCompiler& compile_expr) : compile_expr_(compile_expr) {}

  NodeResult filter(View filter, int depth) {
    if (depth > kDepthMax) return bad("exceeded maximum query tree depth", 17298);
    std::vector<MatchNodePtr> children;
    for (const Element element : filter) {
      if (element.key().starts_with("$")) {
        TIDEMARK_ASSIGN(MatchNodePtr node, top_level(element, depth));
        if (node) children.push_back(std::move(node));
      } else {
        TIDEMARK_TRY(field(element.key(), element, depth, children));
      }
    }
    return all_of(std::move(children));
  }

  // {path: condition}
  Status field(std::string_view path, const Element& condition, int depth, std::vector<MatchNodePtr>& out) {
    if (is_operator_document(condition)) return operators(path, condition.document(), depth, out);
    if (condition.type() == BSON_TYPE_REGEX) {
      TIDEMARK_ASSIGN(PredicatePtr predicate, regex_value(condition));
      out.push_back(std::make_shared<PathNode>(path, std::move(predicate)));
      return {};
    }
    TIDEMARK_ASSIGN(PredicatePtr predicate, comparison(Comparison::kEqual, path, condition));
    out.push_back(std::make_shared<PathNode>(path, std::move(predicate)));
    return {};
  }

  static bool is_operator_document(const Element& value) {
    if (!value.is_document()) return false;
    const View document = value.document();
    if (document.empty()) return false;
    const std::string_view first = (*document.begin()).key();
    return first.starts_with("$") && first != "$ref" && first != "$id" && first != "$db";
  }

  static MatchNodePtr all_of(std::vector<MatchNodePtr> children) {
    if (children.size() == 1) return children[0];
    return std::make_shared<JunctionNode>(Junction::kAnd, std::move(children));
  }

 private:
  NodeResult top_level(const Element& element, int depth) {
    const std::string_view name = element.key();
    if (name == "$and") return junction(Junction::kAnd, element, depth);
    if (name == "$or") return junction(Junction::kOr, element, depth);
    if (name == "$nor") return junction(Junction::kNor, element, depth);
    if (name == "$comment") return MatchNodePtr();
    if (name == "$alwaysTrue") return std::make_shared<const ConstantNode>(true);
    if (name == "$alwaysFalse") return std::make_shared<const ConstantNode>(false);
    if (name == "$expr") {
      if (!compile_expr_) return not_implemented(name);
      TIDEMARK_ASSIGN(ExprPredicate predicate, compile_expr_(element));
      return std::make_shared<const ExprNode>(std::move(predicate));
    }
    if (name == "$text") return bad("text index required for $text query", 27);
    if (name == "$where") return bad("no globalScriptEngine in $where parsing");
    if (name == "$jsonSchema" || name == "$sampleRate") return not_implemented(name);
    return bad(
        "unknown top level operator: " + std::string(name) +
        ". If you have a field name that starts with a '$' symbol, consider using $getField or $setField.");
  }

  NodeResult junction(Junction kind, const Element& element, int depth) {
    const std::string name(element.key());
    if (!element.is_array()) return bad(name + " argument must be an array");
    std::vector<MatchNodePtr> children;
    for (const Element item : element.document()) {
      if (!item.is_document()) return bad("$or/$and/$nor entries need to be full objects");
      TIDEMARK_ASSIGN(MatchNodePtr child, filter(item.document(), depth + 1));
      children.push_back(std::move(child));
    }
    if (children.empty()) return bad("$and/$or/$nor must be a nonempty array");
    return std::make_shared<const JunctionNode>(kind, std::move(children));
  }

  Status operators(std::string_view path, View document, int depth, std::vector<MatchNodePtr>& out) {
    if (depth > kDepthMax) return bad("exceeded maximum query tree depth", 17298);
    for (const Element element : document) {
      TIDEMARK_ASSIGN(MatchNodePtr node, one_operator(path, element, document, depth));
      if (node) out.push_back(std::move(node));
    }
    return {};
  }

  static MatchNodePtr at(std::string_view path, PredicatePtr predicate) {
    return std::make_shared<PathNode>(path, std::move(predicate));
  }
  static NodeResult at(std::string_view path, Result<PredicatePtr> predicate) {
    TIDEMARK_ASSIGN(PredicatePtr value, std::move(predicate));
    return at(path, std::move(value));
  }
  static NodeResult negated(NodeResult node) {
    TIDEMARK_ASSIGN(MatchNodePtr child, std::move(node));
    return std::make_shared<const NotNode>(std::move(child));
  }

  NodeResult one_operator(std::string_view path, const Element& element, View siblings, int depth) {
    const std::string_view name = element.key();
    if (name == "$eq") return at(path, comparison(Comparison::kEqual, path, element));
    if (name == "$lt") return at(path, comparison(Comparison::kLess, path, element));
    if (name == "$lte") return at(path, comparison(Comparison::kLessOrEqual, path, element));
    if (name == "$gt") return at(path, comparison(Comparison::kGreater, path, element));
    if (name == "$gte") return at(path, comparison(Comparison::kGreaterOrEqual, path, element));
    if (name == "$ne") {
      if (element.type() == BSON_TYPE_REGEX) return bad("Can't have regex as arg to $ne.");
      return negated(at(path, comparison(Comparison::kEqual, path, element)));
    }
    if (name == "$in") return at(path, in(element, "$in"));
    if (name == "$nin") return negated(at(path, in(element, "$nin")));
    if (name == "$not") return not_operator(path, element, depth);
    if (name == "$exists") {
      MatchNodePtr node = at(path, PredicatePtr(std::make_unique<ExistsPredicate>()));
      if (element.truthy()) return node;
      return std::make_shared<const NotNode>(std::move(node));
    }
    if (name == "$type") return at(path, type(element));
    if (name == "$mod") return at(path, mod(element));
    if (name == "$size") return at(path, size(element));
    if (name == "$regex") return at(path, regex_operator(element, siblings));
    if (name == "$options") {
      if (!siblings.find("$regex")) return bad("$options needs a $regex");
      return MatchNodePtr();
    }
    if (name == "$elemMatch") return at(path, elem_match(element, depth));
    if (name == "$all") return all(path, element, depth);
    if (name == "$bitsAllSet") return at(path, bits(BitTest::kAllSet, element));
    if (name == "$bitsAllClear") return at(path, bits(BitTest::kAllClear, element));
    if (name == "$bitsAnySet") return at(path, bits(BitTest::kAnySet, element));
    if (name == "$bitsAnyClear") return at(path, bits(BitTest::kAnyClear, element));
    if (name == "$comment") return MatchNodePtr();
    if (name.starts_with("$geo") || name.starts_with("$near") || name == "$within")
      return not_implemented(name);
    return bad("unknown operator: " + std::string(name));
  }

  static Result<PredicatePtr> comparison(Comparison kind, std::string_view path, const Element& right) {
    if (right.type() == BSON_TYPE_UNDEFINED) return bad("cannot compare to undefined");
    if (right.type() == BSON_TYPE_REGEX && kind != Comparison::kEqual)
      return bad("Can't have RegEx as arg to predicate over field '" + std::string(path) + "'.");
    return std::make_unique<const ComparePredicate>(kind, right);
  }

  static Result<PredicatePtr> in(const Element& element, std::string_view name) {
    if (!element.is_array()) return bad(std::string(name) + " needs an array");
    auto predicate = std::make_unique<InPredicate>();
    for (const Element item : element.document()) {
      if (is_operator_document(item)) return bad("cannot nest $ under " + std::string(name));
      if (item.type() == BSON_TYPE_UNDEFINED) return bad("InMatchExpression equality cannot be undefined");
      if (item.type() != BSON_TYPE_REGEX) {
        predicate->add(item);
        continue;
      }
      const RegexValue value = item.regex();
      TIDEMARK_ASSIGN(Regex regex, Regex::parse(value.pattern, value.options));
      predicate->add(std::move(regex));
      predicate->add_regex_value(item);
    }
    return predicate;
  }

  NodeResult not_operator(std::string_view path, const Element& element, int depth) {
    if (element.type() == BSON_TYPE_REGEX) return negated(at(path, regex_value(element)));
    if (!element.is_document()) return bad("$not needs a regex or a document");
    if (element.document().empty()) return bad("$not cannot be empty");
    std::vector<MatchNodePtr> children;
    TIDEMARK_TRY(operators(path, element.document(), depth + 1, children));
    return std::make_shared<const NotNode>(all_of(std::move(children)));
  }

  static Status add_type(TypePredicate& predicate, const Element& item) {
    if (item.is_string()) {
      if (item.string() == "number") {
        for (const auto type : {BSON_TYPE_INT32, BSON_TYPE_INT64, BSON_TYPE_DOUBLE, BSON_TYPE_DECIMAL128})
          predicate.add(type);
        return {};
      }
      for (const TypeAlias& alias : kTypeAliases) {
        if (alias.name != item.string()) continue;
        predicate.add(static_cast<bson_type_t>(static_cast<uint8_t>(alias.code)));
        return {};
      }
      return bad("Unknown type name alias: " + std::string(item.string()));
    }
    if (!item.is_number()) return bad("type must be represented as a number or a string");
    const auto code = item.integer();
    for (const TypeAlias& alias : kTypeAliases) {
      if (!code || alias.code != *code) continue;
      predicate.add(static_cast<bson_type_t>(static_cast<uint8_t>(alias.code)));
      return {};
    }
    return bad("Invalid numerical type code: " +
               (code ? std::to_string(*code) : std::string("not an integer")));
  }

  static Result<PredicatePtr> type(const Element& element) {
    auto predicate = std::make_unique<TypePredicate>();
    if (!element.is_array()) {
      TIDEMARK_TRY(add_type(*predicate, element));
      return predicate;
    }
    if (element.document().empty()) return bad("$type must match at least one type", 9);
    for (const Element item : element.document()) TIDEMARK_TRY(add_type(*predicate, item));
    return predicate;
  }

  // A number as $mod takes it: truncated.
  static std::optional<int64_t> truncated(const Element& element) {
    if (element.type() != BSON_TYPE_DOUBLE) return element.integer();
    const double value = std::trunc(bson_iter_double(&element.iter()));
    if (!(std::fabs(value) < 0x1p63)) return std::nullopt;
    return static_cast<int64_t>(value);
  }

  static Result<PredicatePtr> mod(const Element& element) {
    if (!element.is_array()) return bad("malformed mod, needs to be an array");
    std::vector<int64_t> numbers;
    for (const Element item : element.document()) {
      const bool divisor = numbers.empty();
      const auto number = item.is_number() ? truncated(item) : std::nullopt;
      if (!number)
        return bad(divisor ? "malformed mod, divisor not a number" : "malformed mod, remainder not a number");
      numbers.push_back(*number);
    }
    if (numbers.size() < 2) return bad("malformed mod, not enough elements");
    if (numbers.size() > 2) return bad("malformed mod, too many elements");
    if (numbers[0] == 0) return bad("divisor cannot be 0");
    return std::make_unique<const ModPredicate>(numbers[0], numbers[1]);
  }

  static Result<PredicatePtr> size(const Element& element) {
    const auto shown = [&element]() {
      if (element.is_string()) return "\"" + std::string(element.string()) + "\"";
      const auto whole = element.is_number() ? element.integer() : std::nullopt;
      return whole ? std::to_string(*whole) : std::string("?");
    };
    if (!element.is_number()) return bad("Failed to parse $size. Expected a number in: $size: " + shown());
    const auto whole = element.integer();
    if (!whole) return bad("Failed to parse $size. Expected an integer: $size: " + shown());
    if (*whole < 0) return bad("Failed to parse $size. Expected a non-negative number in: $size: " + shown());
    return std::make_unique<const SizePredicate>(*whole);
  }

  static Result<PredicatePtr> make_regex(std::string_view pattern, std::string_view options) {
    TIDEMARK_ASSIGN(Regex regex, Regex::parse(pattern, options));
    return std::make_unique<const RegexPredicate>(std::move(regex), std::string(pattern),
                                                  std::string(options));
  }

  static Result<PredicatePtr> regex_value(const Element& element) {
    const RegexValue value = element.regex();
    return make_regex(value.pattern, value.options);
  }

  static Result<PredicatePtr> regex_operator(const Element& element, View siblings) {
    std::string pattern;
    std::string options;
    if (element.is_string()) {
      pattern = element.string();
    } else if (element.type() == BSON_TYPE_REGEX) {
      pattern = element.regex().pattern;
      options = element.regex().options;
    } else {
      return bad("$regex has to be a string");
    }
    if (const auto given = siblings.find("$options")) {
      if (!given->is_string()) return bad("$options has to be a string");
      if (!options.empty()) return bad("options set in both $regex and $options", 51075);
      options = given->string();
    }
    return make_regex(pattern, options);
  }

  Result<PredicatePtr> elem_match(const Element& element, int depth) {
    if (!element.is_document()) return bad("$elemMatch needs an Object");
    const View condition = element.document();
    const std::string_view first = condition.empty() ? std::string_view() : (*condition.begin()).key();
    const bool logical =
        first == "$and" || first == "$or" || first == "$nor" || first == "$expr" || first == "$where";
    if (is_operator_document(element) && !logical) {
      std::vector<MatchNodePtr> children;
      TIDEMARK_TRY(operators("", condition, depth + 1, children));
      return std::make_unique<const ElemMatchPredicate>(all_of(std::move(children)), true);
    }
    if (first == "$where") return bad("$elemMatch cannot contain $where expression");
    TIDEMARK_ASSIGN(MatchNodePtr fields, filter(condition, depth + 1));
    return std::make_unique<const ElemMatchPredicate>(std::move(fields), false);
  }

  NodeResult all(std::string_view path, const Element& element, int depth) {
    if (!element.is_array()) return bad("$all needs an array");
    std::vector<MatchNodePtr> children;
    bool elem_matches = false;
    for (const Element item : element.document()) {
      const bool is_elem_match =
          is_operator_document(item) && (*item.document().begin()).key() == "$elemMatch";
      if (!children.empty() && elem_matches != is_elem_match)
        return bad(elem_matches ? "$all/$elemMatch has to be consistent" : "no $ expressions in $all");
      elem_matches = is_elem_match;
      if (is_elem_match) {
        TIDEMARK_ASSIGN(PredicatePtr predicate, elem_match(*item.document().begin(), depth));
        children.push_back(at(path, std::move(predicate)));
      } else if (is_operator_document(item)) {
        return bad("no $ expressions in $all");
      } else {
        TIDEMARK_TRY(field(path, item, depth, children));
      }
    }
    if (children.empty()) return std::make_shared<const ConstantNode>(false);
    return all_of(std::move(children));
  }

  static Result<PredicatePtr> bits(BitTest test, const Element& element) {
    std::vector<uint32_t> positions;
    const std::string name(element.key());
    if (element.is_array()) {
      for (const Element item : element.document()) {
        const auto position = item.is_number() ? item.integer() : std::nullopt;
        if (!position || *position < 0 || *position > INT32_MAX)
          return bad("Failed to parse bit position. Expected a non-negative integer in: " + name);
        positions.push_back(static_cast<uint32_t>(*position));
      }
    } else if (element.is_number()) {
      const auto mask = element.integer();
      if (!mask) return bad(name + " takes an Array, a number, or a BinData but received: a fraction");
      if (*mask < 0) return bad("Expected a non-negative number in: " + name, 9);
      for (uint32_t i = 0; i < 63; ++i) {
        if (((*mask >> i) & 1) != 0) positions.push_back(i);
      }
    } else if (element.type() == BSON_TYPE_BINARY) {
      const std::span<const uint8_t> bytes = element.binary().bytes;
      for (uint32_t i = 0; i < bytes.size() * 8; ++i) {
        if (((bytes[i / 8] >> (i % 8)) & 1) != 0) positions.push_back(i);
      }
    } else {
      return bad(name + " takes an Array, a number, or a BinData but received: " + name);
    }
    return std::make_unique<const BitsPredicate>(test, std::move(positions));
  }

  const ExprCompiler& compile_expr_;
};

}  // namespace

Result<Matcher> Matcher::parse(View filter, const ExprCompiler& compile_expr) {
  Matcher matcher;
  const bson_t empty = BSON_INITIALIZER;
  matcher.filter_ = filter ? Document(filter) : Document(&empty);
  TIDEMARK_ASSIGN(matcher.root_, FilterParser(compile_expr).filter(matcher.filter_, 0));
  return matcher;
}

Result<Matcher> Matcher::parse_value(const Element& condition, const ExprCompiler& compile_expr) {
  Matcher matcher;
  Builder holder;
  holder.append("", condition);
  matcher.filter_ = holder.finish();
  const Element own = *matcher.filter_.view().begin();
  FilterParser parser(compile_expr);
  if (own.is_document() && !FilterParser::is_operator_document(own)) {
    TIDEMARK_ASSIGN(MatchNodePtr fields, parser.filter(own.document(), 0));
    matcher.root_ = std::make_shared<ValueFieldsNode>(std::move(fields));
    return matcher;
  }
  std::vector<MatchNodePtr> children;
  TIDEMARK_TRY(parser.field("", own, 0, children));
  MatchNodePtr node = FilterParser::all_of(std::move(children));
  // A plain value must be equal to the whole; conditions also try the items of an array.
  if (FilterParser::is_operator_document(own) || own.type() == BSON_TYPE_REGEX)
    node = std::make_shared<WrappedValueNode>(std::move(node));
  matcher.root_ = std::move(node);
  return matcher;
}

bool Matcher::matches(View document, MatchDetails* details) const {
  const bool result = root_->matches(document, details);
  return result && (details == nullptr || !details->error);
}

bool Matcher::matches_value(const Element& value) const { return root_->matches_item(value); }

}  // namespace tidemark::bson
