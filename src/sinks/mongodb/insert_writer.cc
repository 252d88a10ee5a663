// Mode "insert". A repeated event finds its document there: by `_id`, which is the event's own key where the document has
// none, or by the unique key. Both count as written; any other unique index that refuses a document is about something else,
// and rejects it.
#include <algorithm>

#include "base/log.h"
#include "sinks/mongodb/statements.h"
#include "sinks/mongodb/unique_index.h"
#include "sinks/mongodb/writer.h"

namespace tidemark::mongodb_sink {
namespace {

constexpr const char* kWho = "mongodb sink";

struct Row {
  uint32_t event = 0;
  uint32_t target = 0;
};

class InsertWriter final : public Writer {
 public:
  explicit InsertWriter(WriterOptions options) : options_(std::move(options)), index_(options_.unique_key) {}

  Status open(mongo::Client& client, std::stop_token stop) override {
    forget();
    if (options_.unique_key.empty() || !options_.target.fixed()) return {};
    TableName target;
    options_.target.expand({}, target);
    return index_.ensure(client, target, std::move(stop));
  }

  WriteResult plan(std::span<const Event> events) override {
    events_ = events;
    rows_.clear();
    targets_.clear();
    for (size_t i = 0; i < events.size(); ++i) {
      if (auto added = add(i); !added) return write_failed(std::move(added).error(), 0, i);
    }
    if (targets_.size() > 1) {
      std::stable_sort(rows_.begin(), rows_.end(),
                       [](const Row& a, const Row& b) { return a.target < b.target; });
    }
    return {};
  }

  WriteResult write(mongo::Client& client, std::stop_token stop) override {
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

  Status ensure_one(mongo::Client& client, const TableName& target, std::stop_token stop) override {
    if (options_.unique_key.empty()) return Writer::ensure_one(client, target, std::move(stop));
    return index_.ensure(client, target, std::move(stop));
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
    rows_.push_back({static_cast<uint32_t>(i), target_of(event.ns)});
    return {};
  }

  uint32_t target_of(const Namespace& ns) {
    if (!targets_.empty() && ns == last_ns_) return last_target_;
    options_.target.expand(ns, scratch_);
    const auto found = std::find(targets_.begin(), targets_.end(), scratch_);
    last_ns_ = ns;
    last_target_ = static_cast<uint32_t>(found - targets_.begin());
    if (found == targets_.end()) targets_.push_back(scratch_);
    return last_target_;
  }

  void build(size_t row, bson::Builder& document) const {
    const Event& event = events_[rows_[row].event];
    const auto id = event.key.find("_id");
    if (id && !event.after.find("_id")) document.append("_id", *id);
    document.concat(event.after);
  }

  WriteResult write_rows(mongo::Client& client, size_t begin, size_t end, std::stop_token stop) {
    const TableName& target = targets_[rows_[begin].target];
    WriteResult result;
    const auto run = [&](const bson::Builder& command, size_t first, size_t last) -> Status {
      result = write_command(client, target, command.view(), begin + first, begin + last, stop);
      return result ? Status() : fail(result.error().error);
    };
    const auto each = [&](size_t i, bson::Builder& document) { build(begin + i, document); };
    if (auto done = for_each_command(kInsert, target.name, end - begin, each, run); !done) return result;
    return {};
  }

  WriteResult write_command(mongo::Client& client, const TableName& target, bson::View command, size_t begin,
                            size_t end, std::stop_token stop) {
    auto reply = client.write_batch(target.schema, command, std::move(stop));
    if (!reply) return write_failed(std::move(reply).error(), first_event(begin));
    for (const mongo::WriteError& failed : mongo::write_errors(*reply)) {
      if (failed.code == mongo::kDuplicateKey && index_.is_repetition(failed)) continue;
      if (begin + failed.index >= end)
        return write_failed(
            {React::kFatal, std::string(kWho) + ": an error of a statement that was not sent"});
      const size_t event = rows_[begin + failed.index].event;
      Error error = mongo::classify_document(failed.code, failed.message, kWho + (" " + target.text()));
      if (failed.code == mongo::kDuplicateKey)
        error.hint =
            "a unique index of the destination's own refuses it; add its fields to unique_key only if a "
            "document with the same values is the same event";
      return write_failed(std::move(error), std::min(event, first_event(end)), event);
    }
    return {};
  }

  // The first event of what isn't written yet.
  size_t first_event(size_t begin) const {
    size_t first = events_.size();
    for (size_t i = begin; i < rows_.size(); ++i) first = std::min<size_t>(first, rows_[i].event);
    return first;
  }

  const WriterOptions options_;
  UniqueIndex index_;
  std::span<const Event> events_;
  std::vector<Row> rows_;  // those of one target stand together
  std::vector<TableName> targets_;
  TableName scratch_;
  Namespace last_ns_;
  uint32_t last_target_ = 0;
};

}  // namespace

std::unique_ptr<Writer> make_insert_writer(WriterOptions options) {
  return std::make_unique<InsertWriter>(std::move(options));
}

}  // namespace tidemark::mongodb_sink
