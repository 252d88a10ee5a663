#include "config/fields.h"
#include "mongo/position_store.h"
#include "positions/mongodb/component.h"

namespace tidemark {
namespace {

config::ComponentSpec make_spec() {
  using namespace config::fields;
  config::ComponentSpec spec;
  spec.kind = "position";
  spec.type = "mongodb";
  spec.summary =
      "Keeps the position in a document of a MongoDB collection, written to the majority, with a lease that "
      "keeps a second instance out and an epoch that refuses the writes of an owner that lost it. Needs "
      "`readWrite` on the database.";
  spec.fields = {
      uri("TIDEMARK_MONGODB_URI",
          "The connection string of the deployment that keeps the position; it need not be the source's."),
      text("database", "tidemark", "Its database."),
      text("collection", "positions", "Its collection: one document for each pipeline."),
      duration("lease_ttl", "30s", 12'000, 3'600'000,
               "How long the lease lasts after a save. A pipeline saves at least every 10 s, so that this "
               "must be longer. After a crash the next instance waits for what is left of it; where the "
               "lease is renewed meanwhile, another instance lives, and this one refuses to run."),
  };
  return spec;
}

Result<std::unique_ptr<PositionStore>> make(const config::Settings& settings,
                                            const ComponentContext& context) {
  const std::string database = settings.string("database");
  mongo::ClientOptions options;
  options.uri = settings.string("uri");
  options.who = "mongodb positions " + database + "." + settings.string("collection");
  options.grant = "grant the user the role `readWrite` on " + database;
  auto client = mongo::Client::create(std::move(options));
  if (!client) return fail(settings.error("uri", client.error().what, client.error().hint));
  for (const char* field : {"database", "collection"}) {
    if (settings.string(field).empty())
      return fail(settings.error(field, "it must not be empty", "give it a name, or leave it out"));
  }
  mongo::Lease lease;
  lease.collection = settings.string("collection");
  lease.pipeline = context.pipeline;
  lease.ttl = settings.duration("lease_ttl");
  return std::make_unique<mongo::LeasedPositionStore>(std::move(*client), database, std::move(lease),
                                                      *context.clock);
}

KeptNames keeps(const config::Settings& settings) {
  return {"mongodb " + settings.string("uri"),
          {settings.string("database") + "." + settings.string("collection")}};
}

}  // namespace

const PositionComponent& mongodb_position_component() {
  static const PositionComponent component{.spec = make_spec(), .make = make, .keeps = keeps};
  return component;
}

}  // namespace tidemark
