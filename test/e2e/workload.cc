#include "e2e/workload.h"

#include <chrono>
#include <stdexcept>

#include <fmt/format.h>
#include <mongoc/mongoc.h>

#include "bson/json.h"

namespace tidemark::e2e {
namespace {

constexpr uint64_t kIds = 40;
constexpr int kTries = 200;

// Ids of every type that people use, so that each is found again at the other end.
std::string id_json(uint64_t n) {
  switch (n % 6) {
    case 0:
      return fmt::format("{}", n);
    case 1:
      return fmt::format("\"order {} | 'quoted' \\\\ é\"", n);
    case 2:
      return fmt::format("{{\"$oid\": \"65f0000000000000000000{:02x}\"}}", n);
    case 3:
      return fmt::format("{{\"$numberLong\": \"{}\"}}", 9'000'000'000'000'000'000ull + n);
    case 4:
      return fmt::format("{{\"shop\": \"a\", \"number\": {}}}", n);
    default:
      return fmt::format("{{\"$date\": {{\"$numberLong\": \"{}\"}}}}",
                         1'700'000'000'000 + static_cast<int64_t>(n));
  }
}

std::string fields_json(uint64_t n) {
  return fmt::format(
      "\"n\": {}, \"total\": {{\"$numberDecimal\": \"{}.90\"}}, \"ratio\": {{\"$numberDouble\": \"{}\"}}, "
      "\"big\": {{\"$numberLong\": \"9007199254740993\"}}, \"when\": {{\"$date\": {{\"$numberLong\": "
      "\"-1\"}}}}, "
      "\"bytes\": {{\"$binary\": {{\"base64\": \"AAEC\", \"subType\": \"00\"}}}}, \"nested\": {{\"b\": [1, "
      "null, "
      "{{\"a\": true}}]}}",
      n, n % 1000, n % 3 == 0 ? "NaN" : "0.1");
}

std::string write_json(const std::string& collection, uint64_t kind, const std::string& id, uint64_t n) {
  constexpr const char* kConcern = "\"writeConcern\": {\"w\": \"majority\", \"wtimeout\": 5000}";
  if (kind < 5) {
    return fmt::format(
        "{{\"update\": \"{}\", \"updates\": [{{\"q\": {{\"_id\": {}}}, \"u\": {{\"$set\": {{{}}}}}, "
        "\"upsert\": "
        "true}}], {}}}",
        collection, id, fields_json(n), kConcern);
  }
  if (kind < 8) {
    return fmt::format(
        "{{\"update\": \"{}\", \"updates\": [{{\"q\": {{\"_id\": {}}}, \"u\": {{{}}}, \"upsert\": true}}], "
        "{}}}",
        collection, id, fields_json(n), kConcern);
  }
  return fmt::format("{{\"delete\": \"{}\", \"deletes\": [{{\"q\": {{\"_id\": {}}}, \"limit\": 1}}], {}}}",
                     collection, id, kConcern);
}

}  // namespace

Workload::Workload(std::string uri, std::string database, std::string collection, uint64_t seed, int pause_us)
    : uri_(std::move(uri)),
      database_(std::move(database)),
      collection_(std::move(collection)),
      random_(seed),
      pause_us_(pause_us),
      thread_([this](std::stop_token stop) { run(std::move(stop)); }) {}

Workload::~Workload() = default;

int64_t Workload::stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
  if (!failure_.empty()) throw std::runtime_error("workload: " + failure_);
  return written_.load();
}

void Workload::run(std::stop_token stop) {
  testing::Mongo client(uri_);
  while (!stop.stop_requested() && failure_.empty()) {
    if (Status done = write(client); !done) failure_ = done.error().describe();
    std::this_thread::sleep_for(std::chrono::microseconds(pause_us_));
  }
  if (Status last = client.insert(database_, collection_, fmt::format("{{\"_id\": {}}}", kEndId)); !last)
    failure_ = last.error().describe();
}

// Each write leaves the same document however often it is applied, so an answer that was lost can be asked for again.
Status Workload::write(testing::Mongo& client) {
  const uint64_t n = random_.next_u64() % 1'000'000;
  const std::string command = write_json(collection_, random_.below(10), id_json(random_.below(kIds)), n);
  for (int tries = 0;; ++tries) {
    const auto reply = client.run(database_, command);
    const bool refused = reply && reply->view().find("writeErrors").has_value();
    if (reply && !refused) {
      ++written_;
      return {};
    }
    if (refused || tries == kTries)
      return fail(React::kFatal,
                  refused ? bson::to_json(*reply) : reply.error().describe() + " for " + command);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

struct ReferenceStream::Impl {
  explicit Impl(const std::string& uri) : client(uri) {}
  testing::Mongo client;
  mongoc_collection_t* collection = nullptr;
  mongoc_change_stream_t* stream = nullptr;
  ~Impl() {
    mongoc_change_stream_destroy(stream);
    mongoc_collection_destroy(collection);
  }
};

ReferenceStream::ReferenceStream(const std::string& uri, const std::string& database,
                                 const std::string& collection)
    : impl_(std::make_unique<Impl>(uri)) {
  auto* client = static_cast<mongoc_client_t*>(impl_->client.raw());
  impl_->collection = mongoc_client_get_collection(client, database.c_str(), collection.c_str());
  const bson::Document options = testing::json(R"({"maxAwaitTimeMS": 50})");
  const bson::Document nothing = testing::json(R"({"pipeline": []})");
  const bson_t raw_options = options.view().raw();
  const bson_t raw_pipeline = nothing.view().raw();
  impl_->stream = mongoc_collection_watch(impl_->collection, &raw_pipeline, &raw_options);
  const bson_t* event = nullptr;
  // The stream is open, and its start decided, once its first look came back.
  mongoc_change_stream_next(impl_->stream, &event);
}

ReferenceStream::~ReferenceStream() = default;

std::vector<std::string> ReferenceStream::tokens_to_the_end() {
  std::vector<std::string> tokens;
  const bson_t* event = nullptr;
  bson_error_t error;
  const bson_t* reply = nullptr;
  for (int empty = 0; empty < 200;) {
    if (!mongoc_change_stream_next(impl_->stream, &event)) {
      if (mongoc_change_stream_error_document(impl_->stream, &error, &reply))
        throw std::runtime_error(std::string("reference stream: ") + error.message);
      ++empty;
      continue;
    }
    const bson::View view(event);
    tokens.emplace_back(view.find_path("_id._data")->string());
    std::string id;
    if (const auto key = view.find_path("documentKey._id"))
      bson::append_json_value(*key, bson::JsonMode::kCanonical, id);
    if (id == Workload::kEndId) return tokens;
  }
  throw std::runtime_error("reference stream: the last document never came");
}

}  // namespace tidemark::e2e
