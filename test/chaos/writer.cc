#include "chaos/writer.h"

#include <chrono>

#include <fmt/format.h>
#include <mongoc/mongoc.h>

#include "chaos/documents.h"
#include "chaos/ends.h"
#include "chaos/writer_parts.h"
#include "support/mongo.h"

namespace tidemark::chaos {
namespace {

constexpr int kCommitTries = 3;

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

Result<int64_t> Writer::Client::write(const Planned& planned) {
  const Op op = planned.write.op;
  const int64_t n = planned.write.n;
  const bson_t raw_filter = planned.filter.view().raw();
  bson_t opts = BSON_INITIALIZER;
  mongoc_client_session_append(session, &opts, nullptr);
  Reply reply;
  bson_error_t error = {};
  bool ok = false;
  const char* counted = "matchedCount";
  if (op == Op::kInsert || op == Op::kReplace) {
    const bson::Document document = document_of(planned.id, planned.slot, n, op == Op::kInsert);
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
    const bson::Document change =
        testing::json(fmt::format("{{\"$set\": {{\"v\": {}, \"note\": \"changed {}\"}}, "
                                  "\"$inc\": {{\"changes\": 1}}}}",
                                  n, n));
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

Result<bool> Writer::Client::commit() {
  for (int tries = 0;; ++tries) {
    Reply reply;
    bson_error_t error = {};
    if (mongoc_client_session_commit_transaction(session, reply.out(), &error)) return true;
    if (mongoc_error_has_label(&reply.doc, "TransientTransactionError")) return false;
    if (!mongoc_error_has_label(&reply.doc, "UnknownTransactionCommitResult") || tries == kCommitTries)
      return fail(React::kRetry, error.message);
  }
}

Writer::Writer(WriterOptions options) : options_(std::move(options)), limit_(options_.go_on_to) {
  client_ =
      std::make_unique<Client>(options_.uri +
                                   "&appName=writer&w=majority&wtimeoutMS=1500&serverSelectionTimeoutMS="
                                   "2000&socketTimeoutMS=1000&"
                                   "connectTimeoutMS=500&heartbeatFrequencyMS=500&retryWrites=true",
                               options_.database);
  client_->start_session();
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
    const uint64_t dice = client_->random.below(60);
    if (options_.moves && dice == 59) {
      move_collection();
    } else if (dice < 6) {
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

Writer::Planned Writer::plan(const Slot& slot, Op op) {
  Planned planned{{.n = ++next_n_, .op = op}, slot.number, {}, {}, slot.form};
  const bool whole = op == Op::kInsert || op == Op::kReplace;
  if (whole) planned.form = static_cast<int>(planned.write.n % kForms);
  planned.write.doubled = whole && doubles_a_name(slot.number, planned.write.n);
  planned.id = id_of(slot.number, slot.generation, planned.form);
  planned.filter = id_of(slot.number, slot.generation, (planned.form + 1) % kForms);
  return planned;
}

// What is known of it now.
void Writer::settle(Slot& slot, Planned planned, bool known) {
  planned.write.known = known;
  history_.add(normal_id(planned.id), planned.write);
  slot.present = known && planned.write.op != Op::kDelete;
  slot.form = planned.form;
  if (known) return;
  ++unknown_;
  ++slot.generation;
}

void Writer::check_met(const Planned& planned, int64_t met) {
  if (met != 1)
    contradiction_ = fmt::format("{} {} of {} met no document", to_string(planned.write.op), planned.write.n,
                                 normal_id(planned.id));
}

void Writer::write_one(Slot& slot) {
  const uint64_t dice = client_->random.below(10);
  const Op op = !slot.present ? Op::kInsert : dice < 5 ? Op::kUpdate : dice < 8 ? Op::kReplace : Op::kDelete;
  Planned planned = plan(slot, op);
  const auto met = client_->write(planned);
  if (met) check_met(planned, *met);
  settle(slot, std::move(planned), met.has_value());
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
  std::vector<Planned> writes;
  for (Slot* slot : chosen) {
    const uint64_t dice = client_->random.below(10);
    const Op op = !slot->present ? Op::kInsert
                  : dice < 6     ? Op::kUpdate
                  : dice < 8     ? Op::kReplace
                                 : Op::kDelete;
    writes.push_back(plan(*slot, op));
    const auto met = client_->write(writes.back());
    if (!met) {
      (void)mongoc_client_session_abort_transaction(client_->session, nullptr);
      return;
    }
    check_met(writes.back(), *met);
  }
  const auto committed = client_->commit();
  if (committed && !*committed) return;
  for (size_t i = 0; i < chosen.size(); ++i) settle(*chosen[i], std::move(writes[i]), committed.has_value());
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
