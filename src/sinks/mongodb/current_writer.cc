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
#include <algorithm>
#include <deque>

#include "core/row_identity.h"
#include "core/table_owners.h"
#include "sinks/mongodb/guard.h"
#include "sinks/mongodb/owners.h"
#include "sinks/mongodb/pages.h"
#include "sinks/mongodb/statements.h"
#include "sinks/mongodb/writer.h"

namespace tidemark::mongodb_sink {
namespace {

constexpr const char* kWho = "mongodb sink";
constexpr const char* kRemedy =
    "start again, run the statement that the message then names, if it names one, and bring what is missing "
    "from the source with `tidemark audit --repair`";
constexpr int32_t kMoveBatch = 500;

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
      : Writer(std::move(options), kRemedy),
        guard_(options_.guard_field),
        owners_(options_.owners, options_.pipeline),
        plan_(options_.target, options_.on_drop) {}

  Status open(mongo::Client& client, std::stop_token stop) override {
    owners_.forget();
    TIDEMARK_TRY(Writer::open(client, stop));
    if (!options_.target.fixed()) return {};
    TableName target;
    options_.target.expand({}, target);
    TIDEMARK_ASSIGN(const std::string owner, owners_.of(client, target, stop));
    return owner.empty() ? Status() : check_there(client, target, owner, std::move(stop));
  }

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

  // Where a barrier gives a collection back, another may get it behind it: each step sees to its own.
  WriteResult ensure(mongo::Client& client, std::stop_token stop) override {
    if (!fits_transaction()) return {};
    const auto ready = [&](std::span<const RowChange> changes) { return ensure_for(client, changes, stop); };
    for (const RowStep& step : plan_.steps())
      if (auto done = for_each_target(step, ready); !done) return done;
    return {};
  }

