// What a Writer is made of; for its own two sources.
#pragma once

#include <chrono>
#include <stdexcept>
#include <string>

#include <mongoc/mongoc.h>

#include "chaos/documents.h"
#include "chaos/writer.h"
#include "env/random.h"
#include "support/mongo.h"

namespace tidemark::chaos {

struct Writer::Slot {
  uint64_t number = 0;
  int generation = 0;
  bool present = false;
  int form = 0;  // of the _id of the document that is there
};

// A write that is about to be made.
struct Writer::Planned {
  Write write;
  uint64_t slot = 0;
  bson::Document filter, id;  // the same to a server, and maybe not to others
  int form = 0;
};

// A pooled client, because a client alone waits 5 s before it asks a member again that has just failed.
struct Writer::Client {
  explicit Client(const std::string& uri, const std::string& database) {
    testing::Mongo initialised(uri);  // libmongoc, once
    mongoc_uri_t* parsed = mongoc_uri_new(uri.c_str());
    pool = mongoc_client_pool_new(parsed);
    mongoc_client_pool_set_error_api(pool, MONGOC_ERROR_API_VERSION_2);
    mongoc_uri_destroy(parsed);
    client = mongoc_client_pool_pop(pool);
    collection = mongoc_client_get_collection(client, database.c_str(), kCollection);
  }
  ~Client() {
    mongoc_client_session_destroy(session);
    mongoc_collection_destroy(collection);
    mongoc_client_pool_push(pool, client);
    mongoc_client_pool_destroy(pool);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Before anything is written. Throws when no member answers in a whole minute: on a machine with much else to do a member that
  // is well may not answer in time.
  void start_session() {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    bson_error_t error = {};
    while ((session = mongoc_client_start_session(client, nullptr, &error)) == nullptr)
      if (std::chrono::steady_clock::now() > deadline)
        throw std::runtime_error(std::string("the writer has no session: ") + error.message);
  }

  // How many documents one write met; the driver repeats it once by itself.
  Result<int64_t> write(const Planned& planned);
  // True: committed. False: aborted for certain. Else unknown.
  Result<bool> commit();

  mongoc_client_pool_t* pool;
  mongoc_client_t* client;
  mongoc_collection_t* collection;
  mongoc_client_session_t* session = nullptr;
  SeededRandom random{0};
};

}  // namespace tidemark::chaos
