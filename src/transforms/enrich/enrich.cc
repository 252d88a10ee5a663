#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "bson/scratch.h"
#include "config/fields.h"
#include "core/event_edit.h"
#include "transforms/enrich/component.h"

namespace tidemark {
namespace {

// The names of the fields it makes; empty = not made.
struct Names {
  std::string wrap;
  std::string received_at;
  std::string processed_at;
};

class EnrichTransform final : public Transform {
 public:
  EnrichTransform(Names names, bson::Document constants, const Clock& clock)
      : names_(std::move(names)), constants_(std::move(constants)), clock_(clock) {}

  Result<Verdict> apply(Event& event, EventBatch& batch) const override {
    if (!event.after) return Verdict::kKeep;
    bson::Builder& out = bson::scratch_builder();
    if (names_.wrap.empty())
      append_unless_replaced(event.after, out);
    else
      out.append(names_.wrap, event.after);
    if (!names_.received_at.empty()) out.append_date(names_.received_at, event.wall_time_ms);
    if (!names_.processed_at.empty()) out.append_date(names_.processed_at, clock_.wall_ms());
    out.concat(constants_);
    EventEdit edit;
    edit.after = out.view();
    TIDEMARK_TRY(apply_edit(event, edit, batch));
    return Verdict::kKeep;
  }

  std::vector<std::string> before(const std::string& path) const override {
    std::vector<std::string> paths = {path};
    if (!names_.wrap.empty() && path.starts_with(names_.wrap + "."))
      paths.push_back(path.substr(names_.wrap.size() + 1));
    return paths;
  }

 private:
  void append_unless_replaced(bson::View document, bson::Builder& out) const {
    for (const bson::Element field : document) {
      if (!replaced(field.key())) out.append(field.key(), field);
    }
  }

  bool replaced(std::string_view key) const {
    if (key.empty()) return false;  // a field may be named so, and an unset name is empty too
    return key == names_.received_at || key == names_.processed_at || constants_.view().find(key);
  }

  const Names names_;
  const bson::Document constants_;
  const Clock& clock_;
};

config::ComponentSpec make_spec() {
  using namespace config::fields;
  config::ComponentSpec spec;
  spec.kind = "transform";
  spec.type = "enrich";
  spec.summary =
      "Puts `fullDocument` into an envelope: it becomes one field (`wrap`), and beside it stand the time at "
      "which the event was received, the time at which it was processed, and constants. Events without "
      "`fullDocument` pass unchanged, and so do `updateDescription` and `fullDocumentBeforeChange`: it is "
      "meant for streams of inserts. The time of processing is the clock's, so that a replayed event has "
      "another one.";
  spec.fields = {text("wrap", "raw",
                      "The field that holds the whole document as it came: `{raw: <fullDocument>}`. Empty: "
                      "it isn't wrapped, and the other fields are set in the document itself, in place of "
                      "those of the same name."),
                 text("received_at", "receivedAt",
                      "The field for the time at which the event came in (a date): the door's time for a "
                      "CloudEvent, the server's wall time for a change event. Empty: none."),
                 text("processed_at", "processedAt",
                      "The field for the time at which this transform saw the event (a date). Empty: none."),
                 with_example(map("set", "Constant fields, each a string."),
                              "{ plane = \"process\", site = \"north\" }")};
  return spec;
}

// Collects the names of fields and refuses those that a document or a row can't take.
class NameCheck {
 public:
  explicit NameCheck(const config::Settings& settings) : settings_(settings) {}

  Status take(std::string_view setting, const std::string& name) {
    if (name.empty()) return fail(settings_.error(setting, "a field needs a name"));
    if (name == "_id") return fail(settings_.error(setting, "`_id` can't be set", "rows are found by `_id`"));
    if (name.starts_with('$') || name.find('.') != std::string::npos)
      return fail(settings_.error(setting, "\"" + name + "\" is no name of a field",
                                  "it must not begin with $ nor hold a dot"));
    if (std::find(taken_.begin(), taken_.end(), name) != taken_.end())
      return fail(settings_.error(setting, "two fields can't both be named \"" + name + "\""));
    taken_.push_back(name);
    return {};
  }

 private:
  const config::Settings& settings_;
  std::vector<std::string> taken_;
};

Result<std::unique_ptr<Transform>> make(const config::Settings& settings, const ComponentContext& context) {
  Names names{settings.string("wrap"), settings.string("received_at"), settings.string("processed_at")};
  NameCheck check(settings);
  for (const auto& [setting, name] :
       {std::pair("wrap", &names.wrap), std::pair("received_at", &names.received_at),
        std::pair("processed_at", &names.processed_at)})
    if (!name->empty()) TIDEMARK_TRY(check.take(setting, *name));
  bson::Builder constants;
  for (const auto& [name, value] : settings.map("set")) {
    TIDEMARK_TRY(check.take("set", name));
    constants.append(name, value);
  }
  if (names.wrap.empty() && names.received_at.empty() && names.processed_at.empty() &&
      constants.view().empty())
    return fail(settings.error("", "nothing to do", "give wrap, received_at, processed_at or set"));
  return std::make_unique<EnrichTransform>(std::move(names), constants.finish(), *context.clock);
}

}  // namespace

const TransformComponent& enrich_transform_component() {
  static const TransformComponent component{.spec = make_spec(), .make = make};
  return component;
}

}  // namespace tidemark
