// Mode "insert". A repeated event finds its document there: by `_id`, which is the event's own key where the document has
// none, or by the unique key. Both count as written; any other unique index that refuses a document is about something else,
// and rejects it.
#include <algorithm>
#include <optional>
#include <set>
#include <string>

#include "base/log.h"
#include "sinks/mongodb/statements.h"
#include "sinks/mongodb/unique_index.h"
#include "sinks/mongodb/writer.h"

namespace tidemark::mongodb_sink {
namespace {

constexpr const char* kWho = "mongodb sink";
// A repetition does no harm, and an audit doesn't compare what is only added to.
constexpr const char* kRemedy =
    "bring back what the source's oplog still holds: `tidemark position set` to `--from earliest` or a time";

struct Row {
  uint32_t event = 0;
  uint32_t target = 0;
};

class InsertWriter final : public Writer {
 public:
  explicit InsertWriter(WriterOptions options)
      : Writer(std::move(options), kRemedy), index_(options_.unique_key) {}

  Status open(mongo::Client& client, std::stop_token stop) override {
    TIDEMARK_TRY(Writer::open(client, stop));
    indexed_.clear();
    if (options_.unique_key.empty() || !options_.target.fixed()) return {};
    TableName target;
    options_.target.expand({}, target);
    return ensure_one(client, target, {}, std::move(stop));
  }

  WriteResult plan(std::span<const Event> events) override {
    events_ = events;
    rows_.clear();
    targets_.clear();
    firsts_.clear();
    if (auto checked = check_names(events); !checked) return checked;
    for (size_t i = 0; i < events.size(); ++i) {
      if (refused().has(events[i].ns)) continue;
      if (auto added = add(i); !added) return write_failed(std::move(added).error(), 0, i);
    }
    if (targets_.size() > 1) {
      std::stable_sort(rows_.begin(), rows_.end(),
                       [](const Row& a, const Row& b) { return a.target < b.target; });
    }
    return {};
  }

  WriteResult write(mongo::Client& client, const NextPart&, std::stop_token stop) override {
    written_.assign(rows_.size(), false);
    for (size_t begin = 0; begin < rows_.size();) {
      size_t end = begin;
      while (end < rows_.size() && rows_[end].target == rows_[begin].target) ++end;
      if (auto written = write_rows(client, begin, end, stop); !written) return written;
      begin = end;
    }
    return {};
  }

 protected:
  std::span<const TableName> targets() const override { return targets_; }
  const Event* first_put(size_t target) const override { return firsts_[target]; }

  Status ensure_one(mongo::Client& client, const TableName& target, const Namespace& ns,
                    std::stop_token stop) override {
    const bool due = known_.is_due(target);
    TIDEMARK_TRY(Writer::ensure_one(client, target, ns, stop));
    // That the collection was looked at says nothing of its index: open() only looks, and making the index may have failed.
    if (options_.unique_key.empty() || (!due && indexed_.contains(target.text()))) return {};
    TIDEMARK_TRY(index_.ensure(client, target, std::move(stop)));
    indexed_.insert(target.text());
    return {};
  }

 private:
  Status add(size_t i) {
    const Event& event = events_[i];
    if (!event.has_document()) {
      log::debug("{}: the event \"{}\" has no document and is passed over", kWho, event.op_name);
      return {};
    }
    if (event.op != Op::kInsert) {
      return fail(React::kReject,
                  std::string(kWho) + ": mode \"insert\" only adds documents, and this event is of type " +
                      std::string(event.op_name),
                  "let the source's filter pass inserts alone, or use mode = \"current\"");
    }
    if (!event.after) {
      return fail(React::kReject, std::string(kWho) + ": the event comes without its document",
                  "a filter or a projection takes fullDocument away");
    }
    if (auto missing = index_.missing_in(event.after)) {
      return fail(
          React::kReject,
          std::string(kWho) + ": the document has no " + *missing + ", which is part of the unique_key",
          "documents without it would all be taken for the same one");
    }
    if (options_.unique_key.empty() && !event.after.find("_id") && !event.key.find("_id")) {
      return fail(React::kReject, std::string(kWho) + ": neither document nor event has an _id",
                  "set unique_key, so that a repeated event is known again");
    }
    const size_t bytes = event.after.size() + (event.after.find("_id") ? 0 : event.key.size());
    if (bytes > kDocumentBytesMax) return fail(too_large(bytes));
    rows_.push_back({static_cast<uint32_t>(i), target_of(event)});
    return {};
  }

  uint32_t target_of(const Event& event) {
    const Namespace& ns = event.ns;
    if (!targets_.empty() && ns == last_ns_) return last_target_;
    options_.target.expand(ns, scratch_);
    const auto found = std::find(targets_.begin(), targets_.end(), scratch_);
    last_ns_ = ns;
    last_target_ = static_cast<uint32_t>(found - targets_.begin());
    if (found == targets_.end()) {
      targets_.push_back(scratch_);
      firsts_.push_back(&event);
    }
    return last_target_;
  }

  void build(size_t row, bson::Builder& document) const {
    const Event& event = events_[rows_[row].event];
    const auto id = event.key.find("_id");
    if (id && !event.after.find("_id")) document.append("_id", *id);
    document.concat(event.after);
  }

