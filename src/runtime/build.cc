#include "runtime/build.h"

#include "base/check.h"
#include "runtime/names.h"
#include "runtime/volatile_start.h"

namespace tidemark {
namespace {

PipelineLimits limits_of(const config::PipelineConfig& pipeline) {
  const config::Settings& frame = pipeline.frame;
  PipelineLimits limits;
  limits.lanes = static_cast<int>(frame.integer("lanes"));
  limits.on_reject = frame.string("on_reject") == "dead_letter" ? OnReject::kDeadLetter : OnReject::kStop;
  limits.batch_events_max = static_cast<size_t>(frame.integer("batch_events_max"));
  limits.batch_bytes_max = static_cast<size_t>(frame.bytes("batch_bytes_max"));
  limits.in_flight_bytes_max = static_cast<size_t>(frame.bytes("in_flight_bytes_max"));
  limits.unsaved_events_max = static_cast<uint64_t>(frame.integer("unsaved_events_max"));
  limits.idle_save = frame.duration("idle_save");
  limits.read_wait = frame.duration("read_wait");
  limits.drain_timeout = frame.duration("drain_timeout");
  limits.auth_patience = frame.duration("auth_patience");
  limits.retry = {frame.duration("retry_initial"), frame.duration("retry_max")};
  return limits;
}

template <class Factory>
const Factory& factory_of(const config::Registry<Factory>& registry, const std::string& type) {
  const auto* entry = registry.find(type);
  TIDEMARK_CHECK(entry != nullptr, "the parser let an unknown component type through");
  return entry->make;
}

// What is wrong between the parts though each is right alone.
// `acknowledges`: the source has positions of its own.
Status check_fit(const config::PipelineConfig& pipeline, const SinkFactories& sink,
                 const PipelineLimits& limits, bool acknowledges) {
  const config::Settings& source = pipeline.source.settings;
  const config::Settings& to = pipeline.sink.settings;
  if (limits.lanes > sink.lanes_max) {
    return fail(pipeline.frame.error("lanes", "the " + pipeline.sink.type + " sink takes at most " +
                                                  std::to_string(sink.lanes_max) +
                                                  (sink.lanes_max == 1 ? " lane" : " lanes")));
  }
  const bool stream = pipeline.source.type == "mongodb";
  const bool current = stream && sink.needs_full_documents && sink.needs_full_documents(to);
  const auto wider = [&](std::string_view field, const auto& is_apart) {
    return current && is_apart && source.string(field).empty() && !is_apart(to);
  };
  if (wider("collection", sink.is_per_collection) || wider("database", sink.is_per_database)) {
    return fail(to.error(
        "table",
        "the source reads more than one collection, whose documents would share a table and their ids",
        "write {collection} (and {database}, when it reads every database) into the table's name, or set "
        "the source's collection"));
  }
  const std::string full_document = stream ? source.string("full_document") : "";
  if (current && (full_document == "default" || full_document == "when_available")) {
    return fail(
        source.error("full_document",
                     "mode = \"current\" keeps whole documents, but with \"" + full_document +
                         "\" an update may come without its document",
                     "set full_document = \"update_lookup\", or \"required\" where post-images are kept"));
  }
  if (limits.on_reject == OnReject::kDeadLetter && !pipeline.dead_letters) {
    return fail(pipeline.frame.error("on_reject", "dead letters have no place to go",
                                     "add [pipeline.dead_letters] with type = \"sqlite\" and a path"));
  }
  if (acknowledges) {
    if (!pipeline.position) return {};
    return fail(pipeline.position->settings.error(
        "type",
        "the " + pipeline.source.type + " source needs no position: what it acknowledges, its server keeps",
        "remove [pipeline.position]"));
  }
  const bool keeps_own = (sink.transactional && limits.lanes == 1) || sink.own_positions;
  if (keeps_own && pipeline.position) {
    return fail(pipeline.position->settings.error(
        "type", "the " + pipeline.sink.type + " sink keeps the position beside its own rows",
        "remove [pipeline.position]"));
  }
  if (!keeps_own && !pipeline.position) {
    return fail(to.error("type", "the " + pipeline.sink.type + " sink has no position of its own",
                         "add [pipeline.position] with type = \"file\" and a path"));
  }
  return {};
}

}  // namespace

std::vector<const config::ComponentSpec*> all_specs(const Components& components) {
  std::vector<const config::ComponentSpec*> specs;
  const auto append = [&specs](const auto& registry) {
    for (const auto* spec : registry.specs()) specs.push_back(spec);
  };
  append(components.sources);
  append(components.transforms);
  append(components.sinks);
  append(components.positions);
  append(components.dead_letters);
  append(components.stats);
  specs.insert(specs.end(), components.singles.begin(), components.singles.end());
  return specs;
}

Result<PipelineParts> build_pipeline(const config::PipelineConfig& pipeline, const Components& components,
                                     const ComponentContext& base_context) {
  ComponentContext context = base_context;
  context.pipeline = pipeline.name;
  PipelineParts parts;
  parts.name = pipeline.name;
  parts.limits = limits_of(pipeline);
  const SinkFactories& sink = factory_of(components.sinks, pipeline.sink.type);
  const config::Settings& to = pipeline.sink.settings;
  for (std::string& name : reserved_names(pipeline, pipeline, components))
    context.reserved.push_back(std::move(name));
  context.keeps_documents = sink.needs_full_documents && sink.needs_full_documents(to);
  context.keeps_collections_apart =
      context.keeps_documents || (sink.is_per_collection && sink.is_per_collection(to));
  TIDEMARK_ASSIGN(parts.source,
                  factory_of(components.sources, pipeline.source.type)(pipeline.source.settings, context));
  const bool acknowledges = parts.source->own_positions() != nullptr;
  TIDEMARK_TRY(check_fit(pipeline, sink, parts.limits, acknowledges));
  for (const config::Component& transform : pipeline.transforms) {
    TIDEMARK_ASSIGN(auto made,
                    factory_of(components.transforms, transform.type)(transform.settings, context));
    parts.transforms.push_back(std::move(made));
  }
  TIDEMARK_ASSIGN(parts.concealment, Concealment::of(parts.transforms));
  parts.starts_by_itself = acknowledges;
  parts.limits.sink_first = parts.source->wants_sink_first();
  // A batch that transforms dropped whole is owed an acknowledgement too, and nobody may wait for it on a schedule.
  if (acknowledges) parts.limits.idle_save = std::chrono::milliseconds::zero();
  if (sink.transactional && parts.limits.lanes == 1 && !acknowledges) {
    parts.limits.transactional = true;
    TIDEMARK_ASSIGN(parts.transactional, sink.transactional(pipeline.sink.settings, context));
  } else {
    context.lane_count = parts.limits.lanes;
    for (context.lane = 0; context.lane < context.lane_count; ++context.lane) {
      TIDEMARK_ASSIGN(auto made, sink.plain(pipeline.sink.settings, context));
      parts.lanes.push_back(std::move(made));
    }
    context.lane = 0;
    if (acknowledges) {
      // The broker, or the client that waits for its answer, keeps the position.
    } else if (sink.own_positions) {
      TIDEMARK_ASSIGN(parts.positions, sink.own_positions(pipeline.sink.settings, context));
    } else {
      TIDEMARK_ASSIGN(parts.positions, factory_of(components.positions, pipeline.position->type)(
                                           pipeline.position->settings, context));
      if (pipeline.position->type == "memory") {
        parts.positions = start_at_now(std::move(parts.positions), *parts.source);
        parts.starts_by_itself = true;
      }
    }
  }
  if (pipeline.dead_letters) {
    TIDEMARK_ASSIGN(parts.dead_letters, factory_of(components.dead_letters, pipeline.dead_letters->type)(
                                            pipeline.dead_letters->settings, context));
  }
  return parts;
}

}  // namespace tidemark
