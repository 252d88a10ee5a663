#include <map>

#include "bson/json.h"
#include "config/fields.h"
#include "mongo/client.h"
#include "stats/mongodb/component.h"

namespace tidemark {
namespace {

constexpr int32_t kGroupsMax = 10'000;
constexpr int32_t kMaxTimeMs = 10'000;
// How a server before 5.0 refuses a snapshot outside of a transaction.
constexpr int kInvalidOptions = 72;

std::string name_of(const std::optional<bson::Element>& value) {
  if (!value || value->is_null()) return "none";
  if (value->is_string()) return std::string(value->string());
  std::string text;
  bson::append_json_value(*value, bson::JsonMode::kRelaxed, text);
  return text;
}

bson::Timestamp timestamp_in(bson::View document, std::string_view path) {
  bson::Timestamp time;
  if (const auto field = document.find_path(path); field && field->type() == BSON_TYPE_TIMESTAMP)
    bson_iter_timestamp(&field->iter(), &time.seconds, &time.increment);
  return time;
}

using Counts = std::map<std::string, int64_t>;

class MongodbStats final : public StatsProbe {
 public:
  MongodbStats(std::unique_ptr<mongo::Client> client, const config::Settings& settings)
      : client_(std::move(client)),
        database_(settings.string("database")),
        collection_(settings.string("collection")),
        severity_("$" + settings.string("severity_field")),
        category_("$" + settings.string("category_field")) {}

  std::string describe() const override { return "mongodb " + database_ + "." + collection_; }

  Result<StatsReport> look(std::stop_token stop) override {
    auto reply = ask(snapshots_ ? "snapshot" : "majority", stop);
    if (!reply && snapshots_ && reply.error().code == kInvalidOptions) {
      snapshots_ = false;
      reply = ask("majority", stop);
    }
    if (!reply) return fail(std::move(reply).error());
    return report(*reply);
  }

 private:
  Result<bson::Document> ask(const char* level, std::stop_token stop) {
    bson::Builder both;
    both.append("s", severity_).append("c", category_);
    bson::Builder one;
    one.append("$sum", int32_t{1});
    bson::Builder group;
    group.append("_id", both.view()).append("n", one.view());
    bson::Builder stage;
    stage.append("$group", group.view());
    bson::Builder pipeline;
    pipeline.append("0", stage.view());
    bson::Builder cursor;
    cursor.append("batchSize", kGroupsMax);
    bson::Builder concern;
    concern.append("level", level);
    bson::Builder command;
    command.append("aggregate", collection_).append_array("pipeline", pipeline.view());
    command.append("cursor", cursor.view()).append("readConcern", concern.view());
    command.append("maxTimeMS", kMaxTimeMs);
    return client_->read(database_, command.view(), std::move(stop));
  }

  Result<StatsReport> report(bson::View reply) const {
    const auto batch = reply.find_path("cursor.firstBatch");
    const auto cursor = reply.find_path("cursor.id");
    if (!batch || !batch->is_array()) return fail(React::kRetry, describe() + ": a reply without a cursor");
    if (cursor && cursor->integer().value_or(0) != 0) {
      return fail(React::kConfig,
                  describe() + ": more than " + std::to_string(kGroupsMax) +
                      " pairs of severity and category are no classification",
                  "check severity_field and category_field");
    }
    Counts severities, categories;
    StatsReport found;
    found.total = 0;
    for (const bson::Element item : batch->document()) {
      if (!item.is_document()) continue;
      const auto n = item.document().find("n");
      const int64_t count = n ? n->integer().value_or(0) : 0;
      severities[name_of(item.document().find_path("_id.s"))] += count;
      categories[name_of(item.document().find_path("_id.c"))] += count;
      *found.total += count;
    }
    found.by_severity.assign(severities.begin(), severities.end());
    found.by_category.assign(categories.begin(), categories.end());
    found.at = timestamp_in(reply, "cursor.atClusterTime");
    if (found.at == bson::Timestamp{}) found.at = timestamp_in(reply, "operationTime");
    return found;
  }

  const std::unique_ptr<mongo::Client> client_;
  const std::string database_;
  const std::string collection_;
  const std::string severity_;  // "$severity"
  const std::string category_;
  bool snapshots_ = true;  // until the server says otherwise
};

Status check_path(const config::Settings& settings, const char* field) {
  const std::string& path = settings.string(field);
  if (!path.empty() && path.front() != '$' && path.front() != '.' && path.back() != '.') return {};
  return fail(
      settings.error(field, "it must be the path of a field", "write it with dots: \"data.severity\""));
}

config::ComponentSpec make_spec() {
  using namespace config::fields;
  config::ComponentSpec spec;
  spec.kind = "stats";
  spec.type = "mongodb";
  spec.summary =
      "Counts the documents of a collection by severity and category, each time anew and by a connection of "
      "its own. The whole collection is looked at: an index on the two fields helps. Needs `read` on the "
      "database.";
  spec.fields = {
      uri("TIDEMARK_MONGODB_URI", "The connection string of the deployment."),
      required(text("database", "Its database."), "\"planes\""),
      required(text("collection", "Its collection."), "\"events\""),
      text("severity_field", "severity", "The path of the severity."),
      text("category_field", "category", "The path of the category."),
  };
  return spec;
}

Result<std::unique_ptr<StatsProbe>> make(const config::Settings& settings, const ComponentContext&) {
  const std::string& database = settings.string("database");
  for (const char* field : {"database", "collection"}) {
    if (settings.string(field).empty())
      return fail(settings.error(field, "it must not be empty", "give it a name"));
  }
  for (const char* field : {"severity_field", "category_field"}) TIDEMARK_TRY(check_path(settings, field));
  auto client = mongo::Client::create({settings.string("uri"),
                                       "mongodb stats " + database + "." + settings.string("collection"),
                                       "grant the user the role `read` on " + database});
  if (!client) return fail(settings.error("uri", client.error().what, client.error().hint));
  return std::make_unique<MongodbStats>(std::move(*client), settings);
}

}  // namespace

const StatsComponent& mongodb_stats_component() {
  static const StatsComponent component{.spec = make_spec(), .make = make};
  return component;
}

}  // namespace tidemark
