// The bare consumer: librabbitmq and libmongoc in one loop that takes messages, turns them from JSON into BSON, inserts
// them in bulk under a majority write concern, and acknowledges them together. No retry, no transform, no dead letter.
//   --amqp URI --queue Q --mongo URI --database D --collection C --count N [--batch 1000]
#include <algorithm>

#include <mongoc/mongoc.h>

#include "peers/amqp.h"

using namespace tidemark::bench;

namespace {

void make_unique_index(mongoc_client_t* client, const std::string& database, const std::string& collection) {
  bson_t* command = BCON_NEW("createIndexes", BCON_UTF8(collection.c_str()), "indexes", "[", "{", "key", "{",
                             "raw.source", BCON_INT32(1), "raw.id", BCON_INT32(1), "}", "name",
                             BCON_UTF8("event"), "unique", BCON_BOOL(true), "}", "]");
  bson_error_t error = {};
  if (!mongoc_client_command_simple(client, database.c_str(), command, nullptr, nullptr, &error))
    die(error.message);
  bson_destroy(command);
}

void insert(mongoc_bulk_operation_t* bulk, amqp_bytes_t body) {
  bson_t raw, document = BSON_INITIALIZER;
  bson_error_t error = {};
  if (!bson_init_from_json(&raw, static_cast<const char*>(body.bytes), static_cast<ssize_t>(body.len),
                           &error))
    die(error.message);
  BSON_APPEND_DOCUMENT(&document, "raw", &raw);
  BSON_APPEND_UTF8(&document, "severity", "minor");
  BSON_APPEND_UTF8(&document, "category", "quake");
  bson_append_now_utc(&document, "processedAt", -1);
  mongoc_bulk_operation_insert(bulk, &document);
  bson_destroy(&document);
  bson_destroy(&raw);
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  const std::string database = arguments.text("database");
  const std::string collection_name = arguments.text("collection");
  const int64_t count = arguments.number("count");
  const int64_t batch = arguments.number("batch", 1000);
  mongoc_init();
  mongoc_client_t* client = mongoc_client_new(arguments.text("mongo").c_str());
  mongoc_collection_t* collection =
      mongoc_client_get_collection(client, database.c_str(), collection_name.c_str());
  make_unique_index(client, database, collection_name);
  bson_t* options =
      BCON_NEW("ordered", BCON_BOOL(false), "writeConcern", "{", "w", BCON_UTF8("majority"), "}");

  const double started = seconds_now();
  amqp_connection_state_t state = amqp_open(arguments.text("amqp"));
  // Twice the batch, so that the broker sends the next one while this one is inserted.
  amqp_basic_qos(state, kChannel, 0, static_cast<uint16_t>(2 * batch), 0);
  must(amqp_get_rpc_reply(state), "basic.qos");
  amqp_basic_consume(state, kChannel, amqp_bytes(arguments.text("queue")), amqp_empty_bytes, 0, 0, 0,
                     amqp_empty_table);
  must(amqp_get_rpc_reply(state), "basic.consume");
  for (int64_t done = 0; done < count;) {
    const int64_t size = std::min(batch, count - done);
    mongoc_bulk_operation_t* bulk = mongoc_collection_create_bulk_operation_with_opts(collection, options);
    uint64_t tag = 0;
    for (int64_t i = 0; i < size; ++i) {
      amqp_envelope_t envelope;
      amqp_maybe_release_buffers(state);
      const timeval patience = {60, 0};
      must(amqp_consume_message(state, &envelope, &patience, 0), "consuming");
      insert(bulk, envelope.message.body);
      tag = envelope.delivery_tag;
      amqp_destroy_envelope(&envelope);
    }
    bson_error_t error = {};
    if (mongoc_bulk_operation_execute(bulk, nullptr, &error) == 0) die(error.message);
    mongoc_bulk_operation_destroy(bulk);
    amqp_basic_ack(state, kChannel, tag, 1);
    done += size;
  }
  print_result(count, seconds_now() - started);
  amqp_end(state);
  bson_destroy(options);
  mongoc_collection_destroy(collection);
  mongoc_client_destroy(client);
  mongoc_cleanup();
  return 0;
}
