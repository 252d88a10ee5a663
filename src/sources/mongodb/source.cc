#include "base/digest.h"
#include "config/fields.h"
#include "sources/mongodb/audit.h"
#include "sources/mongodb/component.h"
#include "sources/mongodb/filter.h"
#include "sources/mongodb/stream_source.h"

namespace tidemark {
namespace {

constexpr std::chrono::milliseconds kServerSelection{500};
constexpr std::chrono::milliseconds kConnect{5'000};
constexpr std::chrono::milliseconds kSocket{120'000};

std::chrono::milliseconds given_or(const config::Settings& settings, std::string_view name,
                                   std::chrono::milliseconds otherwise) {
  return settings.has(name) ? settings.duration(name) : otherwise;
}

// What a token depends on, in one form whatever the spelling of the configuration; bytes that can't be
// confused with each other, because every part is preceded by its size.
std::string fingerprint_of(const mongodb::StreamOptions& stream, const bson::Document& filter) {
  std::string form = "mongodb change stream 1";
  const auto add = [&form](std::string_view part) {
    form += '\n' + std::to_string(part.size()) + ':';
    form.append(part);
  };
  add(stream.database);
  add(stream.collection);
  add({reinterpret_cast<const char*>(filter.view().data()), filter.size()});
  add(stream.full_document);
  add(stream.full_document_before_change);
  add(stream.expanded_events ? "expanded" : "");
  return to_hex(sha256(form));
}

std::string summary_of(const mongodb::StreamOptions& stream, const bson::Document& filter) {
  std::string summary = stream.database.empty()     ? "the whole deployment"
                        : stream.collection.empty() ? "database " + stream.database
                                                    : stream.database + "." + stream.collection;
  if (stream.full_document != "default") summary += ", full_document=" + stream.full_document;
  if (stream.full_document_before_change != "off")
    summary += ", full_document_before_change=" + stream.full_document_before_change;
  if (stream.expanded_events) summary += ", expanded_events";
  if (!filter.view().empty()) summary += ", filtered";
  return summary;
}

Status lint_namespace(const config::Settings& settings, const mongodb::StreamOptions& stream) {
  if (!stream.collection.empty() && stream.database.empty()) {
    return fail(settings.error("collection", "a collection needs its database",
                               "add `database`, or remove `collection` to watch more"));
  }
  if (stream.database == "admin" || stream.database == "local" || stream.database == "config") {
    return fail(settings.error("database", "MongoDB has no change streams of `" + stream.database + "`",
                               "watch another database, or the whole deployment by leaving it out"));
  }
  if (stream.database.find_first_of("/\\. \"$") != std::string::npos) {
    return fail(settings.error("database", "`" + stream.database + "` is not a name that a database can have",
                               "give the database's name alone; the collection has a field of its own"));
  }
  if (stream.collection.starts_with("system.") || stream.collection.find('$') != std::string::npos) {
    return fail(settings.error("collection", "MongoDB has no change streams of `" + stream.collection + "`",
                               "system collections and names with $ cannot be watched"));
  }
  return {};
}

config::ComponentSpec make_spec() {
  using namespace config::fields;
  constexpr int64_t kMinuteMs = 60'000;
  config::ComponentSpec spec;
  spec.kind = "source";
  spec.type = "mongodb";
  spec.summary =
      "A MongoDB change stream: every change of a collection, a database or a whole deployment, from a "
      "stored position on. Needs a replica set or a sharded cluster, MongoDB 4.2 or later, and the "
      "privileges `find` and `changeStream` on what is watched (the role `read`, or `readAnyDatabase` for a "
      "whole deployment).";
  spec.fields = {
      required(
          secret(text("uri",
                      "The connection string, mongodb:// or mongodb+srv://. Its options hold: readPreference "
                      "chooses the member that is read, and timeouts given in it go before the ones below.")),
          "\"mongodb://user:password@db1,db2/?replicaSet=rs0\""),
      with_example(text("database", "The database to watch; without it the whole deployment."), "\"shop\""),
      with_example(text("collection", "The collection to watch; without it the whole database."),
                   "\"orders\""),
      with_example(json("filter",
                        "Aggregation stages that run on the server, as a JSON array: $match, $project, "
                        "$addFields, $set, $unset and $redact. They must leave `_id`, the resume token, and "
                        "`operationType` as they are. A position is good for the filter it was made with "
                        "alone. The end of the stream (`invalidate`) always passes the filter."),
                   "'[{\"$match\": {\"operationType\": {\"$in\": [\"insert\", \"delete\"]}}}]'"),
      with_example(list("exclude",
                        "Collections whose changes are left out, as \"database.collection\", or "
                        "\"database.*\" for a whole database. They are left out here and not on the server, "
                        "so that a position stays good when the list changes. A collection that is taken off "
                        "the list is not read anew: audit it, and repair."),
                   "[\"shop.orders_pkey\", \"logs.*\"]"),
      choice("full_document", {"default", "update_lookup", "when_available", "required"},
             "The document in an update: `default` sends none; `update_lookup` the current one, which may be "
             "newer than the change, or gone; `when_available` and `required` the stored post-image (MongoDB "
             "6.0, changeStreamPreAndPostImages on the collection)."),
      choice("full_document_before_change", {"off", "when_available", "required"},
             "The document before the change: its stored pre-image (MongoDB 6.0, "
             "changeStreamPreAndPostImages)."),
      flag("expanded_events", false,
           "Also deliver DDL such as create, createIndexes and modify (MongoDB 6.0)."),
      choice("split_large_events", {"auto", "on", "off"},
             "What to do about events over 16 MB. `auto` lets the server split them where it can (6.0.9, "
             "7.0) and puts them together again; elsewhere, and with `off`, the one event is rejected and "
             "follows `on_reject`. `on` refuses to start on a server that can't."),
      number("batch_size", "1000", 1, 100'000,
             "Events asked for at once. Fewer are asked for while events are large, so that a batch stays "
             "near 4 MiB."),
      duration("max_await", "1s", 1, kMinuteMs, "How long the server may hold an empty answer back."),
      choice("start_after", {"auto", "on", "off"},
             "Resume with startAfter, which alone continues after a dropped or renamed collection. `auto` "
             "falls back to resumeAfter, at the same position, for services that don't know it."),
      duration(
          "server_selection_timeout", "", 1, kMinuteMs,
          "How long one attempt looks for a member (500ms unless the uri says otherwise). Attempts are "
          "repeated, and a new primary is noticed at once, so that a long timeout only delays shutdown."),
      duration("connect_timeout", "", 1, kMinuteMs, "For one connection (5s unless the uri says otherwise)."),
      duration("socket_timeout", "", 1'000, 60 * kMinuteMs,
               "For one answer (2m unless the uri says otherwise). A filter that seldom matches, or a quiet "
               "collection among busy ones, makes the server scan long before it answers: after an answer "
               "that didn't come in time the next is waited for twice as long. A member that is lost is "
               "noticed earlier, by its monitor."),
      duration("primary_patience", "15s", 0, 60 * kMinuteMs,
               "How long the deployment may be without a primary before a warning says so, once. An election "
               "takes up to some 12 s with MongoDB's own settings, and every start knows no primary for a "
               "moment."),
      duration("scan_timeout_max", "1h", 1'000, 24 * 60 * kMinuteMs,
               "What the wait for an answer may grow to while the server scans."),
      text("app_name", "tidemark", "The name by which the server's log and currentOp know this pipeline."),
  };
  return spec;
}

Result<std::unique_ptr<Source>> make(const config::Settings& settings, const ComponentContext& context) {
  mongodb::SourceOptions options;
  options.pipeline = context.pipeline;
  options.stream.database = settings.string("database");
  options.stream.collection = settings.string("collection");
  options.stream.full_document = settings.string("full_document");
  options.stream.full_document_before_change = settings.string("full_document_before_change");
  options.stream.expanded_events = settings.boolean("expanded_events");
  options.split = settings.string("split_large_events");
  options.start_after = settings.string("start_after");
  options.batch_size = settings.integer("batch_size");
  options.max_await = settings.duration("max_await");
  options.driver.uri = settings.string("uri");
  options.driver.app_name = settings.string("app_name");
  options.driver.server_selection_timeout = given_or(settings, "server_selection_timeout", kServerSelection);
  options.driver.connect_timeout = given_or(settings, "connect_timeout", kConnect);
  options.driver.socket_timeout =
      given_or(settings, "socket_timeout", mongodb::socket_timeout_of(options.driver.uri).value_or(kSocket));
  options.driver.primary_patience = settings.duration("primary_patience");
  options.scan_timeout_max = settings.duration("scan_timeout_max");

  if (auto status = mongodb::check_uri(options.driver.uri); !status)
    return fail(settings.error("uri", status.error().what, status.error().hint));
  if (options.max_await >= options.driver.socket_timeout) {
    return fail(settings.error(settings.has("socket_timeout") ? "socket_timeout" : "max_await",
                               "the server may hold an empty answer back (max_await) for as long as it is "
                               "waited for (socket_timeout)",
                               "make max_await shorter than socket_timeout"));
  }
  if (options.driver.app_name.size() > 128)
    return fail(
        settings.error("app_name", "it is longer than the 128 bytes that MongoDB takes", "shorten it"));
  TIDEMARK_TRY(lint_namespace(settings, options.stream));
  auto exclude = ExcludedNames::parse(settings.list("exclude"));
  if (!exclude) return fail(settings.error("exclude", exclude.error().what, exclude.error().hint));
  options.reread.names = {options.stream.database, options.stream.collection, std::move(*exclude)};
  options.reread.rereads = context.keeps_documents;
  options.reread.hides_temporary = context.keeps_collections_apart;
  auto filter = mongodb::parse_filter(settings.string("filter"));
  if (!filter) return fail(settings.error("filter", filter.error().what, filter.error().hint));
  options.stream.stages = filter->stages;
  // A rename that the filter hides may bring documents that it lets through.
  if (auto matchers = mongodb::matchers_of(*filter); matchers && context.keeps_documents) {
    options.stream.stages = mongodb::stages_with_renames(*filter);
    options.reread.filter = std::move(*matchers);
    options.reread.filter_names = mongodb::name_conditions(*filter);
  }
  options.identity.fingerprint = fingerprint_of(options.stream, filter->written);
  options.identity.summary = summary_of(options.stream, filter->written);
  return std::make_unique<mongodb::StreamSource>(std::move(options), *context.clock);
}

}  // namespace

const SourceComponent& mongodb_source_component() {
  static const SourceComponent component{
      .spec = make_spec(), .make = make, .audit = mongodb::make_audit_source, .is_change_stream = true};
  return component;
}

}  // namespace tidemark
