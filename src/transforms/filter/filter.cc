#include "bson/matcher.h"
#include "config/fields.h"
#include "transforms/filter/component.h"

namespace tidemark {
namespace {

class FilterTransform final : public Transform {
 public:
  FilterTransform(bson::Matcher matcher, bool keeps_matches)
      : matcher_(std::move(matcher)), keeps_matches_(keeps_matches) {}

  Result<Verdict> apply(Event& event, EventBatch&) const override {
    return matcher_.matches(event.raw) == keeps_matches_ ? Verdict::kKeep : Verdict::kDrop;
  }

 private:
  const bson::Matcher matcher_;
  const bool keeps_matches_;
};

config::ComponentSpec make_spec() {
  using namespace config::fields;
  config::ComponentSpec spec;
  spec.kind = "transform";
  spec.type = "filter";
  spec.summary =
      "Keeps or drops whole change events by a predicate in MongoDB's query language over the change event: "
      "`operationType`, `ns.coll`, `fullDocument.total`, `updateDescription.updatedFields` and so on. A "
      "dropped event counts as delivered. A filter in the source (`filter`) costs the network less; this one "
      "can be changed without a new position, and may drop what a change stream's own filter must not.";
  spec.fields = {
      required(json("where", "The predicate, in Extended JSON."),
               "'{ \"fullDocument.total\": { \"$gte\": 100 } }'"),
      choice("action", {"keep", "drop"},
             "`keep` passes on the events that match and drops the others; `drop` is the reverse.")};
  return spec;
}

Result<std::unique_ptr<Transform>> make(const config::Settings& settings, const ComponentContext&) {
  const auto where = bson::Document::from_json(settings.string("where"));
  if (!where) return fail(settings.error("where", where.error().what));
  auto matcher = bson::Matcher::parse(*where);
  if (!matcher) {
    Error error = settings.error("where", matcher.error().what, matcher.error().hint);
    error.code = matcher.error().code;
    return fail(std::move(error));
  }
  return std::make_unique<FilterTransform>(std::move(*matcher), settings.string("action") != "drop");
}

}  // namespace

const TransformComponent& filter_transform_component() {
  static const TransformComponent component{.spec = make_spec(), .make = make};
  return component;
}

}  // namespace tidemark
