// The bare loop: libmongoc's own change stream, and nothing done with the events. What a C program can read
// at most.
//   --mongo URI --database D --collection C --mark 1           prints the resume token of this moment
//   --mongo URI --database D --collection C --after TOKEN --count N
#include <mongoc/mongoc.h>

#include "peers/peer.h"

using tidemark::bench::die;

namespace {

void mark(mongoc_collection_t* collection) {
  const bson_t pipeline = BSON_INITIALIZER;
  mongoc_change_stream_t* stream = mongoc_collection_watch(collection, &pipeline, nullptr);
  const bson_t* event = nullptr;
  while (mongoc_change_stream_next(stream, &event)) {
  }
  const bson_t* reply = nullptr;
  bson_error_t error = {};
  if (mongoc_change_stream_error_document(stream, &error, &reply)) die(error.message);
  const bson_t* token = mongoc_change_stream_get_resume_token(stream);
  bson_iter_t data;
  if (token == nullptr || !bson_iter_init_find(&data, token, "_data")) die("the stream gave no resume token");
  std::printf("{\"token\": \"%s\"}\n", bson_iter_utf8(&data, nullptr));
  mongoc_change_stream_destroy(stream);
}

void consume(mongoc_collection_t* collection, const std::string& after, int64_t count) {
  const bson_t pipeline = BSON_INITIALIZER;
  bson_t* options =
      BCON_NEW("startAfter", "{", "_data", BCON_UTF8(after.c_str()), "}", "batchSize", BCON_INT32(100000));
  const double started = tidemark::bench::seconds_now();
  mongoc_change_stream_t* stream = mongoc_collection_watch(collection, &pipeline, options);
  const bson_t* event = nullptr;
  const bson_t* reply = nullptr;
  bson_error_t error = {};
  int64_t seen = 0;
  while (seen < count) {
    while (seen < count && mongoc_change_stream_next(stream, &event)) ++seen;
    if (mongoc_change_stream_error_document(stream, &error, &reply)) die(error.message);
  }
  tidemark::bench::print_result(seen, tidemark::bench::seconds_now() - started);
  mongoc_change_stream_destroy(stream);
  bson_destroy(options);
}

}  // namespace

int main(int argc, char** argv) {
  const tidemark::bench::Arguments arguments(argc, argv);
  mongoc_init();
  mongoc_client_t* client = mongoc_client_new(arguments.text("mongo").c_str());
  if (client == nullptr) die("the URI doesn't parse");
  mongoc_collection_t* collection = mongoc_client_get_collection(client, arguments.text("database").c_str(),
                                                                 arguments.text("collection").c_str());
  if (arguments.has("mark")) {
    mark(collection);
  } else {
    consume(collection, arguments.text("after"), arguments.number("count"));
  }
  mongoc_collection_destroy(collection);
  mongoc_client_destroy(client);
  mongoc_cleanup();
  return 0;
}
