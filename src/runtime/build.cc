#include "runtime/build.h"

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

bool keeps_current(const SinkComponent& sink, const config::Settings& settings) {
  return sink.needs_full_documents && sink.needs_full_documents(settings);
}

std::optional<TablePattern> pattern_of(const SinkComponent& sink, const config::Settings& settings) {
  return sink.pattern ? sink.pattern(settings) : std::nullopt;
}

// What is wrong between the parts though each is right alone.
// `acknowledges`: the source has positions of its own.
Status check_fit(const config::PipelineConfig& pipeline, const SourceComponent& source_type,
                 const SinkComponent& sink, const PipelineLimits& limits, bool acknowledges) {
  const config::Settings& source = pipeline.source.settings;
  const config::Settings& to = pipeline.sink.settings;
  if (limits.lanes > sink.lanes_max) {
    return fail(pipeline.frame.error("lanes", "the " + pipeline.sink.type + " sink takes at most " +
                                                  std::to_string(sink.lanes_max) +
                                                  (sink.lanes_max == 1 ? " lane" : " lanes")));
  }
  const bool stream = source_type.is_change_stream;
  const bool current = stream && keeps_current(sink, to);
  const auto pattern = pattern_of(sink, to);
  const auto wider = [&](std::string_view field, bool is_apart) {
    return current && sink.pattern && source.string(field).empty() && !is_apart;
  };
  if (wider("collection", pattern && pattern->has_collection()) ||
      wider("database", pattern && pattern->has_database())) {
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
  const SourceComponent& source = components.sources.get(pipeline.source.type);
  const SinkComponent& sink = components.sinks.get(pipeline.sink.type);
  const config::Settings& to = pipeline.sink.settings;
  for (std::string& name : reserved_names(pipeline, pipeline, components))
    context.reserved.push_back(std::move(name));
  context.keeps_documents = keeps_current(sink, to);
  const auto pattern = pattern_of(sink, to);
  context.keeps_collections_apart = context.keeps_documents || (pattern && pattern->has_collection());
  TIDEMARK_ASSIGN(parts.source, source.make(pipeline.source.settings, context));
  const bool acknowledges = parts.source->own_positions() != nullptr;
  TIDEMARK_TRY(check_fit(pipeline, source, sink, parts.limits, acknowledges));
  for (const config::Component& transform : pipeline.transforms) {
    TIDEMARK_ASSIGN(auto made, components.transforms.get(transform.type).make(transform.settings, context));
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
      const PositionComponent& positions = components.positions.get(pipeline.position->type);
      TIDEMARK_ASSIGN(parts.positions, positions.make(pipeline.position->settings, context));
      if (positions.begins_at_now) {
        parts.positions = start_at_now(std::move(parts.positions), *parts.source);
        parts.starts_by_itself = true;
      }
    }
  }
  if (pipeline.dead_letters) {
    TIDEMARK_ASSIGN(parts.dead_letters, components.dead_letters.get(pipeline.dead_letters->type)
                                            .make(pipeline.dead_letters->settings, context));
  }
  return parts;
}

}  // namespace tidemark
