#include "app/guard_parts.h"

#include "app/letter_box.h"
#include "base/check.h"
#include "config/render.h"
#include "config/value.h"

namespace tidemark::app {
namespace {

// One pipeline as the guard asks for it: the parts of a second instance that never runs.
class Outside {
 public:
  static Result<std::shared_ptr<Outside>> create(App& app, const config::PipelineConfig& pipeline,
                                                 InsideView inside) {
    TIDEMARK_ASSIGN(PipelineParts parts, build_pipeline(pipeline, app.components, app.context()));
    std::unique_ptr<LetterBox> letters;
    if (pipeline.dead_letters) {
      TIDEMARK_ASSIGN(letters, LetterBox::create(app, pipeline));
    }
    return std::make_shared<Outside>(std::move(parts), std::move(letters), std::move(inside));
  }

  Outside(PipelineParts parts, std::unique_ptr<LetterBox> letters, InsideView inside)
      : parts_(std::move(parts)),
        letters_(std::move(letters)),
        inside_(std::move(inside)),
        fingerprint_(parts_.source->identity().fingerprint) {}
  ~Outside() { parts_.source->close(); }

  guard::Signals look(const std::stop_token& stop) {
    guard::Signals signals;
    signals.pipeline = parts_.name;
    signals.fingerprint = fingerprint_;
    // The position before the deployment, which is then never behind it.
    if (!parts_.starts_by_itself) signals.position = parts_.position_store().peek(parts_.name, stop);
    signals.health = parts_.source->health(stop);
    if (letters_) signals.dead_letters = letters_->count(stop);
    if (inside_.stats) signals.stats = inside_.stats();
    if (inside_.view) signals.view = inside_.view();
    signals.fenced = inside_.fenced && inside_.fenced();
    // Last: nothing that was seen before it is owed to the stop.
    signals.stopping = inside_.stopping && inside_.stopping();
    return signals;
  }

 private:
  const PipelineParts parts_;
  const std::unique_ptr<LetterBox> letters_;
  const InsideView inside_;
  const std::string fingerprint_;
};

// What decides which rows a document becomes, without secrets.
std::string meaning_of(const config::PipelineConfig& pipeline) {
  std::string text = config::describe(pipeline.source);
  for (const config::Component& transform : pipeline.transforms) text += "\n" + config::describe(transform);
  return text + "\n" + config::describe(pipeline.sink);
}

tl::unexpected<Error> cannot_audit(const config::PipelineConfig& pipeline, const std::string& why) {
  return fail(React::kConfig,
              pipeline.where + ": pipeline \"" + pipeline.name + "\" can't be audited: " + why,
              "leave [[guard.audit]] out for it; the guard's alerts watch it all the same");
}

}  // namespace

Result<GuardSettings> GuardSettings::of(const config::File& file) {
  GuardSettings settings;
  if (!file.guard) return settings;
  TIDEMARK_ASSIGN(settings.frame, guard::guard_frame(file.guard->frame));
  for (const config::Settings& table : file.guard->rules) {
    TIDEMARK_ASSIGN(auto rule, guard::rule_override(table));
    settings.rules.push_back(std::move(rule));
  }
  for (const config::Settings& table : file.guard->audits) {
    TIDEMARK_ASSIGN(auto audit, guard::scheduled_audit(table));
    settings.audits.push_back(std::move(audit));
  }
  return settings;
}

Result<guard::ScheduledAudit> default_audit(const std::string& pipeline, const std::string& kind) {
  config::Settings settings = config::default_settings(guard::guard_audit_spec());
  settings.set("pipeline", pipeline);
  if (!kind.empty()) settings.set("kind", kind);
  return guard::scheduled_audit(settings);
}

Result<guard::Look> make_look(App& app, const config::PipelineConfig& pipeline, InsideView inside) {
  TIDEMARK_ASSIGN(auto outside, Outside::create(app, pipeline, std::move(inside)));
  return guard::Look([outside](std::stop_token stop) { return outside->look(stop); });
}

Result<guard::AuditParts> make_audit_parts(App& app, const config::PipelineConfig& pipeline) {
  const SourceComponent& source = app.components.sources.get(pipeline.source.type);
  if (!source.audit)
    return cannot_audit(pipeline, "its source \"" + pipeline.source.type +
                                      "\" keeps no documents that its sink's could be compared with");
  const SinkComponent& sink = app.components.sinks.get(pipeline.sink.type);
  if (!sink.audit)
    return cannot_audit(pipeline,
                        "its sink \"" + pipeline.sink.type + "\" doesn't keep the documents as they are now");
  ComponentContext context = app.context();
  context.pipeline = pipeline.name;
  guard::AuditParts parts;
  parts.pipeline = pipeline.name;
  TIDEMARK_ASSIGN(PipelineParts built, build_pipeline(pipeline, app.components, app.context()));
  if (built.starts_by_itself)
    return cannot_audit(pipeline, "it keeps no position, so nobody can say what its sink must hold by now");
  TIDEMARK_ASSIGN(parts.source, source.audit(pipeline.source.settings, context));
  TIDEMARK_ASSIGN(parts.end, sink.audit(pipeline.sink.settings, context));
  parts.transforms = std::move(built.transforms);
  const auto whole = std::make_shared<PipelineParts>(std::move(built));
  parts.position = [whole](std::stop_token stop) {
    return whole->position_store().peek(whole->name, std::move(stop));
  };
  parts.make_source = [&pipeline, &source, context] {
    return source.make(pipeline.source.settings, context);
  };
  parts.make_sink = [&pipeline, &sink, context] { return sink.plain(pipeline.sink.settings, context); };
  parts.settings = meaning_of(pipeline);
  parts.clock = &app.clock;
  parts.files = &app.files;
  return parts;
}

std::string audit_state_path(const guard::GuardFrame& frame, const std::string& pipeline,
                             guard::AuditKind kind, bool by_hand) {
  if (frame.state.empty()) return {};
  return frame.state + "/" + pipeline + "." + std::string(to_string(kind)) +
         (by_hand ? ".by-hand.audit" : ".audit");
}

}  // namespace tidemark::app
