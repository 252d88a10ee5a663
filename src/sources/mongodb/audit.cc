#include "sources/mongodb/audit.h"

#include <algorithm>
#include <array>

#include "bson/json.h"
#include "bson/matcher.h"
#include "core/watched_names.h"
#include "mongo/documents.h"
#include "sources/mongodb/filter.h"

namespace tidemark::mongodb {
namespace {

constexpr const char* kWho = "audit of the mongodb source";
constexpr std::array kChanges = {"insert", "update", "replace", "delete"};

// What a $match may ask about so that an audit can answer for it.
bool tells_by_name(std::string_view path) {
  return path == "operationType" || path == "ns" || path == "ns.db" || path == "ns.coll";
}

// What rows are made of, or found by.
bool makes_rows(std::string_view path) {
  constexpr std::array kHeads = {"_id", "operationType", "fullDocument", "documentKey", "ns",
                                 "to",  "clusterTime"};
  return std::find(kHeads.begin(), kHeads.end(), path.substr(0, path.find('.'))) != kHeads.end();
}

bool asks_names_alone(bson::View query) {
  for (const bson::Element condition : query) {
    const std::string_view key = condition.key();
    if (key == "$comment") continue;
    if (key == "$and" || key == "$or" || key == "$nor") {
      if (!condition.is_array()) return false;
      for (const bson::Element item : condition.document())
        if (!item.is_document() || !asks_names_alone(item.document())) return false;
    } else if (!tells_by_name(key)) {
      return false;
    }
  }
  return true;
}

bool removes_what_makes_no_row(const bson::Element& stage) {
  const auto harmless = [](const bson::Element& name) {
    return name.is_string() && !makes_rows(name.string());
  };
  if (stage.key() == "$unset") {
    if (!stage.is_array()) return harmless(stage);
    for (const bson::Element name : stage.document())
      if (!harmless(name)) return false;
    return true;
  }
  if (stage.key() != "$project") return false;
  for (const bson::Element field : stage.document()) {
    const bool removed = (field.is_number() || field.type() == BSON_TYPE_BOOL) && !field.truthy();
    if (!removed || makes_rows(field.key())) return false;
  }
  return true;
}

// The source's filter, as far as it is about collections.
class Watched {
 public:
  static Result<Watched> parse(const config::Settings& settings) {
    auto exclude = ExcludedNames::parse(settings.list("exclude"));
    if (!exclude) return fail(settings.error("exclude", exclude.error().what, exclude.error().hint));
    auto filter = parse_filter(settings.string("filter"));
    if (!filter) return fail(settings.error("filter", filter.error().what, filter.error().hint));
    Watched watched;
    watched.exclude_ = std::move(*exclude);
    for (const bson::Element item : filter->written.view()) {
      const bson::Element stage = *item.document().begin();
      if (removes_what_makes_no_row(stage)) continue;
      if (stage.key() != "$match" || !asks_names_alone(stage.document())) return fail(refused(settings));
      auto matcher = bson::Matcher::parse(stage.document());
      if (!matcher) return fail(settings.error("filter", matcher.error().what, matcher.error().hint));
      watched.matches_.push_back(std::move(*matcher));
    }
    return watched;
  }

  // kConfig when only some kinds of its changes are let through.
  Result<bool> has(const CollectionName& name) const {
    if (exclude_.has(name.view()) || is_temporary_collection(name.collection)) return false;
    size_t passing = 0;
    for (const char* change : kChanges) passing += passes(name, change) ? 1 : 0;
    if (passing != 0 && passing != kChanges.size()) {
      return fail(React::kConfig,
                  std::string(kWho) + ": the filter lets only some kinds of changes of " + name.text() +
                      " through, so that its documents don't tell what the destination must hold",
                  "let insert, update, replace and delete through, or audit no pipeline of this filter");
    }
    return passing != 0;
  }

 private:
  static Error refused(const config::Settings& settings) {
    return settings.error(
        "filter",
        "the filter is about change events, and an audit sees documents: what the destination "
        "must hold can't be told from them",
        "only $match on operationType and ns can be audited; the transforms `filter` and "
        "`project` do the same for documents, and are applied by the audit too");
  }

  bool passes(const CollectionName& name, const char* change) const {
    bson::Builder ns, event;
    ns.append("db", name.database).append("coll", name.collection);
    event.append("operationType", change).append("ns", ns.view());
    return std::all_of(matches_.begin(), matches_.end(),
                       [&](const bson::Matcher& match) { return match.matches(event.view()); });
  }

  ExcludedNames exclude_;
  std::vector<bson::Matcher> matches_;
};

class MongodbAuditSource final : public AuditSource {
 public:
  MongodbAuditSource(std::string database, std::string collection, Watched watched, std::string name,
                     std::unique_ptr<mongo::Client> client)
      : database_(std::move(database)),
        collection_(std::move(collection)),
        watched_(std::move(watched)),
        name_(std::move(name)),
        reader_(std::move(client)) {}

  std::string describe() const override { return name_; }
  Status open(std::stop_token stop) override { return reader_.open(std::move(stop)); }

  Result<std::vector<CollectionName>> collections(std::stop_token stop) override {
    TIDEMARK_ASSIGN(auto found, reader_.collections(database_, collection_, std::move(stop)));
    // One that was dropped holds no documents; the rows it may have left behind are looked for all the same.
    if (found.empty() && !database_.empty() && !collection_.empty())
      found.push_back({.database = database_, .collection = collection_});
    std::vector<CollectionName> names;
    for (CollectionName& name : found) {
      TIDEMARK_ASSIGN(const bool watched, watched_.has(name));
      if (watched) names.push_back(std::move(name));
    }
    return names;
  }

  Result<AuditPage> scan(const CollectionName& collection, const std::string& last_id, size_t limit,
                         const Visit& visit, std::stop_token stop) override {
    return reader_.scan(collection, last_id, limit, visit, std::move(stop));
  }
  bool forgets(const CollectionName& collection) const override { return reader_.capped(collection); }
  Result<bson::Timestamp> lookup(const CollectionName& collection, std::span<const AuditId> ids,
                                 const Visit& visit, std::stop_token stop) override {
    return reader_.lookup(collection, ids, visit, std::move(stop));
  }
  Result<std::map<std::optional<int64_t>, uint64_t>> counts(const CollectionName& collection,
                                                            const AuditBuckets& buckets,
                                                            std::stop_token stop) override {
    return reader_.counts(collection, buckets, std::move(stop));
  }
  void close() override { reader_.close({}); }

 private:
  const std::string database_;
  const std::string collection_;
  const Watched watched_;
  const std::string name_;
  mongo::DocumentReader reader_;
};

}  // namespace

Result<std::unique_ptr<AuditSource>> make_audit_source(const config::Settings& settings,
                                                       const ComponentContext&) {
  const std::string& database = settings.string("database");
  const std::string& collection = settings.string("collection");
  if (!collection.empty() && database.empty())
    return fail(settings.error("collection", "a collection needs its database", "add `database`"));
  TIDEMARK_ASSIGN(Watched watched, Watched::parse(settings));
  const std::string name = database.empty()     ? "the whole deployment"
                           : collection.empty() ? database
                                                : database + "." + collection;
  auto client = mongo::Client::create({settings.string("uri"), kWho,
                                       database.empty() ? "grant the user `readAnyDatabase`"
                                                        : "grant the user the role `read` on " + database});
  if (!client) return fail(settings.error("uri", client.error().what, client.error().hint));
  return std::make_unique<MongodbAuditSource>(database, collection, std::move(watched), "mongodb " + name,
                                              std::move(*client));
}

}  // namespace tidemark::mongodb