  // {q: {_id, $nor: [{}]}, u: [{$replaceWith: the document}], upsert: true}: matches nothing, and so inserts, or is refused by
  // the same unique indexes as an insert; but an update by a pipeline leaves Timestamp(0, 0) as it is.
  void build_upsert(size_t row, const TableName& target, bson::Builder& statement) const {
    bson::Builder document;
    build(row, document);
    bson::Builder query;
    if (const auto id = document.view().find("_id")) {
      bson::Builder equal;
      equal.append("$eq", *id);
      query.append("_id", equal.view());
    }
    append_shard_key(known_.shard_key(target), document.view(), query);
    bson::Builder none;
    none.append("0", bson::Builder().view());
    query.append_array("$nor", none.view());
    bson::Builder literal;
    literal.append("$literal", document.view());
    bson::Builder stage;
    stage.append("$replaceWith", literal.view());
    bson::Builder pipeline;
    pipeline.append("0", stage.view());
    statement.append("q", query.view()).append_array("u", pipeline.view()).append("upsert", true);
  }

  WriteResult write_rows(mongo::Client& client, size_t begin, size_t end, std::stop_token stop) {
    const TableName& target = targets_[rows_[begin].target];
    plain_.clear();
    stamped_.clear();
    for (size_t i = begin; i < end; ++i)
      (has_zero_timestamp(events_[rows_[i].event].after) ? stamped_ : plain_).push_back(i);
    const auto insert = [&](size_t row, bson::Builder& document) { build(row, document); };
    if (auto done = send(client, target, kInsert, plain_, insert, stop); !done) return done;
    const auto upsert = [&](size_t row, bson::Builder& statement) { build_upsert(row, target, statement); };
    by_insert_.clear();
    if (auto done = send(client, target, kUpdate, stamped_, upsert, stop); !done || by_insert_.empty())
      return done;
    // With names, moreover, that no update may make: inserted, and what the server wrote into them is put right.
    const std::vector<size_t> rows = by_insert_;
    if (auto done = send(client, target, kInsert, rows, insert, stop); !done) return done;
    const auto restore = [&](size_t row, bson::Builder& statement) {
      bson::Builder document;
      build(row, document);
      bson::Builder equal, query;
      if (const auto id = document.view().find("_id")) equal.append("$eq", *id);
      query.append("_id", equal.view());
      append_shard_key(known_.shard_key(target), document.view(), query);
      statement.append("q", query.view()).append("u", set_zero_timestamps(document.view()).view());
    };
    return send(client, target, kUpdate, rows, restore, stop);
  }

  template <class Build>
  WriteResult send(mongo::Client& client, const TableName& target, const Verb& verb,
                   const std::vector<size_t>& rows, Build build_row, std::stop_token stop) {
    WriteResult result;
    const auto failed = [&](Error error, size_t row) -> Status {
      result = write_failed(rejected(std::move(error)), first_unwritten(), rows_[row].event);
      return fail(result.error().error);
    };
    const auto each = [&](size_t i, bson::Builder& out) { build_row(rows[i], out); };
    Handlers handlers;
    handlers.on_reply = [&](bson::View reply, size_t first, size_t last) -> Status {
      for (size_t i = first; i < last; ++i) written_[rows[i]] = true;
      std::optional<mongo::WriteError> refused;
      for (mongo::WriteError& error : mongo::write_errors(reply)) {
        if (error.code == mongo::kDuplicateKey && index_.is_repetition(error)) continue;
        if (first + error.index >= last) return fail(unknown_statement());
        if (&verb == &kUpdate && insert_may_hold(error.code)) {
          by_insert_.push_back(rows[first + error.index]);
          continue;
        }
        written_[rows[first + error.index]] = false;
        if (!refused) refused = std::move(error);
      }
      if (!refused) return {};
      return failed(refusal(*refused, target), rows[first + refused->index]);
    };
    handlers.on_refused = [&](size_t i, Error error) { return failed(std::move(error), rows[i]); };
    Status sent = send_statements(client, target, verb, rows.size(), each, handlers, std::move(stop));
    if (!sent && result) result = write_failed(std::move(sent).error(), first_unwritten());
    return result;
  }

  static Error refusal(const mongo::WriteError& failed, const TableName& target) {
    Error error = mongo::classify_document(failed.code, failed.message, kWho + (" " + target.text()));
    if (failed.code == mongo::kDuplicateKey)
      error.hint =
          "a unique index of the destination's own refuses it; add its fields to unique_key only if a "
          "document with the same values is the same event";
    return error;
  }

  size_t first_unwritten() const {
    size_t first = events_.size();
    for (size_t i = 0; i < rows_.size(); ++i)
      if (!written_[i]) first = std::min<size_t>(first, rows_[i].event);
    return first;
  }

  UniqueIndex index_;
  std::set<std::string>
      indexed_;                  // the collections' full names that it was made on, or found on, since open()
  std::vector<Row> rows_;        // those of one target stand together
  std::vector<bool> written_;    // of rows_
  std::vector<size_t> plain_;    // of rows_: those that are inserted
  std::vector<size_t> stamped_;  // and those with a Timestamp(0, 0) that an insert would change
  std::vector<size_t> by_insert_;  // and of those, what an update may not make
  std::vector<TableName> targets_;
  std::vector<const Event*> firsts_;  // of targets_
  TableName scratch_;
  Namespace last_ns_;
  uint32_t last_target_ = 0;
};

}  // namespace

std::unique_ptr<Writer> make_insert_writer(WriterOptions options) {
  return std::make_unique<InsertWriter>(std::move(options));
}

}  // namespace tidemark::mongodb_sink
