#include "sinks/mongodb/settings.h"

#include <algorithm>

namespace tidemark::mongodb_sink {
namespace {

constexpr const char* kDefaultPositionDatabase = "tidemark";

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
  options.writer.owners = {options.position_database, settings.string("owner_collection")};
  if (options.writer.owners.name.empty() || options.writer.owners.name == options.position_collection ||
      (options.position_database == database && options.writer.owners.name == settings.string("collection")))
    return fail(settings.error("owner_collection", "the owners need a collection of their own",
                               "give it another name"));
  options.lease_ttl = settings.duration("lease_ttl");
  return options;
}

std::vector<TableName> reserved_names(const Options& options, const ComponentContext& context) {
  std::vector<TableName> names = {{options.position_database, options.position_collection},
                                  options.writer.owners,
                                  {options.position_database, kDefaultPositionCollection},
                                  {options.position_database, kDefaultOwnerCollection},
                                  {kDefaultPositionDatabase, kDefaultPositionCollection},
                                  {kDefaultPositionDatabase, kDefaultOwnerCollection}};
  for (const std::string& name : context.reserved)
    if (const size_t dot = name.find('.'); dot != std::string::npos)
      names.push_back({name.substr(0, dot), name.substr(dot + 1)});
  return names;
}

std::optional<TablePattern> pattern_of(const config::Settings& settings) {
  auto target = TablePattern::parse(settings.string("database") + "." + settings.string("collection"),
                                    TablePattern::Schema::kAllowed);
  return target ? std::optional(std::move(*target)) : std::nullopt;
}

std::vector<TableName> own_names(const config::Settings& settings) {
  const auto options = options_of(settings);
  if (!options) return {};
  std::vector<TableName> names = {{options->position_database, options->position_collection}};
  if (options->current) names.push_back(options->writer.owners);
  return names;
}

}  // namespace tidemark::mongodb_sink
