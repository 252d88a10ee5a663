#include "sandbox/server/update_one.h"

#include "sandbox/server/documents.h"
#include "sandbox/server/router.h"
#include "sandbox/store/update.h"

namespace tidemark::sandbox {
namespace {

constexpr uint32_t kDocumentBytesMax = 16 * 1024 * 1024;

// What is to be done to the documents that a query finds.
struct Intent {
  const bson::Matcher& query;
  const Update& update;
  bson::View query_document;
  bool upsert = false;
  bool unchecked = false;
  int32_t statement_id = 0;
};

Reply<UpdateResult> change_document(WriteTarget& target, Collection& collection, const bson::Document& before,
                                    const Intent& intent) {
  SANDBOX_ASSIGN(UpdateResult result, intent.update.apply(before, false, &intent.query));
  if (!result.changed) return result;
  if (result.after.size() > kDocumentBytesMax)
    return command_error(
        17419, "Resulting document after update is larger than " + std::to_string(kDocumentBytesMax));
  if (!intent.unchecked) SANDBOX_TRY(collection.validate(result.after));
  const auto id = before.view().find("_id");
  if (!id) return command_error(kInternalError, "a stored document has no _id");
  SANDBOX_TRY(collection.replace(*id, result.after));
  if (collection.shard_key() && moves(collection, before, result.after)) {
    log_move(target, collection, before, result.after);
    return result;
  }
  OplogEntry& entry =
      target.add(result.is_replacement ? OpKind::kReplace : OpKind::kUpdate, collection, intent.statement_id);
  // As the server's: of the document as it is now, whose _id may have become another type of number.
  entry.key = collection.document_key(result.after);
  entry.before = before;
  entry.after = result.after;
  if (!result.is_replacement) entry.update_description = result.description;
  return result;
}

Reply<bson::Document> upsert_document(Invocation& inv, WriteTarget& target, Collection& collection,
                                      const Intent& intent) {
  SANDBOX_ASSIGN(const bson::Document base, intent.update.upsert_base(intent.query_document));
  SANDBOX_ASSIGN(const UpdateResult result, intent.update.apply(base, true, &intent.query));
  SANDBOX_ASSIGN(bson::Document document,
                 prepare_insert(result.after, [&inv] { return inv.cluster.identities.oid(); }));
  if (!intent.unchecked) SANDBOX_TRY(collection.validate(document));
  SANDBOX_TRY(collection.insert(document));
  OplogEntry& entry = target.add(OpKind::kInsert, collection, intent.statement_id);
  entry.key = collection.document_key(document);
  entry.after = document;
  return document;
}

// The answer to a statement that an earlier try already did.
UpdateOutcome outcome_of(const OplogEntry& entry) {
  if (entry.kind == OpKind::kInsert) return {0, 0, id_of(entry.after)};
  return {1, 1, {}};
}

Reply<void> check_update_statement(bson::View statement, bool multi, const Update& update,
                                   const WriteTarget& target) {
  SANDBOX_TRY(refuse_collation(statement));
  if (multi && update.is_replacement())
    return command_error(kFailedToParse, "multi update is not supported for replacement-style update");
  if (multi && target.txn_number >= 0)
    return command_error(kInvalidOptions, "Cannot use (or request) retryable writes with multi=true");
  return {};
}

PipelineContext update_context(const Invocation& inv, std::string_view collection, bson::View constants) {
  PipelineContext context = inv.context(collection);
  if (constants) context.let = bson::Document(constants);
  return context;
}

}  // namespace

Reply<void> refuse_collation(bson::View of) {
  const auto collation = of.find("collation");
  if (!collation || !collation->is_document() || collation->document().empty()) return {};
  const auto locale = collation->document().find("locale");
  if (locale && locale->is_string() && locale->string() == "simple") return {};
  return command_error(kNotImplemented, "the sandbox has no collation but { locale: \"simple\" }");
}

void remove_document(WriteTarget& target, Collection& collection, const bson::Document& document,
                     int32_t statement_id) {
  const auto id = document.view().find("_id");
  if (!id || !collection.remove(*id)) return;
  OplogEntry& entry = target.add(OpKind::kDelete, collection, statement_id);
  entry.key = collection.document_key(document);
  entry.before = document;
}

Reply<UpdateOutcome> run_update(Invocation& inv, WriteTarget& target, std::string_view name,
                                bson::View statement, int32_t statement_id) {
  SANDBOX_TRY(check_fields(statement,
                           "q u c multi upsert upsertSupplied arrayFilters collation hint sampleId sort",
                           "update.updates"));
  SANDBOX_ASSIGN(const bson::View query, document_field(inv, statement, "q"));
  const auto u = statement.find("u");
  if (!query || !u)
    return command_error(40414, std::string("BSON field 'update.updates.") + (query ? "u" : "q") +
                                    "' is missing but a required field");
  SANDBOX_ASSIGN(const bool multi, bool_field(inv, statement, "multi", false));
  SANDBOX_ASSIGN(const bool upsert, bool_field(inv, statement, "upsert", false));
  SANDBOX_ASSIGN(const bson::View array_filters, array_field(inv, statement, "arrayFilters"));
  SANDBOX_ASSIGN(const bson::View constants, document_field(inv, statement, "c"));
  SANDBOX_ASSIGN(const bool unchecked, bool_field(inv, inv.body, "bypassDocumentValidation", false));
  const PipelineContext context = update_context(inv, name, constants);
  SANDBOX_ASSIGN(const auto update, Update::parse(*u, array_filters, context));
  SANDBOX_TRY(check_update_statement(statement, multi, update, target));
  if (const OplogEntry* done = target.done_before(statement_id)) return outcome_of(*done);
  SANDBOX_ASSIGN(const auto matcher, parse_filter(query, context));
  const Intent intent{matcher, update, query, upsert, unchecked, statement_id};
  UpdateOutcome outcome;
  Collection* collection = target.catalog.find(inv.db, name);
  if (collection != nullptr) {
    SANDBOX_TRY(check_writable(*collection));
    SANDBOX_TRY(check_targeted_update(*collection, query, u->is_document() ? u->document() : bson::View(),
                                      multi, upsert));
    FindOptions options;
    options.limit = multi ? 0 : 1;
    SANDBOX_ASSIGN(const auto documents, collection->find(matcher, options));
    for (const auto& document : documents) {
      SANDBOX_ASSIGN(const UpdateResult result, change_document(target, *collection, document, intent));
      outcome.matched++;
      outcome.modified += result.changed ? 1 : 0;
    }
  }
  if (outcome.matched > 0 || !upsert) return outcome;
  SANDBOX_ASSIGN(collection, target.ensure_collection(inv.db, name));
  SANDBOX_ASSIGN(const bson::Document inserted, upsert_document(inv, target, *collection, intent));
  outcome.upserted_key = id_of(inserted);
  return outcome;
}

namespace {

struct FindAndModifyAnswer {
  bson::Document before;
  bson::Document after;
  bool removed = false;
  bool upserted = false;
};

struct FindAndModify {
  std::string name;
  bson::View query, sort, fields, array_filters;
  std::optional<bson::Element> update;
  bool remove = false, return_new = false, upsert = false, unchecked = false;
};

Reply<FindAndModify> parse_find_and_modify(const Invocation& inv) {
  FindAndModify out;
  SANDBOX_ASSIGN(out.name, inv.collection());
  SANDBOX_ASSIGN(out.query, document_field(inv, inv.body, "query"));
  SANDBOX_ASSIGN(out.sort, document_field(inv, inv.body, "sort"));
  SANDBOX_ASSIGN(out.fields, document_field(inv, inv.body, "fields"));
  SANDBOX_ASSIGN(out.array_filters, array_field(inv, inv.body, "arrayFilters"));
  SANDBOX_ASSIGN(out.remove, bool_field(inv, inv.body, "remove", false));
  SANDBOX_ASSIGN(out.return_new, bool_field(inv, inv.body, "new", false));
  SANDBOX_ASSIGN(out.upsert, bool_field(inv, inv.body, "upsert", false));
  SANDBOX_ASSIGN(out.unchecked, bool_field(inv, inv.body, "bypassDocumentValidation", false));
  SANDBOX_TRY(refuse_collation(inv.body));
  out.update = inv.body.find("update");
  if (out.remove == out.update.has_value())
    return command_error(kFailedToParse, out.remove ? "Cannot specify both an update and remove=true"
                                                    : "Either an update or remove=true must be specified");
  if (out.remove && (out.return_new || out.upsert))
    return command_error(kFailedToParse,
                         out.upsert ? "Cannot specify both upsert=true and remove=true"
                                    : "Cannot specify both new=true and remove=true; 'remove' always "
                                      "returns the deleted document");
  return out;
}

Reply<FindAndModifyAnswer> modify(Invocation& inv, WriteTarget& target, const FindAndModify& ask) {
  FindAndModifyAnswer answer;
  const auto statement = inv.body.find("stmtId");
  const int32_t id = statement && statement->integer() ? static_cast<int32_t>(*statement->integer()) : 0;
  if (const OplogEntry* done = target.done_before(id))
    return FindAndModifyAnswer{done->before, done->after, done->kind == OpKind::kDelete,
                               done->kind == OpKind::kInsert};
  const PipelineContext context = inv.context(ask.name);
  bson::Builder everything;
  const bson::View query = ask.query ? ask.query : everything.view();
  SANDBOX_ASSIGN(const auto matcher, parse_filter(query, context));
  SortOrder order;
  FindOptions options;
  options.limit = 1;
  if (ask.sort && !ask.sort.empty()) {
    SANDBOX_ASSIGN(order, SortOrder::parse(ask.sort));
    options.sort = &order;
  }
  Collection* collection = target.catalog.find(inv.db, ask.name);
  std::vector<bson::Document> found;
  if (collection != nullptr) {
    SANDBOX_TRY(check_writable(*collection));
    SANDBOX_TRY(check_targeted_find(*collection, query));
    SANDBOX_ASSIGN(found, collection->find(matcher, options));
  }
  if (ask.remove) {
    if (found.empty()) return answer;
    remove_document(target, *collection, found[0], id);
    return FindAndModifyAnswer{found[0], {}, true, false};
  }
  SANDBOX_ASSIGN(const auto update, Update::parse(*ask.update, ask.array_filters, context));
  const Intent intent{matcher, update, query, ask.upsert, ask.unchecked, id};
  if (!found.empty()) {
    SANDBOX_ASSIGN(const UpdateResult result, change_document(target, *collection, found[0], intent));
    return FindAndModifyAnswer{found[0], result.changed ? result.after : found[0], false, false};
  }
  if (!ask.upsert) return answer;
  SANDBOX_ASSIGN(collection, target.ensure_collection(inv.db, ask.name));
  SANDBOX_ASSIGN(answer.after, upsert_document(inv, target, *collection, intent));
  answer.upserted = true;
  return answer;
}

}  // namespace

Reply<void> run_find_and_modify(Invocation& inv) {
  SANDBOX_ASSIGN(const FindAndModify ask, parse_find_and_modify(inv));
  std::optional<Projection> projection;
  if (ask.fields && !ask.fields.empty()) {
    SANDBOX_ASSIGN(projection, Projection::parse(ask.fields, inv.context(ask.name)));
  }
  FindAndModifyAnswer answer;
  SANDBOX_TRY(with_write_target(inv, ask.name, [&](WriteTarget& target) -> Reply<void> {
    SANDBOX_ASSIGN(answer, modify(inv, target, ask));
    return {};
  }));
  const bool existed = static_cast<bool>(answer.before);
  bson::Builder last;
  last.append("n", int32_t{existed || answer.upserted ? 1 : 0});
  if (!ask.remove) last.append("updatedExisting", existed);
  if (answer.upserted)
    if (const auto id = answer.after.view().find("_id")) last.append("upserted", *id);
  inv.reply.append("lastErrorObject", last.view());
  bson::Document value = ask.return_new && !ask.remove ? answer.after : answer.before;
  if (value && projection) {
    SANDBOX_ASSIGN(value, projection->apply(value));
  }
  if (value)
    inv.reply.append("value", value.view());
  else
    inv.reply.append_null("value");
  return {};
}

}  // namespace tidemark::sandbox
