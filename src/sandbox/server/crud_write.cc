// insert, update and delete: batches of statements, each with its own error, and retried statements that are answered
// from the session's record.
#include "sandbox/server/documents.h"
#include "sandbox/server/router.h"
#include "sandbox/server/update_one.h"

namespace tidemark::sandbox {
namespace {

// One entry of writeErrors.
struct WriteError {
  int32_t index = 0;
  CommandError error;
};

struct BatchResult {
  int64_t n = 0;
  int64_t modified = 0;
  std::vector<std::pair<int32_t, bson::Document>> upserted;  // {_id}
  std::vector<WriteError> errors;
};

// 4.2 names no fields in keyValue.
bson::Document without_names(bson::View extra) {
  bson::Builder out;
  for (const auto& field : extra) {
    if (field.key() != "keyValue" || !field.is_document()) {
      out.append(field.key(), field);
      continue;
    }
    bson::Builder values;
    for (const auto& value : field.document()) values.append("", value);
    out.append("keyValue", values.view());
  }
  return out.finish();
}

void append_write_errors(const Invocation& inv, const std::vector<WriteError>& errors) {
  if (errors.empty()) return;
  bson_t* reply = inv.reply.raw();
  ArrayWriter array(reply, "writeErrors");
  for (const auto& [index, error] : errors) {
    bson::Builder item;
    item.append("index", index).append("code", int32_t{error.code});
    if (error.extra) item.concat(inv.cluster.classic() ? without_names(error.extra) : error.extra);
    item.append("errmsg", error.message);
    array.append(item.view());
  }
}

void append_batch(Invocation& inv, const BatchResult& result, bool update) {
  bson::Builder& out = inv.reply;
  out.append("n", static_cast<int32_t>(result.n));
  if (update) {
    out.append("nModified", static_cast<int32_t>(result.modified));
    if (!result.upserted.empty()) {
      ArrayWriter array(out.raw(), "upserted");
      for (const auto& [index, key] : result.upserted) {
        bson::Builder item;
        item.append("index", index).concat(key);
        array.append(item.view());
      }
    }
  }
  append_write_errors(inv, result.errors);
  if (inv.transaction) return;
  const OpTime time = inv.written == OpTime{} ? inv.member().oplog.newest() : inv.written;
  const int64_t term = inv.member().topology.get().term;
  if (inv.cluster.classic()) append_op_time(out, "opTime", time);
  append_oid(out, "electionId", election_id(term));
  if (!inv.cluster.classic()) append_op_time(out, "opTime", time);
}

Reply<std::vector<int32_t>> statement_ids(const Invocation& inv, size_t count) {
  std::vector<int32_t> ids(count);
  const auto given = inv.body.find("stmtIds");
  const auto first = inv.body.find("stmtId");
  int32_t next = first && first->integer() ? static_cast<int32_t>(*first->integer()) : 0;
  for (auto& id : ids) id = next++;
  if (!given || !given->is_array()) return ids;
  size_t i = 0;
  for (const auto& item : given->document()) {
    if (i >= count || !item.integer()) return command_error(kBadValue, "stmtIds doesn't fit the batch");
    ids[i++] = static_cast<int32_t>(*item.integer());
  }
  return ids;
}

// Runs every statement; an error ends an ordered batch, and any transaction.
template <class One>
Reply<void> run_batch(Invocation& inv, WriteTarget& target, size_t count, BatchResult& result, One one) {
  SANDBOX_ASSIGN(const bool ordered, bool_field(inv, inv.body, "ordered", true));
  SANDBOX_ASSIGN(const auto ids, statement_ids(inv, count));
  for (size_t i = 0; i < count; i++) {
    Reply<void> done = one(i, ids[i]);
    if (done) continue;
    if (target.in_transaction) return done;
    result.errors.push_back({static_cast<int32_t>(i), std::move(done).error()});
    if (ordered) break;
  }
  return {};
}

Reply<void> insert(Invocation& inv) {
  SANDBOX_ASSIGN(const std::string name, inv.collection());
  SANDBOX_ASSIGN(const auto documents, batch_of(inv, "documents"));
  std::vector<bson::Document> copies;
  copies.reserve(documents.size());
  // Copied out of the message before the lock is taken.
  for (const auto& document : documents) copies.emplace_back(document);
  SANDBOX_ASSIGN(const bool unchecked, bool_field(inv, inv.body, "bypassDocumentValidation", false));
  BatchResult result;
  const auto new_id = [&inv] { return inv.cluster.identities.oid(); };
  bson::Timestamp time = inv.member().oplog.newest().ts;
  const auto now = [&time] {
    time.increment++;
    return time;
  };
  SANDBOX_TRY(with_write_target(inv, name, [&](WriteTarget& target) -> Reply<void> {
    Collection* collection = target.catalog.find(inv.db, name);
    target.entries.reserve(copies.size() + 1);
    return run_batch(inv, target, copies.size(), result, [&](size_t i, int32_t statement) -> Reply<void> {
      if (target.done_before(statement) != nullptr) {
        result.n++;
        return {};
      }
      SANDBOX_ASSIGN(bson::Document document, prepare_inserted(copies[i], inv.version(), new_id, now));
      if (collection == nullptr) {
        SANDBOX_ASSIGN(collection, target.ensure_collection(inv.db, name));
      }
      SANDBOX_TRY(check_writable(*collection));
      if (!unchecked) SANDBOX_TRY(collection->validate(document));
      SANDBOX_TRY(collection->insert(document));
      OplogEntry& entry = target.add(OpKind::kInsert, *collection, statement);
      entry.key = collection->document_key(document);
      entry.after = std::move(document);
      result.n++;
      return {};
    });
  }));
  inv.node.counters.inserts += result.n;
  append_batch(inv, result, false);
  return {};
}

Reply<void> update(Invocation& inv) {
  SANDBOX_ASSIGN(const std::string name, inv.collection());
  SANDBOX_ASSIGN(const auto statements, batch_of(inv, "updates"));
  BatchResult result;
  SANDBOX_TRY(with_write_target(inv, name, [&](WriteTarget& target) -> Reply<void> {
    return run_batch(inv, target, statements.size(), result, [&](size_t i, int32_t statement) -> Reply<void> {
      SANDBOX_ASSIGN(UpdateOutcome outcome, run_update(inv, target, name, statements[i], statement));
      result.n += outcome.matched;
      result.modified += outcome.modified;
      if (outcome.upserted_key) {
        result.n++;
        result.upserted.emplace_back(static_cast<int32_t>(i), outcome.upserted_key);
      }
      return {};
    });
  }));
  inv.node.counters.updates += static_cast<int64_t>(statements.size());
  append_batch(inv, result, true);
  return {};
}

Reply<int64_t> run_delete(Invocation& inv, WriteTarget& target, std::string_view name, bson::View statement,
                          int32_t id) {
  SANDBOX_TRY(check_fields(statement, "q limit collation hint let sampleId", "delete.deletes"));
  SANDBOX_ASSIGN(const bson::View query, document_field(inv, statement, "q"));
  SANDBOX_ASSIGN(const int64_t limit, int_field(inv, statement, "limit", -1));
  if (!query) return command_error(40414, "BSON field 'delete.deletes.q' is missing but a required field");
  if (limit != 0 && limit != 1)
    return command_error(kFailedToParse,
                         "The limit field in delete objects must be 0 or 1. Got " + std::to_string(limit));
  if (limit == 0 && target.txn_number >= 0)
    return command_error(kInvalidOptions, "Cannot use (or request) retryable writes with limit=0");
  SANDBOX_TRY(refuse_collation(statement));
  if (target.done_before(id) != nullptr) return 1;
  SANDBOX_ASSIGN(const auto matcher, parse_filter(query, inv.context(name)));
  Collection* collection = target.catalog.find(inv.db, name);
  if (collection == nullptr) return 0;
  SANDBOX_TRY(check_writable(*collection));
  SANDBOX_TRY(check_targeted_delete(*collection, query, limit == 0));
  FindOptions options;
  options.limit = static_cast<size_t>(limit);
  SANDBOX_ASSIGN(const auto documents, collection->find(matcher, options));
  for (const auto& document : documents) remove_document(target, *collection, document, id);
  return static_cast<int64_t>(documents.size());
}

Reply<void> remove(Invocation& inv) {
  SANDBOX_ASSIGN(const std::string name, inv.collection());
  SANDBOX_ASSIGN(const auto statements, batch_of(inv, "deletes"));
  BatchResult result;
  SANDBOX_TRY(with_write_target(inv, name, [&](WriteTarget& target) -> Reply<void> {
    return run_batch(inv, target, statements.size(), result, [&](size_t i, int32_t statement) -> Reply<void> {
      SANDBOX_ASSIGN(const int64_t count, run_delete(inv, target, name, statements[i], statement));
      result.n += count;
      return {};
    });
  }));
  inv.node.counters.deletes += result.n;
  append_batch(inv, result, false);
  return {};
}

Reply<void> find_and_modify(Invocation& inv) { return run_find_and_modify(inv); }

constexpr uint32_t kWrite = kPrimaryOnly | kWriteConcern | kTransactions | kRetryable;
constexpr std::string_view kFindAndModifyFields =
    "query sort remove update new fields upsert bypassDocumentValidation collation arrayFilters hint let "
    "stmtId";

constexpr CommandSpec kCommands[] = {
    {"insert", insert, kWrite, "documents ordered bypassDocumentValidation stmtId stmtIds"},
    {"update", update, kWrite, "updates ordered bypassDocumentValidation let stmtId stmtIds"},
    {"delete", remove, kWrite, "deletes ordered let stmtId stmtIds"},
    {"findAndModify", find_and_modify, kWrite, kFindAndModifyFields},
    {"findandmodify", find_and_modify, kWrite, kFindAndModifyFields},
};

}  // namespace

std::span<const CommandSpec> write_commands() { return kCommands; }

}  // namespace tidemark::sandbox
