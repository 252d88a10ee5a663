#include <string>
#include <utility>
#include <vector>

#include "bson/matcher.h"
#include "bson/scratch.h"
#include "config/fields.h"
#include "core/event_edit.h"
#include "transforms/classify/component.h"

namespace tidemark {
namespace {

// Every event is held against the rules one by one.
constexpr size_t kRulesMax = 1000;

struct Rule {
  bson::Matcher when;
  bson::Document set;
};

class ClassifyTransform final : public Transform {
 public:
  ClassifyTransform(std::vector<Rule> rules, bson::Document otherwise)
      : rules_(std::move(rules)), otherwise_(std::move(otherwise)) {}

  Result<Verdict> apply(Event& event, EventBatch& batch) const override {
    if (!event.after) return Verdict::kKeep;
    const bson::View set = fields_for(event.after);
    if (set.empty()) return Verdict::kKeep;
    bson::Builder& out = bson::scratch_builder();
    for (const bson::Element field : event.after)
      if (!set.find(field.key())) out.append(field.key(), field);
    out.concat(set);
    EventEdit edit;
    edit.after = out.view();
    TIDEMARK_TRY(apply_edit(event, edit, batch));
    return Verdict::kKeep;
  }

 private:
  bson::View fields_for(bson::View document) const {
    for (const Rule& rule : rules_)
      if (rule.when.matches(document)) return rule.set;
    return otherwise_;
  }

