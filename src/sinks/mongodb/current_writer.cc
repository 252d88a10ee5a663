// Mode "current". Every statement is guarded by the event's token, which the destination's documents carry in the guard
// field, so that a replay or an older write still on its way changes nothing: a document is written when absent or older,
// removed when older. One without a guard (a copy made beforehand) counts as older. The update is a pipeline that
// decides on the server: in a transaction an upsert that is refused as a duplicate would abort it; and it leaves
// Timestamp(0, 0) as it is, where an insert and a classic replacement write the server's clock.
//
// A server before 5.0 takes from an insert what no update may make: names with `$` inside of sub-documents ({"$schema": ...},
// a DBRef in another order). Such a document is removed and inserted, both under the guard.
//
// Behind a mongos a statement names the shard key of the document (sinks/mongodb/targets.h), and what has the same _id under
// another shard key is removed first: the document has moved.
#include <deque>

#include "core/row_identity.h"
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
      : Writer(std::move(options)), plan_(options_.target, options_.on_drop) {}

  WriteResult plan(std::span<const Event> events) override {
    events_ = events;
    if (auto checked = check_names(events); !checked) return checked;
    if (auto planned = plan_.plan(events, &refused()); !planned) return planned;
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
    puts_.clear();
    tokens_.clear();
    for (const RowChange& change : changes) {
      // The server's own `_id` is one in all its forms, so that the put finds what stands under an old one.
      if (change.old_form) continue;
      if (change.remove) {
        removals_.push_back(&change);
        continue;
      }
      std::string& token = tokens_.emplace_back();
      append_row_token(*change.event, token);
      puts_.push_back({*row_id(*change.event), change.event->after, token, index_of(change)});
    }
    const auto remove = [&](size_t i, bson::Builder& out) { append_removal(*removals_[i], out); };
    Handlers handlers;
    WriteResult result;
    const auto failed = [&](Error error, size_t i) -> Status {
      result = write_failed(rejected(std::move(error)), 0, index_of(*removals_[i]));
      return fail(result.error().error);
    };
    handlers.on_reply = [&](bson::View reply, size_t begin, size_t end) -> Status {
      const auto errors = mongo::write_errors(reply);
      if (errors.empty()) return {};
      if (begin + errors.front().index >= end) return fail(unknown_statement());
      return failed(refusal(errors.front(), target), begin + errors.front().index);
    };
    handlers.on_refused = [&](size_t i, Error error) { return failed(std::move(error), i); };
    Status removed = send_statements(client, target, kDelete, removals_.size(), remove, handlers, stop);
    if (!removed) return result ? write_failed(std::move(removed).error()) : result;
    return put(client, target, puts_, std::move(stop));
  }

  // A document on its way into a collection.
  struct Put {
    bson::Element id;
    bson::View document;
    std::string_view token;
    size_t event = 0;  // to blame
  };

  WriteResult put(mongo::Client& client, const TableName& target, std::span<const Put> puts,
                  std::stop_token stop) {
    const std::vector<std::string>& shard_key = known_.shard_key(target);
    if (!shard_key.empty()) {
      if (auto moved = remove_elsewhere(client, target, puts, shard_key, stop); !moved) return moved;
    }
    WriteResult result;
    std::vector<size_t> by_insert;
    const auto failed = [&](Error error, size_t i) -> Status {
      result = write_failed(rejected(std::move(error)), 0, puts[i].event);
      return fail(result.error().error);
    };
    const auto build = [&](size_t i, bson::Builder& out) { append_put(puts[i], shard_key, out); };
    Handlers handlers;
    handlers.on_reply = [&](bson::View reply, size_t begin, size_t end) -> Status {
      for (const mongo::WriteError& error : mongo::write_errors(reply)) {
        if (begin + error.index >= end) return fail(unknown_statement());
        // In a transaction the first failure has ended it: the caller comes again without one.
        if (insert_may_hold(error.code) && !client.in_transaction())
          by_insert.push_back(begin + error.index);
        else
          return failed(refusal(error, target), begin + error.index);
      }
      return {};
    };
    handlers.on_refused = [&](size_t i, Error error) -> Status {
      if (!insert_may_hold(error.code)) return failed(std::move(error), i);
      by_insert.push_back(i);
      return {};
    };
    Status sent = send_statements(client, target, kUpdate, puts.size(), build, handlers, stop);
    if (!sent) return result ? write_failed(std::move(sent).error()) : result;
    for (const size_t i : by_insert) {
      if (Status done = insert_instead(client, target, puts[i], stop); !done)
        return write_failed(rejected(std::move(done).error()), 0, puts[i].event);
    }
    return {};
  }

  // What stands under the same _id and another shard key, and is older: on another shard it would stay beside the new one.
  WriteResult remove_elsewhere(mongo::Client& client, const TableName& target, std::span<const Put> puts,
                               const std::vector<std::string>& shard_key, std::stop_token stop) {
    const auto build = [&](size_t i, bson::Builder& out) {
      bson::Builder here;
      append_shard_key(shard_key, puts[i].document, here);
      bson::Builder others;
      others.append("0", here.view());
      bson::Builder query;
      append_id(puts[i].id, query);
      query.append_array("$nor", others.view());
      append_older(puts[i].token, query);
      out.append("q", query.view()).append("limit", int32_t{0});
    };
    const auto run = [&](const bson::Builder& command, size_t, size_t) -> Status {
      TIDEMARK_TRY(client.write(target.schema, command.view(), stop));
      return {};
    };
    if (Status done = for_each_command(kDelete, target.name, puts.size(), build, run); !done)
      return write_failed(std::move(done).error());
    return {};
  }

  // The older document goes and the new one is inserted; whoever comes between, or was here before, has the guard.
  Status insert_instead(mongo::Client& client, const TableName& target, const Put& put,
                        std::stop_token stop) {
    for (const bson::Element field : put.document) {
      if (field.key().starts_with('$')) {
        return fail(React::kReject,
                    std::string(kWho) + " " + target.text() + ": a document can't have the field " +
                        std::string(field.key()) +
                        " at its top: MongoDB takes such names inside of documents alone",
                    "a `rename` transform can give it another name");
      }
    }
    bson::Builder whole;
    build_document(put, whole);
    bson::Builder query;
    append_id(put.id, query);
    append_older(put.token, query);
    bson::Builder removal;
    removal.append("q", query.view()).append("limit", int32_t{0});
    TIDEMARK_TRY(run_one(client, target, kDelete, removal.view(), stop));
    // A duplicate is one that is newer, or this very document from an earlier try.
    if (Status inserted = run_one(client, target, kInsert, whole.view(), stop);
        !inserted && inserted.error().code != mongo::kDuplicateKey)
      return inserted;
    if (!has_zero_timestamp(put.document)) return {};
    bson::Builder same;
    append_id(put.id, same);
    if (!options_.guard_field.empty()) same.append(options_.guard_field, put.token);
    bson::Builder update;
    update.append("q", same.view()).append("u", set_zero_timestamps(put.document).view());
    return run_one(client, target, kUpdate, update.view(), std::move(stop));
  }

  Status run_one(mongo::Client& client, const TableName& target, const Verb& verb, bson::View statement,
                 std::stop_token stop) const {
    bson::Builder statements;
    statements.append("0", statement);
    bson::Builder command;
    command.append(verb.command, target.name).append_array(verb.statements, statements.view());
    TIDEMARK_ASSIGN(const bson::Document reply,
                    client.write_batch(target.schema, command.view(), std::move(stop)));
    const auto errors = mongo::write_errors(reply);
    if (errors.empty()) return {};
    return fail(refusal(errors.front(), target));
  }

  static Error refusal(const mongo::WriteError& failed, const TableName& target) {
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
    return error;
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

  // A document that moved to another shard comes as an insert there and a delete here, in any order: the delete is meant for
  // the document that still has the shard key it names.
  void append_removal(const RowChange& change, bson::Builder& out) const {
    bson::Builder query;
    append_id(id_of(*change.event), query);
    append_older(change.event->id, query);
    if (change.if_key) append_shard_key_condition(change.if_key, query);
    out.append("q", query.view()).append("limit", int32_t{1});
  }

  // {$or: [{GUARD: / <shard key>$/}, {GUARD: {$not: / /}, "a.b": {$eq: value}}]}: the guard carries the shard key where the
  // document doesn't show it.
  void append_shard_key_condition(bson::View key, bson::Builder& query) const {
    bson::Builder by_document;
    const auto add = [&by_document](const auto& self, const std::string& path,
                                    const bson::Element& value) -> void {
      if (value.is_document() && !value.document().empty()) {
        for (const bson::Element field : value.document())
          self(self, path + "." + std::string(field.key()), field);
        return;
      }
      bson::Builder equal;
      by_document.append(path, equal.append("$eq", value).view());
    };
    for (const bson::Element field : key)
      if (field.key() != "_id") add(add, std::string(field.key()), field);
    if (options_.guard_field.empty()) {
      query.concat(by_document.view());
      return;
    }
    std::string text, pattern = " ";
    tidemark::append_shard_key(key, text);
    for (const char c : text) {
      if (std::string_view("\\^$.|?*+()[]{}").find(c) != std::string_view::npos) pattern.push_back('\\');
      pattern.push_back(c);
    }
    pattern.push_back('$');
    bson::Builder carries, carries_none, by_guard, either;
    bson_append_regex(carries.raw(), options_.guard_field.c_str(), -1, pattern.c_str(), "");
    bson_append_regex(carries_none.raw(), "$not", -1, " ", "");
    by_guard.append(options_.guard_field, carries_none.view()).concat(by_document.view());
    either.append("0", carries.view()).append("1", by_guard.view());
    query.append_array("$or", either.view());
  }

  // The document as it will stand there.
  void build_document(const Put& put, bson::Builder& whole) const {
    const std::string& guard = options_.guard_field;
    if (!put.document.find("_id")) whole.append("_id", put.id);
    if (guard.empty() || !put.document.find(guard)) {
      whole.concat(put.document);  // its bytes as they are
    } else {
      for (const bson::Element field : put.document)
        if (field.key() != guard) whole.append(field.key(), field);
    }
    if (!guard.empty()) whole.append(guard, put.token);
  }

  // {q: {_id}, u: [{$replaceWith: {$cond: [{$gte: [GUARD, token]}, what is there, the document]}}], upsert: true}
  void append_put(const Put& put, const std::vector<std::string>& shard_key, bson::Builder& out) const {
    bson::Builder whole;
    build_document(put, whole);
    bson::Builder stage;
    if (options_.guard_field.empty()) {
      stage.append("$replaceWith", literal(whole.view()).view());
    } else {
      bson::Builder operands;
      operands.append("0", "$" + options_.guard_field).append("1", put.token);
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
    append_id(put.id, query);
    append_shard_key(shard_key, put.document, query);
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
    std::vector<Put> puts;
    for (const bson::View document : documents) puts.push_back({*document.find("_id"), document, token});
    if (auto written = put(client, to, puts, stop); !written) return fail(std::move(written).error().error);
    const auto run = [&](const bson::Builder& command, size_t, size_t) -> Status {
      TIDEMARK_TRY(client.write(from.schema, command.view(), stop));
      return {};
    };
    const auto remove = [&](size_t i, bson::Builder& statement) {
      bson::Builder of;
      append_id(*documents[i].find("_id"), of);
      append_older(token, of);
      statement.append("q", of.view()).append("limit", int32_t{1});
    };
    TIDEMARK_TRY(for_each_command(kDelete, from.name, documents.size(), remove, run));
    return documents.size();
  }

  RowPlan plan_;
  std::span<const Event> events_;
  std::deque<std::string> tokens_;  // of puts_
  std::vector<const RowChange*> removals_;
  std::vector<Put> puts_;
};

}  // namespace

std::unique_ptr<Writer> make_current_writer(WriterOptions options) {
  return std::make_unique<CurrentWriter>(std::move(options));
}

}  // namespace tidemark::mongodb_sink
