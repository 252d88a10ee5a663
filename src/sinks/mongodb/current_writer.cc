// Mode "current". Every statement is guarded by the event's token, which the destination's documents carry in the guard
// field, so that a replay or an older write still on its way changes nothing: a document is written when absent or older,
// removed when older. One without a guard (a copy made beforehand) counts as older. The update is a pipeline that
// decides on the server: in a transaction an upsert that is refused as a duplicate would abort it.
#include "sinks/mongodb/statements.h"
#include "sinks/mongodb/writer.h"

namespace tidemark::mongodb_sink {
namespace {

constexpr const char* kWho = "mongodb sink";
constexpr int32_t kMoveBatch = 500;

bson::Document literal(bson::View value) {
  bson::Builder builder;
  builder.append("$literal", value);
  return builder.finish();
}

bool names_index_of_id(const mongo::WriteError& error) {
  if (error.key_pattern) {
    const auto first = error.key_pattern.view().begin();
    return first != error.key_pattern.view().end() && (*first).key() == "_id";
  }
  return error.index_name == "_id_";
}

class CurrentWriter final : public Writer {
 public:
  explicit CurrentWriter(WriterOptions options)
      : options_(std::move(options)), plan_(options_.target, options_.on_drop) {}

  WriteResult plan(std::span<const Event> events) override {
    events_ = events;
    if (auto planned = plan_.plan(events); !planned) return planned;
    for (const RowStep& step : plan_.steps()) {
      for (const RowChange& change : step.changes) {
        if (change.remove) continue;
        if (Status fits = check(*change.event); !fits)
          return write_failed(std::move(fits).error(), 0, index_of(change));
      }
    }
    return {};
  }

  WriteResult write(mongo::Client& client, std::stop_token stop) override {
    for (const RowStep& step : plan_.steps()) {
      const auto changes = step.changes;
      for (size_t begin = 0; begin < changes.size();) {
        size_t end = begin;
        while (end < changes.size() && changes[end].table == changes[begin].table) ++end;
        if (auto written = write_changes(client, changes.subspan(begin, end - begin), stop); !written)
          return written;
        begin = end;
      }
      if (Status done = apply(client, step.barrier, stop); !done)
        return write_failed(std::move(done).error());
    }
    return {};
  }

  bool fits_transaction() const override {
    for (const RowStep& step : plan_.steps())
      if (step.barrier.kind != RowBarrier::Kind::kNone) return false;
    return true;
  }

 protected:
  std::span<const TableName> targets() const override { return plan_.tables(); }
  bool gets_documents(size_t target) const override {
    return plan_.first_put(static_cast<uint32_t>(target)) != nullptr;
  }

 private:
  Status check(const Event& event) const {
    // Type, terminator and length of the guard beside its name and token.
    constexpr size_t kStringField = 7;
    const std::string& guard = options_.guard_field;
    const size_t added = guard.empty() ? 0 : guard.size() + event.id.size() + kStringField;
    const size_t bytes = event.after.size() + added + (event.after.find("_id") ? 0 : event.key.size());
    if (bytes > kDocumentBytesMax) return fail(too_large(bytes));
    if (guard.empty() || !event.after.find(guard)) return {};
    return fail(React::kReject,
                std::string(kWho) + ": the document has a field " + guard +
                    " of its own, where the sink keeps the token",
                "set guard_field to a name that no document has");
  }

  size_t index_of(const RowChange& change) const {
    return static_cast<size_t>(change.event - events_.data());
  }

  // Removals first, so that what one document gives up under a unique index of the destination's, another can take.
  WriteResult write_changes(mongo::Client& client, std::span<const RowChange> changes, std::stop_token stop) {
    const TableName& target = plan_.tables()[changes.front().table];
    removals_.clear();
    updates_.clear();
    for (const RowChange& change : changes) (change.remove ? removals_ : updates_).push_back(&change);
    const auto remove = [this](const RowChange& change, bson::Builder& out) { append_removal(change, out); };
    if (auto removed = send(client, target, kDelete, removals_, remove, stop); !removed) return removed;
    const auto update = [this](const RowChange& change, bson::Builder& out) { append_update(change, out); };
    return send(client, target, kUpdate, updates_, update, stop);
  }

  template <class Append>
  WriteResult send(mongo::Client& client, const TableName& target, const Verb& verb,
                   const std::vector<const RowChange*>& changes, Append append, std::stop_token stop) {
    WriteResult result;
    const auto each = [&](size_t i, bson::Builder& statement) { append(*changes[i], statement); };
    const auto run = [&](const bson::Builder& command, size_t begin, size_t end) -> Status {
      auto reply = client.write_batch(target.schema, command.view(), stop);
      result = reply ? judge(*reply, target, std::span(changes).subspan(begin, end - begin))
                     : write_failed(std::move(reply).error());
      return result ? Status() : fail(result.error().error);
    };
    (void)for_each_command(verb, target.name, changes.size(), each, run);
    return result;
  }

  WriteResult judge(bson::View reply, const TableName& target, std::span<const RowChange* const> sent) const {
    const auto errors = mongo::write_errors(reply);
    if (errors.empty()) return {};
    const mongo::WriteError& failed = errors.front();
    if (failed.index >= sent.size()) return write_failed(unknown_statement());
    Error error = mongo::classify_document(failed.code, failed.message, kWho + (" " + target.text()));
    if (failed.code == mongo::kDuplicateKey && names_index_of_id(failed)) {
      // Two inserted it at once; the next try finds it.
      error.react = React::kRetry;
    } else if (failed.code == mongo::kDuplicateKey) {
      error.hint =
          "a unique index of the destination's own refuses it; documents arrive in no order among each "
          "other, so "
          "keep such indexes at the source alone";
    }
    return write_failed(std::move(error), 0, index_of(*sent[failed.index]));
  }