  const std::vector<Rule> rules_;
  const bson::Document otherwise_;
};

config::ComponentSpec make_spec() {
  using namespace config::fields;
  config::ComponentSpec spec;
  spec.kind = "transform";
  spec.type = "classify";
  spec.summary =
      "Sets fields of `fullDocument`, such as its severity, category and tags, by rules in MongoDB's query "
      "language: the first rule that matches wins. Events without `fullDocument` pass unchanged. Try rules "
      "out with `tidemark check --event FILE`.";
  spec.fields = {
      required(
          json("rules",
               "The rules, an array in Extended JSON: `{\"when\": QUERY, \"set\": {FIELD: VALUE, ...}}` "
               "each, and a `name` for messages if you like. The query is matched against `fullDocument` as "
               "the transforms before this one left it, through dotted paths such as `raw.data.mag`. It may "
               "use `$eq`, `$ne`, `$gt`, `$gte`, `$lt`, `$lte`, `$in`, `$nin`, `$and`, `$or`, `$nor`, "
               "`$not`, `$exists`, `$type`, `$mod`, `$size`, `$all`, `$elemMatch`, `$regex` with `$options`, "
               "`$bitsAllSet`, `$bitsAllClear`, `$bitsAnySet`, `$bitsAnyClear` and `$comment`; not `$expr`, "
               "`$where`, `$text`, `$jsonSchema`, nor the geospatial ones. An empty query matches every "
               "document. `set` gives fields of the document's top level, in place of those of the same "
               "name; an empty one leaves the document as it is, and no later rule is tried."),
          "'''[ { \"when\": { \"raw.data.mag\": { \"$gte\": 7 } }, \"set\": { \"severity\": \"major\" } } "
          "]'''"),
      with_example(
          with_default(json("otherwise", "The fields that a document gets that no rule matches."), "{}"),
          "'{ \"severity\": \"unknown\" }'")};
  return spec;
}

constexpr const char* kRuleHint =
    R"(write {"when": {"raw.data.mag": {"$gte": 7}}, "set": {"severity": "major"}})";

tl::unexpected<Error> wrong(std::string what, std::string hint = kRuleHint, int code = 0) {
  return fail(React::kConfig, std::move(what), std::move(hint), code);
}

// What may be set at a document's top level.
Status check_fields(bson::View set) {
  for (const bson::Element field : set) {
    const std::string key(field.key());
    if (key.empty()) return wrong("a field needs a name");
    if (key == "_id") return wrong("`_id` can't be set", "rows are found by `_id`");
    if (key.starts_with('$') || key.find('.') != std::string::npos)
      return wrong("\"" + key + "\" is no name of a field of the top level",
                   "it must not begin with $ nor hold a dot");
  }
  return {};
}

// The parts of one rule as they are written.
struct RuleParts {
  std::optional<bson::Element> when, set, name;
};

Result<RuleParts> parts_of(bson::View rule) {
  RuleParts parts;
  for (const bson::Element field : rule) {
    const std::string key(field.key());
    std::optional<bson::Element>* part = key == "when"   ? &parts.when
                                         : key == "set"  ? &parts.set
                                         : key == "name" ? &parts.name
                                                         : nullptr;
    if (part == nullptr) return wrong("unknown key \"" + key + "\"", "a rule has `when`, `set` and `name`");
    if (part->has_value()) return wrong("`" + key + "` stands there twice");
    *part = field;
  }
  if (parts.name && !parts.name->is_string()) return wrong("`name` is not a string");
  if (!parts.when) return wrong("`when` is missing");
  if (!parts.when->is_document()) return wrong("`when` is not a document");
  if (!parts.set) return wrong("`set` is missing");
  if (!parts.set->is_document()) return wrong("`set` is not a document");
  return parts;
}

Result<Rule> make_rule(const RuleParts& parts) {
  auto matcher = bson::Matcher::parse(parts.when->document());
  if (!matcher) return wrong("`when`: " + matcher.error().what, matcher.error().hint, matcher.error().code);
  if (auto checked = check_fields(parts.set->document()); !checked)
    return wrong("`set`: " + checked.error().what, checked.error().hint);
  return Rule{std::move(*matcher), bson::Document(parts.set->document())};
}

// The message begins with the rule's index, and its name where it has one.
Result<Rule> read_rule(const bson::Element& item, size_t index) {
  std::string which = "rules[" + std::to_string(index) + "]";
  if (!item.is_document()) return wrong(which + " is not a document");
  if (const auto name = item.document().find("name"); name && name->is_string())
    which += " (\"" + std::string(name->string()) + "\")";
  const auto parts = parts_of(item.document());
  auto rule = parts ? make_rule(*parts) : fail(parts.error());
  if (!rule) rule.error().what.insert(0, which + ": ");
  return rule;
}

Result<std::vector<Rule>> read_rules(const std::string& json) {
  // libbson reads documents alone, so the array goes into one.
  auto parsed = bson::Document::from_json("{\"rules\": " + json + "}");
  if (!parsed) return wrong(parsed.error().what);
  const auto array = parsed->view().find("rules");
  if (!array || !array->is_array()) return wrong("it must be a JSON array of rules");
  std::vector<Rule> rules;
  for (const bson::Element item : array->document()) {
    if (rules.size() == kRulesMax)
      return wrong("there are more than " + std::to_string(kRulesMax) + " rules", "");
    TIDEMARK_ASSIGN(Rule rule, read_rule(item, rules.size()));
    rules.push_back(std::move(rule));
  }
  if (rules.empty()) return wrong("there is no rule in it");
  return rules;
}

Error at(const config::Settings& settings, std::string_view field, const Error& error) {
  Error placed = settings.error(field, error.what, error.hint);
  placed.code = error.code;
  return placed;
}

Result<std::unique_ptr<Transform>> make(const config::Settings& settings, const ComponentContext&) {
  auto rules = read_rules(settings.string("rules"));
  if (!rules) return fail(at(settings, "rules", rules.error()));
  const std::string& text = settings.string("otherwise");
  const auto otherwise = bson::Document::from_json(text.empty() ? "{}" : text);
  if (!otherwise) return fail(settings.error("otherwise", otherwise.error().what));
  if (auto checked = check_fields(*otherwise); !checked)
    return fail(at(settings, "otherwise", checked.error()));
  return std::make_unique<ClassifyTransform>(std::move(*rules), *otherwise);
}

}  // namespace

const TransformComponent& classify_transform_component() {
  static const TransformComponent component{.spec = make_spec(), .make = make};
  return component;
}

}  // namespace tidemark
