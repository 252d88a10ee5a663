#include "chaos/writer.h"

#include <chrono>

#include <fmt/format.h>
#include <mongoc/mongoc.h>

#include "chaos/ends.h"
#include "env/random.h"
#include "support/mongo.h"

namespace tidemark::chaos {
namespace {

constexpr uint64_t kSlots = 16;
constexpr int kCommitTries = 3;

bson::Document parse(const std::string& json) { return testing::json(json); }

std::vector<uint8_t> bytes(std::initializer_list<int> values) { return {values.begin(), values.end()}; }

// A string of these very bytes, UTF-8 or not.
std::vector<uint8_t> text_value(const std::string& text) {
  const auto size = static_cast<uint32_t>(text.size() + 1);
  std::vector<uint8_t> value;
  value.reserve(text.size() + 5);
  for (int i = 0; i < 4; ++i) value.push_back(static_cast<uint8_t>(size >> (8 * i)));
  for (const char c : text) value.push_back(static_cast<uint8_t>(c));
  value.push_back(0);
  return value;
}

bson::Document odd_id(uint8_t type, std::span<const uint8_t> value) {
  bson::Builder out;
  out.append_raw("_id", type, value);
  return out.finish();
}

// Ids of several types, {_id: ...}. A new generation is a new document. Among them what no driver makes and every server
// keeps: texts that differ in one byte that isn't UTF-8, a binary of subtype 2 without its inner length, a symbol.
bson::Document id_of(uint64_t slot, int generation) {
  switch (slot % 8) {
    case 0:
      return parse(fmt::format("{{\"_id\": {}}}", slot * 1000 + static_cast<uint64_t>(generation)));
    case 1:
      return parse(fmt::format("{{\"_id\": \"order {}.{} | 'quoted' \\\\ é\"}}", slot, generation));
    case 2:
      return parse(
          fmt::format("{{\"_id\": {{\"$oid\": \"65f00000000000000000{:02x}{:02x}\"}}}}", slot, generation));
    case 3:
      return parse(fmt::format("{{\"_id\": {{\"shop\": \"s{}\", \"number\": {}}}}}", slot, generation));
    case 4:
      return odd_id(BSON_TYPE_UTF8,
                    text_value(fmt::format("caf{}{}", slot < 8 ? '\xe8' : '\xe9', generation)));
    case 5: {
      // Not at the top: libmongoc would not find such an _id, and make one.
      bson::Builder inner;
      inner.append_raw("b", BSON_TYPE_BINARY, bytes({3, 0, 0, 0, 2, static_cast<int>(slot), generation, 7}));
      bson::Builder out;
      out.append("_id", inner.view());
      return out.finish();
    }
    case 6:
      return odd_id(BSON_TYPE_SYMBOL, text_value(fmt::format("s{}.{}", slot, generation)));
    default:
      return parse(fmt::format("{{\"_id\": {{\"$numberLong\": \"{}\"}}}}",
                               9'007'199'254'740'993 + static_cast<int64_t>(slot) * 1000 + generation));
  }
}

// A value that a text can lose: each is in the documents of its turn.
void append_odd(bson::Builder& out, int64_t n) {
  switch (n % 7) {
    case 0:
      out.append_raw("odd", BSON_TYPE_UTF8, text_value("not UTF-8: \xff\xc3"));
      break;
    case 1:
      out.append_raw("odd", BSON_TYPE_BINARY, bytes({2, 0, 0, 0, 2, 9, static_cast<int>(n & 0x7f)}));
      break;
    case 2: {
      bson::Builder literal;
      literal.append("$numberInt", "7");
      out.append("odd", literal.view());
      break;
    }
    case 3:
      out.append_raw("odd", BSON_TYPE_UNDEFINED, {});
      break;
    case 4:
      out.append_raw("odd", BSON_TYPE_SYMBOL, text_value("legacy"));
      break;
    case 5:
      out.append("odd", -0.0);
      break;
    default:
      break;
  }
}

// `id` as id_of() made it. Servers before 5.0 take names that begin with `$` from inserts alone.
bson::Document document_of(const bson::Document& id, int64_t n, bool literals) {
  bson::Builder out;
  out.concat(id);
  out.concat(parse(fmt::format(
      "{{\"v\": {}, \"total\": {{\"$numberDecimal\": \"{}.90\"}}, \"ratio\": {}, \"when\": {{\"$date\": "
      "{{\"$numberLong\": \"{}\"}}}}, \"lines\": [{{\"sku\": \"p{}\"}}, null, true]}}",
      n, n % 1000, n % 3 == 0 ? "{\"$numberDouble\": \"NaN\"}" : "0.5", 1'700'000'000'000 + n, n % 7)));
  if (literals || n % 7 != 2) append_odd(out, n);
  return out.finish();
}

struct Reply {
  Reply() { bson_init(&doc); }
  ~Reply() { bson_destroy(&doc); }
  Reply(const Reply&) = delete;
  Reply& operator=(const Reply&) = delete;
  // libmongoc initialises a reply that it is given.
  bson_t* out() {
    bson_destroy(&doc);
    return &doc;
  }
  int64_t count(const char* field) const {
    const auto found = bson::View(&doc).find(field);
    return found ? found->integer().value_or(0) : 0;
  }
  bson_t doc;
};

}  // namespace

struct Writer::Slot {
  uint64_t number = 0;
  int generation = 0;
  bool present = false;
  bson::Document id() const { return id_of(number, generation); }
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
    session = mongoc_client_start_session(client, nullptr, nullptr);
  }
  ~Client() {
    mongoc_client_session_destroy(session);
    mongoc_collection_destroy(collection);
    mongoc_client_pool_push(pool, client);
    mongoc_client_pool_destroy(pool);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // How many documents one write met; the driver repeats it once by itself.
  Result<int64_t> write(Op op, const bson::Document& id, int64_t n) {
    const bson_t raw_filter = id.view().raw();
    bson_t opts = BSON_INITIALIZER;
    mongoc_client_session_append(session, &opts, nullptr);
    Reply reply;
    bson_error_t error = {};
    bool ok = false;
    const char* counted = "matchedCount";
    if (op == Op::kInsert || op == Op::kReplace) {
      const bson::Document document = document_of(id, n, op == Op::kInsert);
      const bson_t raw = document.view().raw();
      // The driver's own opinion of documents is not the server's.
      BSON_APPEND_BOOL(&opts, "validate", false);
      if (op == Op::kInsert) {
        counted = "insertedCount";
        ok = mongoc_collection_insert_one(collection, &raw, &opts, reply.out(), &error);
      } else {
        ok = mongoc_collection_replace_one(collection, &raw_filter, &raw, &opts, reply.out(), &error);
      }
    } else if (op == Op::kUpdate) {
      const bson::Document change = testing::json(fmt::format(
          "{{\"$set\": {{\"v\": {}, \"note\": \"changed {}\"}}, \"$inc\": {{\"changes\": 1}}}}", n, n));
      const bson_t raw = change.view().raw();
      ok = mongoc_collection_update_one(collection, &raw_filter, &raw, &opts, reply.out(), &error);
    } else {
      counted = "deletedCount";
      ok = mongoc_collection_delete_one(collection, &raw_filter, &opts, reply.out(), &error);
    }
    bson_destroy(&opts);
    if (!ok) return fail(React::kRetry, error.message, {}, static_cast<int>(error.code));
    return reply.count(counted);
  }

  // True: committed. False: aborted for certain. Else unknown.
  Result<bool> commit() {
    for (int tries = 0;; ++tries) {
      Reply reply;
      bson_error_t error = {};
      if (mongoc_client_session_commit_transaction(session, reply.out(), &error)) return true;
      if (mongoc_error_has_label(&reply.doc, "TransientTransactionError")) return false;
      if (!mongoc_error_has_label(&reply.doc, "UnknownTransactionCommitResult") || tries == kCommitTries)
        return fail(React::kRetry, error.message);
    }
  }

  mongoc_client_pool_t* pool;
  mongoc_client_t* client;
  mongoc_collection_t* collection;
  mongoc_client_session_t* session;
  SeededRandom random{0};
};

Writer::Writer(WriterOptions options) : options_(std::move(options)), limit_(options_.go_on_to) {
  client_ = std::make_unique<Client>(
      options_.uri +
          "&appName=writer&w=majority&wtimeoutMS=1500&serverSelectionTimeoutMS=2000&socketTimeoutMS=1000&"
          "connectTimeoutMS=500&heartbeatFrequencyMS=500&retryWrites=true",
      options_.database);
  client_->random = SeededRandom(options_.seed ^ 0x5eed);
  for (uint64_t i = 0; i < kSlots; ++i) slots_.push_back({.number = i});
  thread_ = std::jthread([this](std::stop_token stop) { run(std::move(stop)); });
}

Writer::~Writer() { stop(); }

void Writer::go_on_to(int tried) {
  limit_ = tried;
  limit_.notify_all();
}

void Writer::stop() {
  thread_.request_stop();
  go_on_to(kNoLimit);
}

void Writer::join() {
  if (thread_.joinable()) thread_.join();
}

void Writer::run(std::stop_token stop) {
  while (tried_ < options_.writes && !stop.stop_requested() && contradiction_.empty()) {
    if (const int limit = limit_; tried_ >= limit) {
      limit_.wait(limit);
      continue;
    }
    if (client_->random.below(10) == 0) {
      write_transaction();
    } else {
      write_one(any_slot());
    }
    ++tried_;
    std::this_thread::sleep_for(std::chrono::microseconds(options_.pause_us));
  }
  done_ = true;
}

Writer::Slot& Writer::any_slot() { return slots_[client_->random.below(kSlots)]; }

void Writer::write_one(Slot& slot) {
  const uint64_t dice = client_->random.below(10);
  const Op op = !slot.present ? Op::kInsert : dice < 5 ? Op::kUpdate : dice < 8 ? Op::kReplace : Op::kDelete;
  const bson::Document id = slot.id();
  Write write{.n = ++next_n_, .op = op};
  const auto met = client_->write(op, id, write.n);
  write.known = met.has_value();
  history_.add(normal_id(id), write);
  if (!met) {
    ++unknown_;
    ++slot.generation;
    slot.present = false;
    return;
  }
  if (*met != 1)
    contradiction_ = fmt::format("{} {} of {} met no document", to_string(op), write.n, normal_id(id));
  slot.present = op != Op::kDelete;
}

// Two to four documents at once; all of their events share a cluster time.
void Writer::write_transaction() {
  std::vector<Slot*> chosen;
  for (uint64_t i = 0, count = 2 + client_->random.below(3); i < count; ++i) {
    Slot& slot = any_slot();
    if (std::find(chosen.begin(), chosen.end(), &slot) == chosen.end()) chosen.push_back(&slot);
  }
  bson_error_t error = {};
  if (!mongoc_client_session_start_transaction(client_->session, nullptr, &error)) return;
  std::vector<Write> writes;
  for (Slot* slot : chosen) {
    const uint64_t dice = client_->random.below(10);
    const Op op = !slot->present ? Op::kInsert
                  : dice < 6     ? Op::kUpdate
                  : dice < 8     ? Op::kReplace
                                 : Op::kDelete;
    writes.push_back({.n = ++next_n_, .op = op});
    const auto met = client_->write(op, slot->id(), writes.back().n);
    if (!met) {
      (void)mongoc_client_session_abort_transaction(client_->session, nullptr);
      return;
    }
    if (*met != 1)
      contradiction_ =
          fmt::format("{} {} of {} met no document", to_string(op), writes.back().n, normal_id(slot->id()));
  }
  const auto committed = client_->commit();
  if (committed && !*committed) return;
  for (size_t i = 0; i < chosen.size(); ++i) {
    writes[i].known = committed.has_value();
    history_.add(normal_id(chosen[i]->id()), writes[i]);
    chosen[i]->present = writes[i].op != Op::kDelete;
    if (committed) continue;
    ++unknown_;
    ++chosen[i]->generation;
    chosen[i]->present = false;
  }
}

Result<bson::Timestamp> Writer::write_the_end(int patience_ms) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(patience_ms);
  while (true) {
    // Whether an earlier try has inserted it doesn't matter: an update of it comes after everything.
    const bson::Document filter = testing::json(fmt::format("{{\"_id\": {}}}", kEndId));
    const bson::Document change = testing::json(fmt::format("{{\"$set\": {{\"v\": {}}}}}", ++next_n_));
    const bson_t raw_filter = filter.view().raw(), raw_change = change.view().raw();
    bson_t opts = BSON_INITIALIZER;
    mongoc_client_session_append(client_->session, &opts, nullptr);
    BSON_APPEND_BOOL(&opts, "upsert", true);
    bson_error_t error = {};
    const bool ok =
        mongoc_collection_update_one(client_->collection, &raw_filter, &raw_change, &opts, nullptr, &error);
    bson_destroy(&opts);
    if (ok) {
      bson::Timestamp time;
      mongoc_client_session_get_operation_time(client_->session, &time.seconds, &time.increment);
      return time;
    }
    if (std::chrono::steady_clock::now() > deadline) return fail(React::kRetry, error.message);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

std::string unreplicated_id_json(int64_t n) { return fmt::format("\"unreplicated {}\"", n); }

}  // namespace tidemark::chaos