  // --- statements

  static bson::Element id_of(const Event& event) { return *event.key.find("_id"); }

  // {GUARD: {$not: {$gte: token}}}: older than the event, or without a guard.
  void append_older(std::string_view token, bson::Builder& query) const {
    if (options_.guard_field.empty()) return;
    bson::Builder newer;
    newer.append("$gte", token);
    bson::Builder older;
    older.append("$not", newer.view());
    query.append(options_.guard_field, older.view());
  }

  static void append_id(const bson::Element& id, bson::Builder& query) {
    bson::Builder equal;
    equal.append("$eq", id);
    query.append("_id", equal.view());
  }

  void append_removal(const RowChange& change, bson::Builder& out) const {
    bson::Builder query;
    append_id(id_of(*change.event), query);
    append_older(change.event->id, query);
    out.append("q", query.view()).append("limit", int32_t{1});
  }

  void append_update(const RowChange& change, bson::Builder& out) const {
    append_put(id_of(*change.event), change.event->after, change.event->id, out);
  }

  // {q: {_id}, u: [{$replaceWith: {$cond: [{$gte: [GUARD, token]}, what is there, the document]}}], upsert: true}
  void append_put(const bson::Element& id, bson::View document, std::string_view token,
                  bson::Builder& out) const {
    bson::Builder whole;
    if (!document.find("_id")) whole.append("_id", id);
    for (const bson::Element field : document)
      if (options_.guard_field.empty() || field.key() != options_.guard_field)
        whole.append(field.key(), field);
    if (!options_.guard_field.empty()) whole.append(options_.guard_field, token);
    bson::Builder stage;
    if (options_.guard_field.empty()) {
      stage.append("$replaceWith", literal(whole.view()).view());
    } else {
      bson::Builder operands;
      operands.append("0", "$" + options_.guard_field).append("1", token);
      bson::Builder newer;
      newer.append_array("$gte", operands.view());
      bson::Builder branches;
      branches.append("0", newer.view()).append("1", "$$ROOT").append("2", literal(whole.view()).view());
      bson::Builder choice;
      choice.append_array("$cond", branches.view());
      stage.append("$replaceWith", choice.view());
    }
    bson::Builder pipeline;
    pipeline.append("0", stage.view());
    bson::Builder query;
    append_id(id, query);
    out.append("q", query.view()).append_array("u", pipeline.view()).append("upsert", true);
  }

  // --- whole collections

  Status apply(mongo::Client& client, const RowBarrier& barrier, std::stop_token stop) {
    if (barrier.kind == RowBarrier::Kind::kNone) return {};
    const std::string_view token = barrier.event->id;
    if (barrier.kind == RowBarrier::Kind::kClear)
      return clear(client, plan_.tables()[barrier.table], token, stop);
    const TableName& from = plan_.tables()[barrier.table];
    const TableName& to = plan_.tables()[barrier.target];
    TIDEMARK_TRY(clear(client, to, token, stop));
    while (true) {
      TIDEMARK_ASSIGN(const size_t moved, move_some(client, from, to, token, stop));
      if (moved == 0) return {};
    }
  }

  Status clear(mongo::Client& client, const TableName& target, std::string_view token, std::stop_token stop) {
    bson::Builder query;
    append_older(token, query);
    bson::Builder statement;
    statement.append("q", query.view()).append("limit", int32_t{0});
    bson::Builder statements;
    statements.append("0", statement.view());
    bson::Builder command;
    command.append("delete", target.name).append_array("deletes", statements.view());
    TIDEMARK_TRY(client.write(target.schema, command.view(), std::move(stop)));
    return {};
  }

  // Writes a few documents to their new place and then removes them from the old one; broken off, it may be done again.
  Result<size_t> move_some(mongo::Client& client, const TableName& from, const TableName& to,
                           std::string_view token, std::stop_token stop) {
    bson::Builder query;
    append_older(token, query);
    bson::Builder find;
    find.append("find", from.name).append("filter", query.view()).append("limit", kMoveBatch);
    find.append("singleBatch", true);
    TIDEMARK_ASSIGN(const bson::Document reply, client.read(from.schema, find.view(), stop));
    const auto batch = reply.view().find_path("cursor.firstBatch");
    if (!batch || !batch->is_array()) return size_t{0};
    std::vector<bson::View> documents;
    for (const bson::Element item : batch->document())
      if (item.is_document() && item.document().find("_id")) documents.push_back(item.document());
    const auto run = [&](const TableName& target) {
      return [&client, &target, stop](const bson::Builder& command, size_t, size_t) -> Status {
        TIDEMARK_TRY(client.write(target.schema, command.view(), stop));
        return {};
      };
    };
    const auto put = [&](size_t i, bson::Builder& statement) {
      append_put(*documents[i].find("_id"), documents[i], token, statement);
    };
    TIDEMARK_TRY(for_each_command(kUpdate, to.name, documents.size(), put, run(to)));
    const auto remove = [&](size_t i, bson::Builder& statement) {
      bson::Builder of;
      append_id(*documents[i].find("_id"), of);
      append_older(token, of);
      statement.append("q", of.view()).append("limit", int32_t{1});
    };
    TIDEMARK_TRY(for_each_command(kDelete, from.name, documents.size(), remove, run(from)));
    return documents.size();
  }

  const WriterOptions options_;
  RowPlan plan_;
  std::span<const Event> events_;
  std::vector<const RowChange*> removals_;
  std::vector<const RowChange*> updates_;
};

}  // namespace

std::unique_ptr<Writer> make_current_writer(WriterOptions options) {
  return std::make_unique<CurrentWriter>(std::move(options));
}

}  // namespace tidemark::mongodb_sink
