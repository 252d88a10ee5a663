#include "sinks/mongodb/settings.h"

#include <algorithm>

namespace tidemark::mongodb_sink {
namespace {

using config::FieldSpec;
using config::FieldType;

constexpr const char* kDefaultPositionDatabase = "tidemark";
constexpr const char* kDefaultPositionCollection = "tidemark_positions";

Status check_names(const config::Settings& settings) {
  for (const char* field : {"database", "collection"}) {
    if (settings.string(field).empty())
      return fail(
          settings.error(field, "it must not be empty", "give it a name, or {database} and {collection}"));
    const auto part = TablePattern::parse(settings.string(field), TablePattern::Schema::kNone);
    if (!part) return fail(settings.error(field, part.error().what, part.error().hint));
  }
  if (settings.string("database").find_first_of("./\\ \"$") != std::string::npos)
    return fail(settings.error("database", "a database's name can't hold any of ./\\ \"$", "rename it"));
  if (settings.string("collection").find('$') != std::string::npos)
    return fail(settings.error("collection", "a collection's name can't hold '$'", "rename it"));
  return {};
}

Status check_unique_key(const config::Settings& settings) {
  const auto& paths = settings.list("unique_key");
  if (!paths.empty() && settings.string("mode") != "insert")
    return fail(settings.error("unique_key", "mode \"current\" keeps documents by their _id",
                               "leave unique_key out, or use mode = \"insert\""));
  for (const std::string& path : paths) {
    const bool bad = path.empty() || path.front() == '.' || path.back() == '.' || path.front() == '$' ||
                     path.find("..") != std::string::npos;
    if (bad || std::count(paths.begin(), paths.end(), path) > 1)
      return fail(settings.error("unique_key", "\"" + path + "\" is no path of a field, or stands twice",
                                 "write dotted paths: [\"raw.source\", \"raw.id\"]"));
  }
  return {};
}

Status check_guard(const config::Settings& settings) {
  const std::string& guard = settings.string("guard_field");
  if (guard == "_id" || guard.find('.') != std::string::npos || guard.starts_with('$'))
    return fail(settings.error("guard_field", "it must be the name of a field, without '.' and '$'",
                               "leave it at \"_tidemark\""));
  if (guard.empty() && settings.string("mode") == "current" && settings.string("on_drop") == "apply") {
    return fail(settings.error(
        "guard_field", "without a guard a repeated drop or rename would remove what was written after it",
        "name a guard_field, or set on_drop to \"ignore\" or \"stop\""));
  }
  return {};
}

FieldSpec field(std::string name, FieldType type, std::string doc, std::string default_text = {}) {
  FieldSpec spec;
  spec.name = std::move(name);
  spec.type = type;
  spec.doc = std::move(doc);
  spec.default_text = std::move(default_text);
  return spec;
}

FieldSpec choice(std::string name, std::string doc, std::vector<std::string> choices) {
  FieldSpec spec = field(std::move(name), FieldType::kEnum, std::move(doc), choices.front());
  spec.choices = std::move(choices);
  return spec;
}

std::vector<FieldSpec> place_fields() {
  FieldSpec uri = field("uri", FieldType::kString, "The connection string of the destination.");
  uri.required = true;
  uri.secret = true;
  uri.example = "\"${TIDEMARK_DESTINATION_URI}\"";
  FieldSpec database =
      field("database", FieldType::kString, "The database. {database} stands for the event's own.");
  database.required = true;
  database.example = "\"{database}\"";
  FieldSpec collection =
      field("collection", FieldType::kString,
            "The collection. {database} and {collection} stand for the event's own; in mode "
            "\"current\" a source that watches more than one collection needs that.");
  collection.required = true;
  collection.example = "\"{collection}\"";
  return {uri, database, collection};
}

}  // namespace

Result<std::unique_ptr<mongo::Client>> Options::client() const {
  return mongo::Client::create({uri, "mongodb sink", grant});
}

std::unique_ptr<Writer> Options::make_writer(Clock& clock) const {
  WriterOptions options = writer;
  options.clock = &clock;
  return current ? make_current_writer(std::move(options)) : make_insert_writer(std::move(options));
}

mongo::Lease Options::lease(const std::string& pipeline) const {
  mongo::Lease lease;
  lease.collection = position_collection;
  lease.pipeline = pipeline;
  lease.ttl = lease_ttl;
  return lease;
}

Result<Options> options_of(const config::Settings& settings) {
  Options options;
  options.uri = settings.string("uri");
  if (auto checked = mongo::Client::create({options.uri, "mongodb sink", {}}); !checked)
    return fail(settings.error("uri", checked.error().what, checked.error().hint));
  TIDEMARK_TRY(check_names(settings));
  TIDEMARK_TRY(check_unique_key(settings));
  TIDEMARK_TRY(check_guard(settings));
  const std::string& database = settings.string("database");
  options.grant = "grant the user the role `readWrite` on " + database;
  options.current = settings.string("mode") == "current";
  auto target =
      TablePattern::parse(database + "." + settings.string("collection"), TablePattern::Schema::kAllowed);
  if (!target) return fail(settings.error("collection", target.error().what, target.error().hint));
  options.writer.target = std::move(*target);
  options.writer.unique_key = settings.list("unique_key");
  options.writer.guard_field = settings.string("guard_field");
  const std::string& on_drop = settings.string("on_drop");
  options.writer.on_drop = on_drop == "stop"     ? OnDrop::kStop
                           : on_drop == "ignore" ? OnDrop::kIgnore
                                                 : OnDrop::kApply;
  options.transactions = settings.string("transaction") == "auto";
  options.position_database = settings.string("position_database");
  if (options.position_database.empty())
    options.position_database = database.find('{') == std::string::npos ? database : kDefaultPositionDatabase;
  options.position_collection = settings.string("position_collection");
  if (options.position_collection.empty() ||
      (options.position_database == database && options.position_collection == settings.string("collection")))
    return fail(settings.error("position_collection", "positions need a collection of their own",
                               "give it another name"));
  options.lease_ttl = settings.duration("lease_ttl");
  return options;
}

std::vector<TableName> reserved_names(const Options& options, const ComponentContext& context) {
  std::vector<TableName> names = {{options.position_database, options.position_collection},
                                  {options.position_database, kDefaultPositionCollection},
                                  {kDefaultPositionDatabase, kDefaultPositionCollection}};
  for (const std::string& name : context.reserved)
    if (const size_t dot = name.find('.'); dot != std::string::npos)
      names.push_back({name.substr(0, dot), name.substr(dot + 1)});
  return names;
}

config::ComponentSpec spec() {
  config::ComponentSpec spec;
  spec.kind = "sink";
  spec.type = "mongodb";
  spec.summary =
      "Events as documents of a MongoDB deployment (4.2 or newer), always written to the majority and its "
      "journals. "
      "With one lane, documents and position commit in one transaction where the deployment has them. "
      "Replays do no "
      "harm in any form: mode \"insert\" takes a document that is there already for the same one, mode "
      "\"current\" "
      "guards each document with the token it was written by. Needs `readWrite` on the databases.";
  spec.fields = place_fields();
  spec.fields.push_back(choice("mode",
                               "current: the destination holds each document as it is now; deletes remove "
                               "it. insert: documents are only "
                               "added; an event that isn't an insert is rejected, and what has no document "
                               "(a drop, say) is passed over. "
                               "A document without `_id` gets the event's own key as `_id`.",
                               {"current", "insert"}));
  FieldSpec unique = field(
      "unique_key", FieldType::kStringList,
      "Mode \"insert\": the fields, as dotted paths, by which a repeated event is known again. The unique "
      "index is "
      "created when absent. A document that lacks one of them is rejected. Without it `_id` alone counts.");
  unique.example = "[\"raw.source\", \"raw.id\"]";
  spec.fields.push_back(unique);
  spec.fields.push_back(
      field("guard_field", FieldType::kString,
            "Mode \"current\": the field that keeps the token of the event a document was written by. "
            "\"\" for none: documents are exact copies, and a replay shows older states until it has "
            "caught up.",
            "_tidemark"));
  spec.fields.push_back(choice("on_drop",
                               "What a drop, rename or dropDatabase does in mode \"current\". apply: the "
                               "documents go, or move with the "
                               "collection. ignore: they stay. stop: the pipeline stops.",
                               {"apply", "ignore", "stop"}));
  spec.fields.push_back(choice("transaction",
                               "auto: documents and position in one transaction where the deployment has "
                               "them. off: documents first, the "
                               "position after them.",
                               {"auto", "off"}));
  spec.fields.push_back(
      field("position_database", FieldType::kString,
            "The database of the positions; by default `database`, or \"tidemark\" where that has "
            "placeholders."));
  spec.fields.push_back(field("position_collection", FieldType::kString,
                              "The collection of the positions, one document per pipeline.",
                              kDefaultPositionCollection));
  FieldSpec ttl =
      field("lease_ttl", FieldType::kDuration,
            "How long the lease on the position lasts after a save; after a crash the next instance waits "
            "for what is left of it.",
            "30s");
  ttl.min = 12'000;
  ttl.max = 3'600'000;
  spec.fields.push_back(ttl);
  return spec;
}

}  // namespace tidemark::mongodb_sink
