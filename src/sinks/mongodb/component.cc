#include "sinks/mongodb/component.h"

#include "config/fields.h"
#include "sinks/mongodb/audit.h"
#include "sinks/mongodb/settings.h"
#include "sinks/mongodb/sink.h"

namespace tidemark {
namespace {

constexpr int kLanesMax = 64;

config::ComponentSpec make_spec() {
  using namespace config::fields;
  config::ComponentSpec spec;
  spec.kind = "sink";
  spec.type = "mongodb";
  spec.summary =
      "Events as documents of a MongoDB deployment (4.2 or newer), always written to the majority and its "
      "journals. With one lane, documents and position commit in one transaction where the deployment has "
      "them. Replays do no harm in any form: mode \"insert\" takes a document that is there already for the "
      "same one, mode \"current\" guards each document with the token it was written by. Needs `readWrite` "
      "on the databases.";
  spec.fields = {
      uri("TIDEMARK_DESTINATION_URI", "The connection string of the destination."),
      required(text("database", "The database. {database} stands for the event's own."), "\"{database}\""),
      required(text("collection",
                    "The collection. {database} and {collection} stand for the event's own; in mode "
                    "\"current\" a source that watches more than one collection needs that."),
               "\"{collection}\""),
      choice("mode", {"current", "insert"},
             "current: the destination holds each document as it is now; deletes remove it. insert: "
             "documents are only added; an event that isn't an insert is rejected, and what has no document "
             "(a drop, say) is passed over. A document without `_id` gets the event's own key as `_id`."),
      with_example(list("unique_key",
                        "Mode \"insert\": the fields, as dotted paths, by which a repeated event is known "
                        "again. The unique index is created when absent. A document that lacks one of them "
                        "is rejected. Without it `_id` alone counts."),
                   "[\"raw.source\", \"raw.id\"]"),
      text("guard_field", "_tidemark",
           "Mode \"current\": the field that keeps the token of the event a document was written by. \"\" "
           "for none: documents are exact copies, and a replay shows older states until it has caught up."),
      choice("on_drop", {"apply", "ignore", "stop"},
             "What a drop, rename or dropDatabase does in mode \"current\". apply: the documents go, or move "
             "with the collection. ignore: they stay. stop: the pipeline stops."),
      choice("transaction", {"auto", "off"},
             "auto: documents and position in one transaction where the deployment has them. off: documents "
             "first, the position after them."),
      text("position_database",
           "The database of the positions and owners; by default `database`, or \"tidemark\" where that has "
           "placeholders."),
      text("position_collection", mongodb_sink::kDefaultPositionCollection,
           "The collection of the positions, one document per pipeline."),
      text("owner_collection", mongodb_sink::kDefaultOwnerCollection,
           "Mode \"current\": the collection that says which collection of the source each one here belongs "
           "to, so that no two share one. A drop or a rename at the source gives its place back."),
      duration("lease_ttl", "30s", 12'000, 3'600'000,
               "How long the lease on the position lasts after a save; after a crash the next instance waits "
               "for what is left of it."),
  };
  return spec;
}

KeptNames keeps(const config::Settings& settings) {
  KeptNames kept{"mongodb " + settings.string("uri"), {}};
  for (const TableName& own : mongodb_sink::own_names(settings)) kept.names.push_back(own.text());
  return kept;
}

bool is_current(const config::Settings& settings) { return settings.string("mode") == "current"; }

SinkComponent make_component() {
  SinkComponent component;
  component.spec = make_spec();
  component.plain = mongodb_sink::make_sink;
  component.transactional = mongodb_sink::make_transactional;
  component.own_positions = mongodb_sink::make_positions;
  component.audit = mongodb_sink::make_audit_end;
  component.lanes_max = kLanesMax;
  component.pattern = mongodb_sink::pattern_of;
  component.pattern_field = "collection";
  component.needs_full_documents = is_current;
  component.keeps_owners = is_current;
  component.keeps = keeps;
  component.own_names = mongodb_sink::own_names;
  return component;
}

}  // namespace

const SinkComponent& mongodb_sink_component() {
  static const SinkComponent component = make_component();
  return component;
}

}  // namespace tidemark