  WriteResult write(mongo::Client& client, const NextPart& next_part, std::stop_token stop) override {
    const bool ready = fits_transaction();
    const auto write_to = [&](std::span<const RowChange> changes) -> WriteResult {
      if (!ready)
        if (auto made = ensure_for(client, changes, stop); !made) return made;
      return write_changes(client, changes, stop);
    };
    for (const RowStep& step : plan_.steps()) {
      if (auto written = for_each_target(step, write_to); !written) return written;
      if (auto done = apply(client, step.barrier, next_part, stop); !done) return done;
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
  const Event* first_put(size_t target) const override {
    return plan_.first_put(static_cast<uint32_t>(target));
  }

  Status ensure_one(mongo::Client& client, const TableName& target, const Namespace& ns,
                    std::stop_token stop) override {
    TIDEMARK_ASSIGN(std::string owner, owner_for(client, target, ns, stop));
    if (!owner.empty() && !known_.knows(target)) TIDEMARK_TRY(check_there(client, target, owner, stop));
    TIDEMARK_TRY(Writer::ensure_one(client, target, ns, stop));
    if (!owner.empty()) return {};
    TIDEMARK_ASSIGN(owner, owners_.claim(client, target, ns, std::move(stop)));
    return owner == RefusedNames::text_of(ns) ? Status() : another(target, owner, ns);
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

  size_t index_of(const RowChange& change) const { return index_of(*change.event); }
  size_t index_of(const Event& event) const { return static_cast<size_t>(&event - events_.data()); }

  template <class Each>
  static WriteResult for_each_target(const RowStep& step, Each each) {
    const auto changes = step.changes;
    for (size_t begin = 0; begin < changes.size();) {
      size_t end = begin;
      while (end < changes.size() && changes[end].table == changes[begin].table) ++end;
      if (auto done = each(changes.subspan(begin, end - begin)); !done) return done;
      begin = end;
    }
    return {};
  }

  // --- owners

  static tl::unexpected<Error> another(const TableName& target, const std::string& owner,
                                       const Namespace& ns) {
    Error error = owned_by_another(kWho, target.text(), owner, ns);
    error.hint = "write a name that keeps both apart, such as \"{collection}\" in a database \"{database}\"";
    return fail(std::move(error));
  }

  // The owner, if there is one; a reject where that is another collection.
  Result<std::string> owner_for(mongo::Client& client, const TableName& target, const Namespace& ns,
                                std::stop_token stop) {
    TIDEMARK_ASSIGN(std::string owner, owners_.of(client, target, stop));
    const std::string wanted = RefusedNames::text_of(ns);
    if (owner.empty() || owner == wanted) return owner;
    // Another lane may have given it back.
    owners_.forget();
    TIDEMARK_ASSIGN(owner, owners_.of(client, target, std::move(stop)));
    if (owner.empty() || owner == wanted) return owner;
    return another(target, owner, ns);
  }

  Status check_there(mongo::Client& client, const TableName& target, const std::string& owner,
                     std::stop_token stop) {
    TIDEMARK_ASSIGN(const bool there, known_.look(client, target, std::move(stop)));
    if (there) return {};
    return fail(dropped_by_somebody(kWho, target.text(), owner, owners_.removal_of(target)));
  }

  // For changes of one target: what gets documents is made, and nothing of another owner's is touched.
  WriteResult ensure_for(mongo::Client& client, std::span<const RowChange> changes, std::stop_token stop) {
    const TableName& target = plan_.tables()[changes.front().table];
    const auto put = std::ranges::find_if(changes, [](const RowChange& change) { return !change.remove; });
    const Event& event = put == changes.end() ? *changes.front().event : *put->event;
    Status ready;
    if (put != changes.end()) {
      ready = ensure_one(client, target, event.ns, std::move(stop));
    } else if (auto owner = owner_for(client, target, event.ns, std::move(stop)); !owner) {
      ready = fail(std::move(owner).error());
    }
    if (!ready) return failed_for(std::move(ready).error(), event.ns, index_of(event));
    return {};
  }

  // --- documents

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
    const auto remove = [&](size_t i, bson::Builder& out) { guard_.append_removal(*removals_[i], out); };
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
    const auto build = [&](size_t i, bson::Builder& out) { guard_.append_put(puts[i], shard_key, out); };
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
      guard_.append_older(puts[i].token, query);
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
    guard_.build_document(put, whole);
    bson::Builder query;
    append_id(put.id, query);
    guard_.append_older(put.token, query);
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

  // --- whole collections

  WriteResult apply(mongo::Client& client, const RowBarrier& barrier, const NextPart& next_part,
                    std::stop_token stop) {
    if (barrier.kind == RowBarrier::Kind::kNone) return {};
    const Event& event = *barrier.event;
    const TableName& from = plan_.tables()[barrier.table];
    if (barrier.kind == RowBarrier::Kind::kMove) {
      const TableName& to = plan_.tables()[barrier.target];
      if (Status cleared = clear(client, to, event, event.to, next_part, stop); !cleared)
        return write_failed(std::move(cleared).error(), 0, index_of(event));
      if (Status moved = move(client, from, to, event, next_part, stop); !moved)
        return failed_for(std::move(moved).error(), event.to, index_of(event));
    }
    if (Status cleared = clear(client, from, event, event.ns, next_part, stop); !cleared)
      return write_failed(std::move(cleared).error(), 0, index_of(event));
    return {};
  }

  // Removes what is older than the event, if it is of the collection that the event concerns, and gives the place back where
  // that is no more. What was broken off goes on with what is left.
  Status clear(mongo::Client& client, const TableName& target, const Event& event, const Namespace& ns,
               const NextPart& next_part, std::stop_token stop) {
    auto owner = owners_.of(client, target, stop);
    if (!owner) return fail(std::move(owner).error());
    if (!concerns(event, ns, *owner)) return {};
    bson::Builder fields;
    fields.append("_id", int32_t{1});
    if (!guard_.field().empty()) fields.append(guard_.field(), int32_t{1});
    const auto remove = [&](std::span<const bson::View> page) -> Status {
      TIDEMARK_TRY(remove_older(client, target, page, event.id, stop));
      return next_part();
    };
    PageOptions options;
    options.projection = fields.view();
    Status cleared = for_each_page(client, target, options, remove, stop);
    // A name that no collection can have: there is nothing to clear.
    if (!cleared && !options_.target.fixed() && is_about_the_name(cleared.error().code)) return {};
    TIDEMARK_TRY(std::move(cleared));
    if (!frees_table(event) || ns != event.ns || owner->empty()) return {};
    return owners_.release(client, target, std::move(stop));
  }

  // Writes the documents to their new place and then removes them from the old one, page by page; broken off, it may be done
  // again.
  Status move(mongo::Client& client, const TableName& from, const TableName& to, const Event& event,
              const NextPart& next_part, std::stop_token stop) {
    TIDEMARK_ASSIGN(const std::string owner, owners_.of(client, from, stop));
    if (!concerns(event, event.ns, owner)) return {};
    if (!owner.empty()) TIDEMARK_TRY(check_there(client, from, owner, stop));
    TIDEMARK_TRY(ensure_one(client, to, event.to, stop));
    PageOptions options;
    options.documents_max = kMoveBatch;
    const auto move_page = [&](std::span<const bson::View> page) -> Status {
      puts_.clear();
      for (const bson::View document : page)
        if (const auto id = document.find("_id"); id && guard_.is_older(document, event.id))
          puts_.push_back({*id, document, event.id, index_of(event)});
      if (auto written = put(client, to, puts_, stop); !written)
        return fail(std::move(written).error().error);
      TIDEMARK_TRY(remove_older(client, from, page, event.id, stop));
      return next_part();
    };
    return for_each_page(client, from, options, move_page, stop);
  }

  Status remove_older(mongo::Client& client, const TableName& target, std::span<const bson::View> page,
                      std::string_view token, std::stop_token stop) const {
    std::vector<bson::Element> ids;
    for (const bson::View document : page)
      if (const auto id = document.find("_id"); id && guard_.is_older(document, token)) ids.push_back(*id);
    const auto remove = [&](size_t i, bson::Builder& statement) {
      bson::Builder of;
      append_id(ids[i], of);
      guard_.append_older(token, of);
      statement.append("q", of.view()).append("limit", int32_t{1});
    };
    const auto run = [&](const bson::Builder& command, size_t, size_t) -> Status {
      TIDEMARK_TRY(client.write(target.schema, command.view(), stop));
      return {};
    };
    return for_each_command(kDelete, target.name, ids.size(), remove, run);
  }

  const Guard guard_;
  Owners owners_;
  RowPlan plan_;
  std::deque<std::string> tokens_;  // of puts_
  std::vector<const RowChange*> removals_;
  std::vector<Put> puts_;
};

}  // namespace

std::unique_ptr<Writer> make_current_writer(WriterOptions options) {
  return std::make_unique<CurrentWriter>(std::move(options));
}

}  // namespace tidemark::mongodb_sink
