#include "support/mongo.h"

#include <cstdio>
#include <cstdlib>

#include <mongoc/mongoc.h>

#include "base/check.h"

namespace tidemark::testing {
namespace {

struct Collection {
  Collection(mongoc_client_t* client, const std::string& database, const std::string& name)
      : handle(mongoc_client_get_collection(client, database.c_str(), name.c_str())) {}
  ~Collection() { mongoc_collection_destroy(handle); }
  Collection(const Collection&) = delete;
  Collection& operator=(const Collection&) = delete;
  mongoc_collection_t* handle;
};

struct Reply {
  Reply() { bson_init(&doc); }
  ~Reply() { bson_destroy(&doc); }
  Reply(const Reply&) = delete;
  Reply& operator=(const Reply&) = delete;
  // libmongoc initialises a reply it is given, whatever was in it.
  bson_t* out() {
    bson_destroy(&doc);
    return &doc;
  }
  bson_t doc;
};

tl::unexpected<Error> failure(const bson_error_t& error) {
  return fail(React::kRetry, error.message, {}, static_cast<int>(error.code));
}

Status status(bool ok, const bson_error_t& error) {
  if (!ok) return failure(error);
  return {};
}

}  // namespace

bson::Document json(std::string_view text) {
  Result<bson::Document> document = bson::Document::from_json(text);
  if (!document)
    std::fprintf(stderr, "%.*s: %s\n", static_cast<int>(text.size()), text.data(),
                 document.error().what.c_str());
  TIDEMARK_CHECK(document.has_value(), "a test's JSON is well-formed");
  return *document;
}

struct Mongo::Impl {
  explicit Impl(mongoc_client_t* owned) : client(owned) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  mongoc_client_t* client;
  ~Impl() { mongoc_client_destroy(client); }
};

Mongo::Mongo(const std::string& uri) {
  static const bool once = (mongoc_init(), mongoc_log_set_handler(nullptr, nullptr), true);
  (void)once;
  mongoc_uri_t* parsed = mongoc_uri_new(uri.c_str());
  TIDEMARK_CHECK(parsed != nullptr, "a test's URI is well-formed");
  mongoc_uri_set_option_as_bool(parsed, MONGOC_URI_RETRYWRITES, true);
  mongoc_write_concern_t* majority = mongoc_write_concern_new();
  mongoc_write_concern_set_w(majority, MONGOC_WRITE_CONCERN_W_MAJORITY);
  impl_ = std::make_unique<Impl>(mongoc_client_new_from_uri(parsed));
  mongoc_client_set_write_concern(impl_->client, majority);
  mongoc_client_set_error_api(impl_->client, MONGOC_ERROR_API_VERSION_2);
  mongoc_write_concern_destroy(majority);
  mongoc_uri_destroy(parsed);
}
Mongo::~Mongo() = default;
Mongo::Mongo(Mongo&&) noexcept = default;
void* Mongo::raw() const { return impl_->client; }

Result<bson::Document> Mongo::run(const std::string& database, bson::View command) {
  const bson_t raw = command.raw();
  Reply reply;
  bson_error_t error = {};
  if (!mongoc_client_command_simple(impl_->client, database.c_str(), &raw, nullptr, reply.out(), &error)) {
    return failure(error);
  }
  return bson::Document(&reply.doc);
}

Result<bson::Document> Mongo::run(const std::string& database, std::string_view command_json) {
  return run(database, json(command_json));
}

Status Mongo::insert(const std::string& database, const std::string& collection, bson::View document) {
  const Collection target(impl_->client, database, collection);
  const bson_t raw = document.raw();
  bson_error_t error = {};
  return status(mongoc_collection_insert_one(target.handle, &raw, nullptr, nullptr, &error), error);
}

Status Mongo::insert(const std::string& database, const std::string& collection,
                     std::string_view document_json) {
  return insert(database, collection, json(document_json));
}

Status Mongo::insert_many(const std::string& database, const std::string& collection,
                          const std::vector<bson::Document>& documents) {
  const Collection target(impl_->client, database, collection);
  mongoc_bulk_operation_t* bulk = mongoc_collection_create_bulk_operation_with_opts(target.handle, nullptr);
  bson_error_t error = {};
  bool ok = true;
  for (const bson::Document& document : documents) {
    const bson_t raw = document.view().raw();
    ok = ok && mongoc_bulk_operation_insert_with_opts(bulk, &raw, nullptr, &error);
  }
  ok = ok && mongoc_bulk_operation_execute(bulk, nullptr, &error) != 0;
  mongoc_bulk_operation_destroy(bulk);
  return status(ok, error);
}

Status Mongo::update(const std::string& database, const std::string& collection, std::string_view filter_json,
                     std::string_view update_json, bool upsert) {
  const Collection target(impl_->client, database, collection);
  const bson::Document filter = json(filter_json), change = json(update_json);
  const bson_t filter_raw = filter.view().raw(), change_raw = change.view().raw();
  const bson::Document opts = json(upsert ? R"({"upsert": true})" : "{}");
  const bson_t opts_raw = opts.view().raw();
  bson_error_t error = {};
  return status(
      mongoc_collection_update_one(target.handle, &filter_raw, &change_raw, &opts_raw, nullptr, &error),
      error);
}

Status Mongo::replace(const std::string& database, const std::string& collection,
                      std::string_view filter_json, std::string_view document_json, bool upsert) {
  const Collection target(impl_->client, database, collection);
  const bson::Document filter = json(filter_json), document = json(document_json);
  const bson_t filter_raw = filter.view().raw(), document_raw = document.view().raw();
  const bson::Document opts = json(upsert ? R"({"upsert": true})" : "{}");
  const bson_t opts_raw = opts.view().raw();
  bson_error_t error = {};
  return status(
      mongoc_collection_replace_one(target.handle, &filter_raw, &document_raw, &opts_raw, nullptr, &error),
      error);
}

Status Mongo::remove(const std::string& database, const std::string& collection, std::string_view filter_json,
                     bool many) {
  const Collection target(impl_->client, database, collection);
  const bson::Document filter = json(filter_json);
  const bson_t raw = filter.view().raw();
  bson_error_t error = {};
  const bool ok = many ? mongoc_collection_delete_many(target.handle, &raw, nullptr, nullptr, &error)
                       : mongoc_collection_delete_one(target.handle, &raw, nullptr, nullptr, &error);
  return status(ok, error);
}

Status Mongo::drop(const std::string& database, const std::string& collection) {
  const Collection target(impl_->client, database, collection);
  bson_error_t error = {};
  return status(mongoc_collection_drop_with_opts(target.handle, nullptr, &error), error);
}

Result<std::vector<bson::Document>> Mongo::find(const std::string& database, const std::string& collection,
                                                std::string_view filter_json) {
  const Collection target(impl_->client, database, collection);
  const bson::Document filter = json(filter_json);
  const bson_t raw = filter.view().raw();
  const bson::Document opts = json(R"({"sort": {"_id": 1}})");
  const bson_t opts_raw = opts.view().raw();
  mongoc_cursor_t* cursor = mongoc_collection_find_with_opts(target.handle, &raw, &opts_raw, nullptr);
  std::vector<bson::Document> documents;
  const bson_t* document = nullptr;
  while (mongoc_cursor_next(cursor, &document)) documents.emplace_back(document);
  bson_error_t error = {};
  const bool failed = mongoc_cursor_error(cursor, &error);
  mongoc_cursor_destroy(cursor);
  if (failed) return failure(error);
  return documents;
}

Result<int64_t> Mongo::count(const std::string& database, const std::string& collection,
                             std::string_view filter_json) {
  const Collection target(impl_->client, database, collection);
  const bson::Document filter = json(filter_json);
  const bson_t raw = filter.view().raw();
  bson_error_t error = {};
  const int64_t count =
      mongoc_collection_count_documents(target.handle, &raw, nullptr, nullptr, nullptr, &error);
  if (count < 0) return failure(error);
  return count;
}

Result<std::string> Mongo::server_version() {
  TIDEMARK_ASSIGN(const bson::Document reply, run("admin", R"({"buildInfo": 1})"));
  const auto version = reply.view().find("version");
  if (!version || !version->is_string()) return fail(React::kRetry, "buildInfo gave no version");
  return std::string(version->string());
}

Result<int> Mongo::server_version_number() {
  TIDEMARK_ASSIGN(const std::string version, server_version());
  int major = 0, minor = 0, patch = 0;
  std::sscanf(version.c_str(), "%d.%d.%d", &major, &minor, &patch);
  return major * 1'000'000 + minor * 1'000 + patch;
}

}  // namespace tidemark::testing
