#include "integration/sandbox/driver_stream.h"

#include <mongoc/mongoc.h>

namespace tidemark::testing {

struct DriverStream::Impl {
  mongoc_database_t* database = nullptr;
  mongoc_collection_t* collection = nullptr;
  mongoc_change_stream_t* stream = nullptr;
};

DriverStream::DriverStream(Mongo& mongo, const std::string& database, const std::string& collection,
                           std::string_view pipeline, std::string_view options)
    : impl_(std::make_unique<Impl>()) {
  auto* client = static_cast<mongoc_client_t*>(mongo.raw());
  const bson::Document stages = json("{\"pipeline\": " + std::string(pipeline) + "}");
  bson::Builder opts;
  opts.concat(json(options)).append("maxAwaitTimeMS", int64_t{250});
  const bson_t stages_raw = stages.view().raw();
  const bson_t opts_raw = opts.view().raw();
  if (!collection.empty()) {
    impl_->collection = mongoc_client_get_collection(client, database.c_str(), collection.c_str());
    impl_->stream = mongoc_collection_watch(impl_->collection, &stages_raw, &opts_raw);
  } else if (!database.empty()) {
    impl_->database = mongoc_client_get_database(client, database.c_str());
    impl_->stream = mongoc_database_watch(impl_->database, &stages_raw, &opts_raw);
  } else {
    impl_->stream = mongoc_client_watch(client, &stages_raw, &opts_raw);
  }
}

DriverStream::~DriverStream() {
  mongoc_change_stream_destroy(impl_->stream);
  mongoc_collection_destroy(impl_->collection);
  mongoc_database_destroy(impl_->database);
}

Result<std::optional<bson::Document>> DriverStream::next(int attempts) {
  for (int i = 0; i < attempts; ++i) {
    const bson_t* event = nullptr;
    if (mongoc_change_stream_next(impl_->stream, &event))
      return std::optional<bson::Document>(bson::Document(event));
    bson_error_t error;
    const bson_t* reply = nullptr;
    if (mongoc_change_stream_error_document(impl_->stream, &error, &reply)) {
      return fail(React::kRetry, error.message, {}, static_cast<int>(error.code));
    }
  }
  return std::optional<bson::Document>();
}

bson::Document DriverStream::token() const {
  const bson_t* token = mongoc_change_stream_get_resume_token(impl_->stream);
  return token != nullptr ? bson::Document(token) : bson::Document();
}

}  // namespace tidemark::testing
