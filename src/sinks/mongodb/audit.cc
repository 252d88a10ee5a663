#include "sinks/mongodb/audit.h"

#include "bson/json.h"
#include "mongo/documents.h"
#include "sinks/mongodb/settings.h"
#include "sinks/mongodb/statements.h"

namespace tidemark {
namespace {

constexpr const char* kWho = "audit of the mongodb sink";

void append_field(const bson::Element& field, std::string_view name, std::string& out) {
  if (out.size() > 1) out.push_back(',');
  bson::append_json_string(name, out);
  out.push_back(':');
  bson::append_json_value(field, bson::JsonMode::kCanonical, out);
}

// `id` first, then everything but _id and `left_out`.
void render(const bson::Element& id, bson::View document, std::string_view left_out, std::string& out) {
  out = "{";
  append_field(id, "_id", out);
  for (const bson::Element field : document)
    if (field.key() != "_id" && (left_out.empty() || field.key() != left_out))
      append_field(field, field.key(), out);
  out.push_back('}');
}

class MongodbAuditEnd final : public AuditEnd {
 public:
  MongodbAuditEnd(TablePattern target, std::string guard, std::string name,
                  std::unique_ptr<mongo::Client> client)
      : target_(std::move(target)),
        guard_(std::move(guard)),
        name_(std::move(name)),
        reader_(std::move(client)) {}

  std::string describe() const override { return name_; }
  Status open(std::stop_token stop) override { return reader_.open(std::move(stop)); }

  Status expected(const Event& event, AuditRow& row) override {
    row.id.clear();
    row.time_ms.reset();
    const auto key = event.key.find("_id");
    if (!key) return fail(React::kReject, "the document has no _id");
    if (!guard_.empty() && event.after.find(guard_))
      return fail(React::kReject, "the document has a field " + guard_ + " of its own");
    // As CurrentWriter refuses it.
    constexpr size_t kStringField = 7;
    const size_t bytes = event.after.size() +
                         (guard_.empty() ? 0 : guard_.size() + event.id.size() + kStringField) +
                         (event.after.find("_id") ? 0 : event.key.size());
    if (bytes > mongodb_sink::kDocumentBytesMax) return fail(mongodb_sink::too_large(bytes));
    bson::append_json_value(*key, bson::JsonMode::kCanonical, row.id);
    render(event.after.find("_id").value_or(*key), event.after, {}, row.doc);
    return {};
  }

  Result<AuditPage> scan(const CollectionName& collection, const AuditBuckets& buckets,
                         const std::string& last_id, size_t limit, const Visit& visit,
                         std::stop_token stop) override {
    const auto each = [&](bson::View document) { return hand_out(document, buckets.field, visit); };
    return reader_.scan(target(collection), last_id, limit, each, std::move(stop));
  }

  Status lookup(const CollectionName& collection, std::span<const std::string> ids, const Visit& visit,
                std::stop_token stop) override {
    const auto each = [&](bson::View document) { return hand_out(document, {}, visit); };
    TIDEMARK_TRY(reader_.lookup(target(collection), ids, each, std::move(stop)));
    return {};
  }

  Result<std::map<std::optional<int64_t>, uint64_t>> counts(const CollectionName& collection,
                                                            const AuditBuckets& buckets,
                                                            std::stop_token stop) override {
    return reader_.counts(target(collection), buckets, std::move(stop));
  }

  void close() override { reader_.close({}); }

 private:
  CollectionName target(const CollectionName& collection) {
    target_.expand(collection.view(), table_);
    return {table_.schema, table_.name};
  }

  Status hand_out(bson::View document, std::string_view field, const Visit& visit) {
    const auto id = document.find("_id");
    if (!id) return {};
    row_.id.clear();
    bson::append_json_value(*id, bson::JsonMode::kCanonical, row_.id);
    render(*id, document, guard_, row_.doc);
    row_.time_ms = field.empty() ? std::nullopt : time_in(document, field);
    return visit(row_);
  }

  const TablePattern target_;
  const std::string guard_;
  const std::string name_;
  mongo::DocumentReader reader_;
  TableName table_;
  AuditRow row_;
};

}  // namespace

Result<std::unique_ptr<AuditEnd>> make_mongodb_audit_end(const config::Settings& settings,
                                                         const ComponentContext&) {
  TIDEMARK_ASSIGN(mongodb_sink::Options options, mongodb_sink::options_of(settings));
  if (!options.current) {
    return fail(settings.error("mode",
                               "an audit compares documents, and in mode \"insert\" the destination keeps "
                               "what was ever added, whatever became of it",
                               "audit a pipeline with mode = \"current\""));
  }
  const std::string database = settings.string("database");
  auto client = mongo::Client::create({options.uri, kWho, "grant the user the role `read` on " + database});
  if (!client) return fail(settings.error("uri", client.error().what, client.error().hint));
  return std::make_unique<MongodbAuditEnd>(std::move(options.writer.target), options.writer.guard_field,
                                           "mongodb " + database + "." + settings.string("collection"),
                                           std::move(*client));
}

}  // namespace tidemark
