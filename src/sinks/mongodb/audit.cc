#include "sinks/mongodb/audit.h"

#include "base/log.h"
#include "bson/json.h"
#include "core/table_owners.h"
#include "mongo/documents.h"
#include "sinks/mongodb/settings.h"
#include "sinks/mongodb/statements.h"
#include "sinks/mongodb/targets.h"

namespace tidemark::mongodb_sink {
namespace {

constexpr const char* kWho = "audit of the mongodb sink";
constexpr size_t kOwnersPage = 10'000;

void append_field(const bson::Element& field, std::string_view name, std::string& out) {
  const auto value = field.value_bytes();
  out.push_back(static_cast<char>(field.type()));
  out.append(name).push_back('\0');
  out.append(reinterpret_cast<const char*>(value.data()), value.size());
}

// `id` first, as the server keeps it, then everything but _id and `left_out`.
void rebuild(const bson::Element& id, bson::View document, std::string_view left_out, std::string& out) {
  out.assign(4, '\0');
  append_field(id, "_id", out);
  for (const bson::Element field : document)
    if (field.key() != "_id" && (left_out.empty() || field.key() != left_out))
      append_field(field, field.key(), out);
  out.push_back('\0');
  for (size_t i = 0; i < 4; ++i) out[i] = static_cast<char>(out.size() >> (8 * i));
}

class MongodbAuditEnd final : public AuditEnd {
 public:
  MongodbAuditEnd(TablePattern target, TableName owner_place, std::string guard, std::string name,
                  std::unique_ptr<mongo::Client> client)
      : target_(std::move(target)),
        owner_place_{std::move(owner_place.schema), std::move(owner_place.name)},
        guard_(std::move(guard)),
        name_(std::move(name)),
        reader_(std::move(client)) {}

  std::string describe() const override { return name_; }
  Status open(std::stop_token stop) override {
    TIDEMARK_TRY(reader_.open(stop));
    return read_owners(std::move(stop));
  }

  std::string target(const CollectionName& collection) override {
    target_.expand(collection.view(), table_);
    // Of another's nothing is its own, so that it shares none.
    if (!owners_.check(table_.text(), collection.view())) return "none of " + collection.text();
    return table_.text();
  }

  Status expected(const Event& event, AuditRow& row) override {
    const auto key = event.key.find("_id");
    if (!key) return fail(React::kReject, "the document has no _id");
    target_.expand(event.ns, table_);
    TIDEMARK_TRY(owners_.check(table_.text(), event.ns));
    if (!guard_.empty() && event.after.find(guard_))
      return fail(React::kReject, "the document has a field " + guard_ + " of its own");
    // As CurrentWriter refuses it.
    constexpr size_t kStringField = 7;
    const size_t bytes = event.after.size() +
                         (guard_.empty() ? 0 : guard_.size() + event.id.size() + kStringField) +
                         (event.after.find("_id") ? 0 : event.key.size());
    if (bytes > kDocumentBytesMax) return fail(too_large(bytes));
    fill(row, event.after.find("_id").value_or(*key), event.after, {});
    return {};
  }

  Result<AuditPage> scan(const CollectionName& collection, const AuditBuckets& buckets,
                         const std::string& last_id, size_t limit, const Visit& visit,
                         std::stop_token stop) override {
    if (is_anothers(collection)) return AuditPage{last_id, true};
    const auto each = [&](bson::View document) { return hand_out(document, buckets.field, visit); };
    return of_one(reader_.scan(place_of(collection), last_id, limit, each, std::move(stop)));
  }

  Status lookup(const CollectionName& collection, std::span<const AuditId> ids, const Visit& visit,
                std::stop_token stop) override {
    if (is_anothers(collection)) return {};
    const auto each = [&](bson::View document) { return hand_out(document, {}, visit); };
    TIDEMARK_TRY(of_one(reader_.lookup(place_of(collection), ids, each, std::move(stop))));
    return {};
  }

  Result<std::map<std::optional<int64_t>, uint64_t>> counts(const CollectionName& collection,
                                                            const AuditBuckets& buckets,
                                                            std::stop_token stop) override {
    if (is_anothers(collection)) return std::map<std::optional<int64_t>, uint64_t>();
    return of_one(reader_.counts(place_of(collection), buckets, std::move(stop)));
  }

  void close() override { reader_.close({}); }

 private:
  // What the sink keeps beside its positions, where this user may read it.
  Status read_owners(std::stop_token stop) {
    owners_.clear();
    const auto add = [&](bson::View entry) -> Status {
      const auto name = entry.find("_id");
      const auto owner = entry.find("namespace");
      if (name && name->is_string() && owner && owner->is_string())
        owners_.add(std::string(name->string()), std::string(owner->string()));
      return {};
    };
    for (AuditPage page; !page.done;) {
      auto read = reader_.scan(owner_place_, page.last_id, kOwnersPage, add, stop);
      if (!read && read.error().react == React::kDenied) {
        log::warn(
            "{}: this user may not read {}, so that the audit doesn't know whose each collection is: {}",
            name_, owner_place_.text(), read.error().what);
        return {};
      }
      if (!read) return fail(std::move(read).error());
      page = std::move(*read);
    }
    return {};
  }

  // One collection whose name the server refuses, as the sink does, doesn't hide what the others hold.
  template <class T>
  Result<T> of_one(Result<T> read) const {
    if (!read && !target_.fixed() && is_about_the_name(read.error().code))
      read.error().react = React::kReject;
    return read;
  }

  bool is_anothers(const CollectionName& collection) {
    target_.expand(collection.view(), table_);
    return !owners_.check(table_.text(), collection.view());
  }

  CollectionName place_of(const CollectionName& collection) {
    target_.expand(collection.view(), table_);
    return {table_.schema, table_.name};
  }

  static void fill(AuditRow& row, const bson::Element& id, bson::View document, std::string_view left_out) {
    row.id.clear();
    row.key.clear();
    row.flaw.clear();
    row.time_ms.reset();
    bson::append_json_value(id, bson::JsonMode::kCanonical, row.id);
    append_key(id, row.key);
    rebuild(id, document, left_out, row.doc);
  }

  Status hand_out(bson::View document, std::string_view field, const Visit& visit) {
    const auto id = document.find("_id");
    if (!id) return {};
    fill(row_, *id, document, guard_);
    row_.time_ms = field.empty() ? std::nullopt : time_in(document, field);
    return visit(row_);
  }

  const TablePattern target_;
  const CollectionName owner_place_;
  const std::string guard_;
  const std::string name_;
  mongo::DocumentReader reader_;
  TableOwners owners_;
  TableName table_;
  AuditRow row_;
};

}  // namespace

Result<std::unique_ptr<AuditEnd>> make_audit_end(const config::Settings& settings, const ComponentContext&) {
  TIDEMARK_ASSIGN(Options options, options_of(settings));
  if (!options.current) {
    return fail(settings.error("mode",
                               "an audit compares documents, and in mode \"insert\" the destination keeps "
                               "what was ever added, whatever became of it",
                               "audit a pipeline with mode = \"current\""));
  }
  const std::string database = settings.string("database");
  auto client = mongo::Client::create({options.uri, kWho, "grant the user the role `read` on " + database});
  if (!client) return fail(settings.error("uri", client.error().what, client.error().hint));
  return std::make_unique<MongodbAuditEnd>(
      std::move(options.writer.target), options.writer.owners, options.writer.guard_field,
      "mongodb " + database + "." + settings.string("collection"), std::move(*client));
}

}  // namespace tidemark::mongodb_sink
