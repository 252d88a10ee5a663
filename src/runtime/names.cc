#include "runtime/names.h"

#include "bson/document.h"
#include "core/watched_names.h"

namespace tidemark {
namespace {

// The pattern where two collections under one name would harm each other, in a pipeline that has collections.
std::optional<TablePattern> pattern_at_risk(const config::PipelineConfig& pipeline, const SinkComponent& sink,
                                            const Components& components) {
  const config::Settings& to = pipeline.sink.settings;
  if (!components.sources.get(pipeline.source.type).is_change_stream || !sink.pattern) return std::nullopt;
  if (sink.keeps_namespaces && sink.keeps_namespaces(to)) return std::nullopt;
  return sink.pattern(to);
}

std::string text_of(const Namespace& ns) {
  return std::string(ns.database) + "." + std::string(ns.collection);
}

Status check_ambiguity(const config::PipelineConfig& pipeline, const SinkComponent& sink,
                       const TablePattern& pattern) {
  // One database's collections are kept apart by {collection} alone.
  if (!pipeline.source.settings.string("database").empty()) return {};
  const auto pair = pattern.collision();
  if (!pair) return {};
  const Namespace one{pair->first.database, pair->first.collection};
  const Namespace other{pair->second.database, pair->second.collection};
  TableName table;
  pattern.expand(one, table);
  return fail(pipeline.sink.settings.error(
      sink.pattern_field,
      "two collections may lead to one name: " + text_of(one) + " and " + text_of(other) + " both to '" +
          table.text() + "', and each would write over the other's documents",
      "part the two by something that no database's name can hold: \"{database}.{collection}\""));
}

// What an event of the watched database can reach by the name of its collection alone. One of another database, where that
// is a part of the name, is refused when it comes.
Status check_own_names(const config::PipelineConfig& pipeline, const SinkComponent& sink,
                       const TablePattern& pattern) {
  if (!sink.own_names) return {};
  const config::Settings& source = pipeline.source.settings;
  const std::string& database = source.string("database");
  const std::string& collection = source.string("collection");
  if (database.empty() && pattern.has_database()) return {};
  const auto exclude = ExcludedNames::parse(source.list("exclude"));
  for (const TableName& own : sink.own_names(pipeline.sink.settings)) {
    const auto reached = pattern.collection_that_leads_to(own, database);
    if (!reached || (!collection.empty() && collection != *reached)) continue;
    if (exclude && !database.empty() && exclude->has(database, *reached)) continue;
    return fail(pipeline.sink.settings.error(
        sink.pattern_field,
        "a collection named " + *reached + " would be written into " + own.text() +
            ", where the pipeline keeps what is its own",
        "set position_database to a database that no collection is written to" +
            (database.empty() ? ""
                              : ", or exclude = [\"" + database + "." + *reached + "\"] on the source")));
  }
  return {};
}

}  // namespace

Status check_names(const config::PipelineConfig& pipeline, const Components& components) {
  const SinkComponent& sink = components.sinks.get(pipeline.sink.type);
  const auto pattern = pattern_at_risk(pipeline, sink, components);
  if (!pattern) return {};
  TIDEMARK_TRY(check_ambiguity(pipeline, sink, *pattern));
  return check_own_names(pipeline, sink, *pattern);
}

Status check_names_to_run(const config::PipelineConfig& pipeline, const Components& components) {
  const SinkComponent& sink = components.sinks.get(pipeline.sink.type);
  if (sink.keeps_owners && sink.keeps_owners(pipeline.sink.settings)) return {};
  const auto pattern = pattern_at_risk(pipeline, sink, components);
  return pattern ? check_ambiguity(pipeline, sink, *pattern) : Status();
}

std::vector<std::string> reserved_names(const config::PipelineConfig& pipeline,
                                        const config::PipelineConfig& other, const Components& components) {
  std::vector<std::string> names;
  const SinkComponent& sink = components.sinks.get(pipeline.sink.type);
  if (!sink.keeps) return names;
  const std::string place = sink.keeps(pipeline.sink.settings).place;
  const auto add = [&](const Keeps& keeps, const config::Settings& settings) {
    if (!keeps) return;
    KeptNames kept = keeps(settings);
    if (kept.place == place) names.insert(names.end(), kept.names.begin(), kept.names.end());
  };
  if (other.position) add(components.positions.get(other.position->type).keeps, other.position->settings);
  if (other.dead_letters)
    add(components.dead_letters.get(other.dead_letters->type).keeps, other.dead_letters->settings);
  add(components.sinks.get(other.sink.type).keeps, other.sink.settings);
  return names;
}

std::vector<std::string> name_warnings(const config::PipelineConfig& pipeline, const Components& components) {
  const SinkComponent& sink = components.sinks.get(pipeline.sink.type);
  if (!components.sources.get(pipeline.source.type).is_change_stream || !sink.needs_full_documents ||
      !sink.needs_full_documents(pipeline.sink.settings))
    return {};
  const config::Settings& source = pipeline.source.settings;
  const auto parsed = bson::Document::from_json("{\"filter\": " + source.string("filter") + "}");
  const auto stages = parsed ? parsed->view().find("filter") : std::nullopt;
  if (!stages || !stages->is_array()) return {};
  bool chooses = false, changes = false;
  for (const bson::Element stage : stages->document()) {
    if (!stage.is_document() || stage.document().empty()) continue;
    const std::string_view name = (*stage.document().begin()).key();
    chooses = chooses || name == "$match" || name == "$redact";
    changes = changes || name != "$match";
  }
  if (!chooses || !changes) return {};
  return {source.where("filter") +
          ": this filter can also hide renames, and what they bring is then missing: choose by $match alone "
          "(what it says is "
          "then asked of renamed collections too), or by `exclude` and the transform `filter`"};
}

}  // namespace tidemark
