#include "runtime/names.h"

#include "base/check.h"
#include "bson/document.h"
#include "core/watched_names.h"

namespace tidemark {
namespace {

const SinkFactories& sink_of(const config::PipelineConfig& pipeline, const Components& components) {
  const auto* entry = components.sinks.find(pipeline.sink.type);
  TIDEMARK_CHECK(entry != nullptr, "the parser let an unknown component type through");
  return entry->make;
}

std::string text_of(const Namespace& ns) {
  return std::string(ns.database) + "." + std::string(ns.collection);
}

Status check_ambiguity(const config::PipelineConfig& pipeline, const SinkFactories& sink,
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
      sink.target_field,
      "two collections may lead to one name: " + text_of(one) + " and " + text_of(other) + " both to '" +
          table.text() + "', and each would write over the other's documents",
      "part the two by something that no database's name can hold: \"{database}.{collection}\""));
}

// What an event of the watched database can reach by the name of its collection alone. One of another database, where that
// is a part of the name, is refused when it comes.
Status check_own_names(const config::PipelineConfig& pipeline, const SinkFactories& sink,
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
        sink.target_field,
        "a collection named " + *reached + " would be written into " + own.text() +
            ", where the pipeline keeps its position",
        "set position_database to a database that no collection is written to" +
            (database.empty() ? ""
                              : ", or exclude = [\"" + database + "." + *reached + "\"] on the source")));
  }
  return {};
}

}  // namespace

Status check_names(const config::PipelineConfig& pipeline, const Components& components) {
  const SinkFactories& sink = sink_of(pipeline, components);
  if (pipeline.source.type != "mongodb" || !sink.target) return {};
  const auto pattern = sink.target(pipeline.sink.settings);
  if (!pattern) return {};
  TIDEMARK_TRY(check_ambiguity(pipeline, sink, *pattern));
  return check_own_names(pipeline, sink, *pattern);
}

Status check_names_to_run(const config::PipelineConfig& pipeline, const Components& components) {
  const SinkFactories& sink = sink_of(pipeline, components);
  if (pipeline.source.type != "mongodb" || !sink.target || sink.keeps_owners) return {};
  const auto pattern = sink.target(pipeline.sink.settings);
  return pattern ? check_ambiguity(pipeline, sink, *pattern) : Status();
}

std::vector<std::string> reserved_names(const config::PipelineConfig& pipeline,
                                        const config::PipelineConfig& other, const Components& components) {
  const config::Component& sink = pipeline.sink;
  std::vector<std::string> names;
  // Names in one file, or of one deployment.
  const auto is_here = [&](const config::Component& part, const char* place) {
    return part.type == sink.type && part.settings.string(place) == sink.settings.string(place);
  };
  const auto add_store = [&](const std::optional<config::Component>& store) {
    if (!store) return;
    if (sink.type == "sqlite" && is_here(*store, "path")) names.emplace_back("dead_letters");
    if (sink.type == "mongodb" && is_here(*store, "uri"))
      names.push_back(store->settings.string("database") + "." + store->settings.string("collection"));
  };
  add_store(other.position);
  add_store(other.dead_letters);
  if ((sink.type == "sqlite" && is_here(other.sink, "path")) ||
      (sink.type == "postgres" && is_here(other.sink, "uri")))
    for (const char* table : {"position_table", "owner_table"})
      names.push_back(other.sink.settings.string(table));
  const SinkFactories& factories = sink_of(other, components);
  if (sink.type == "mongodb" && is_here(other.sink, "uri") && factories.own_names)
    for (const TableName& own : factories.own_names(other.sink.settings)) names.push_back(own.text());
  return names;
}

std::vector<std::string> name_warnings(const config::PipelineConfig& pipeline, const Components& components) {
  const SinkFactories& sink = sink_of(pipeline, components);
  if (pipeline.source.type != "mongodb" || !sink.needs_full_documents ||
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
