#include "demo/server.h"

#include <mongoc/mongoc.h>

namespace tidemark::demo {

struct ServerPool::Pool {
  mongoc_client_pool_t* pool = nullptr;
  ~Pool() {
    if (pool != nullptr) mongoc_client_pool_destroy(pool);
  }
};

struct Server::Lease {
  std::shared_ptr<ServerPool::Pool> pool;
  mongoc_client_t* client = nullptr;
  ~Lease() {
    if (client != nullptr) mongoc_client_pool_push(pool->pool, client);
  }
};

namespace {

Error server_error(const std::string& what, const bson_error_t& error) {
  return {React::kRetry, what + ": " + error.message, {}, static_cast<int>(error.code)};
}

}  // namespace

Result<ServerPool> ServerPool::connect(const std::string& uri) {
  mongoc_init();
  // The driver's own messages would be drawn across the view.
  mongoc_log_set_handler(nullptr, nullptr);
  bson_error_t error;
  mongoc_uri_t* parsed = mongoc_uri_new_with_error(uri.c_str(), &error);
  if (parsed == nullptr)
    return fail(React::kConfig, "not a MongoDB URI (it isn't shown, as it may hold a password)");
  mongoc_uri_set_option_as_int32(parsed, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, 1'000);
  mongoc_uri_set_option_as_int32(parsed, MONGOC_URI_CONNECTTIMEOUTMS, 1'000);
  mongoc_uri_set_option_as_int32(parsed, MONGOC_URI_SOCKETTIMEOUTMS, 10'000);
  mongoc_uri_set_option_as_int32(parsed, MONGOC_URI_HEARTBEATFREQUENCYMS, 500);
  mongoc_uri_set_option_as_bool(parsed, MONGOC_URI_RETRYWRITES, true);
  ServerPool result;
  result.pool_ = std::make_shared<Pool>();
  result.pool_->pool = mongoc_client_pool_new(parsed);
  mongoc_uri_destroy(parsed);
  if (result.pool_->pool == nullptr) return fail(React::kConfig, "not a usable MongoDB URI: " + uri);
  mongoc_client_pool_set_error_api(result.pool_->pool, MONGOC_ERROR_API_VERSION_2);
  mongoc_client_pool_set_appname(result.pool_->pool, "tidemark demo");
  return result;
}

Server ServerPool::connection() {
  auto lease = std::make_shared<Server::Lease>();
  lease->pool = pool_;
  lease->client = mongoc_client_pool_pop(pool_->pool);
  return Server(std::move(lease));
}

Result<bson::Document> Server::command(const std::string& database, bson::View command, Member member) {
  const std::unique_ptr<mongoc_read_prefs_t, decltype(&mongoc_read_prefs_destroy)> prefs(
      mongoc_read_prefs_new(member == Member::kPrimary ? MONGOC_READ_PRIMARY
                                                       : MONGOC_READ_SECONDARY_PREFERRED),
      mongoc_read_prefs_destroy);
  const bson_t raw = command.raw();
  bson_t reply;
  bson_error_t error;
  const bool ok =
      mongoc_client_command_simple(lease_->client, database.c_str(), &raw, prefs.get(), &reply, &error);
  bson::Document result(&reply);
  bson_destroy(&reply);
  if (!ok) return fail(server_error(std::string((*command.begin()).key()), error));
  return result;
}

Result<bson::Document> Server::write(const std::string& database, bson::View command) {
  bson::Builder concern;
  concern.append("w", "majority").append("wtimeout", int32_t{5'000});
  bson::Builder options;
  options.append("writeConcern", concern.view());
  const bson_t raw = command.raw();
  const bson_t raw_options = options.view().raw();
  bson_t reply;
  bson_error_t error;
  const bool ok = mongoc_client_write_command_with_opts(lease_->client, database.c_str(), &raw, &raw_options,
                                                        &reply, &error);
  bson::Document result(&reply);
  bson_destroy(&reply);
  if (!ok) return fail(server_error(std::string((*command.begin()).key()), error));
  return result;
}

Status Server::each(const std::string& database, const std::string& collection,
                    const std::function<void(bson::View)>& take) {
  const std::unique_ptr<mongoc_collection_t, decltype(&mongoc_collection_destroy)> handle(
      mongoc_client_get_collection(lease_->client, database.c_str(), collection.c_str()),
      mongoc_collection_destroy);
  bson::Builder sort;
  sort.append("_id", int32_t{1});
  bson::Builder concern;
  concern.append("level", "majority");
  bson::Builder options;
  options.append("sort", sort.view()).append("readConcern", concern.view());
  const bson::Builder everything;
  const bson_t filter = everything.view().raw();
  const bson_t raw_options = options.view().raw();
  const std::unique_ptr<mongoc_cursor_t, decltype(&mongoc_cursor_destroy)> cursor(
      mongoc_collection_find_with_opts(handle.get(), &filter, &raw_options, nullptr), mongoc_cursor_destroy);
  const bson_t* document = nullptr;
  while (mongoc_cursor_next(cursor.get(), &document)) {
    TIDEMARK_ASSIGN(const bson::View found, bson::View::parse({bson_get_data(document), document->len}));
    take(found);
  }
  bson_error_t error;
  if (mongoc_cursor_error(cursor.get(), &error)) return fail(server_error("find", error));
  return {};
}

}  // namespace tidemark::demo
