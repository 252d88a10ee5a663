// Writes the benchmark's documents: {_id: n, customer, status, total, note}, about 440 bytes as a change
// event's document. `dated`, each has a date `at` too, one a second.
//   --mongo URI --database D --collection C --count N [--first N] [--dated 1]
#include <algorithm>

#include <mongoc/mongoc.h>

#include "peers/peer.h"

using tidemark::bench::die;

namespace {

constexpr int64_t kBatch = 1000;
constexpr int64_t kFirstMs = 1'767'225'600'000;

void append_document(bson_t* document, int64_t number, bool dated) {
  static const std::string note(330, 'n');
  BSON_APPEND_INT64(document, "_id", number);
  BSON_APPEND_INT64(document, "customer", number * 7919 % 100'003);
  BSON_APPEND_UTF8(document, "status", number % 3 == 0 ? "shipped" : "open");
  BSON_APPEND_DOUBLE(document, "total", static_cast<double>(number % 10'000) / 100);
  BSON_APPEND_UTF8(document, "note", note.c_str());
  if (dated) BSON_APPEND_DATE_TIME(document, "at", kFirstMs + 1000 * number);
}

}  // namespace

int main(int argc, char** argv) {
  const tidemark::bench::Arguments arguments(argc, argv);
  mongoc_init();
  mongoc_client_t* client = mongoc_client_new(arguments.text("mongo").c_str());
  if (client == nullptr) die("the URI doesn't parse");
  mongoc_collection_t* collection = mongoc_client_get_collection(client, arguments.text("database").c_str(),
                                                                 arguments.text("collection").c_str());
  const int64_t first = arguments.number("first", 0);
  const int64_t count = arguments.number("count");
  const double started = tidemark::bench::seconds_now();
  for (int64_t done = 0; done < count;) {
    const int64_t size = std::min(kBatch, count - done);
    mongoc_bulk_operation_t* bulk = mongoc_collection_create_bulk_operation_with_opts(collection, nullptr);
    for (int64_t i = 0; i < size; ++i) {
      bson_t document = BSON_INITIALIZER;
      append_document(&document, first + done + i, arguments.has("dated"));
      mongoc_bulk_operation_insert(bulk, &document);
      bson_destroy(&document);
    }
    bson_error_t error = {};
    if (mongoc_bulk_operation_execute(bulk, nullptr, &error) == 0) die(error.message);
    mongoc_bulk_operation_destroy(bulk);
    done += size;
  }
  tidemark::bench::print_result(count, tidemark::bench::seconds_now() - started);
  mongoc_collection_destroy(collection);
  mongoc_client_destroy(client);
  mongoc_cleanup();
  return 0;
}
