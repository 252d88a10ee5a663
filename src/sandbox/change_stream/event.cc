#include "sandbox/change_stream/event.h"

#include <map>

#include "sandbox/change_stream/text.h"

namespace tidemark::sandbox {
namespace {

template <size_t N>
void append_view(bson_t* out, const char (&name)[N], bson::View view) {
  const bson_t raw = view.raw();
  bson_append_document(out, name, N - 1, &raw);
}

template <size_t N>
void append_text(bson_t* out, const char (&name)[N], std::string_view text) {
  bson_append_utf8(out, name, N - 1, text.data(), static_cast<int>(text.size()));
}

template <size_t N>
void append_uuid(bson_t* out, const char (&name)[N], const Uuid& uuid) {
  bson_append_binary(out, name, N - 1, BSON_SUBTYPE_UUID, uuid.data(), static_cast<uint32_t>(uuid.size()));
}

template <size_t N>
void append_namespace_of(bson_t* out, const char (&name)[N], std::string_view db, std::string_view coll) {
  bson_t ns;
  bson_append_document_begin(out, name, N - 1, &ns);
  append_text(&ns, "db", db);
  if (!coll.empty()) append_text(&ns, "coll", coll);
  bson_append_document_end(out, &ns);
}

bool is_internal(std::string_view db) { return db == "admin" || db == "config" || db == "local"; }
bool is_hidden(std::string_view coll) { return coll.starts_with("system.") || coll.starts_with("$"); }

bool namespace_in_scope(const StreamSpec& spec, std::string_view db, std::string_view coll) {
  switch (spec.scope) {
    case StreamScope::kCollection:
      return coll == spec.coll && db == spec.db;
    case StreamScope::kDatabase:
      return db == spec.db && !is_hidden(coll);
    case StreamScope::kDeployment:
      return !is_internal(db) && !is_hidden(coll);
  }
  return false;
}

bool has_before_image(OpKind kind) {
  return kind == OpKind::kUpdate || kind == OpKind::kReplace || kind == OpKind::kDelete;
}

// 4.2 knows no truncated arrays: it reports the whole array, and sorts the paths.
bson::Document classic_update_description(const OplogEntry& op) {
  const bson::View description = op.update_description;
  std::map<std::string, bson::Element, std::less<>> fields;
  if (const auto updated = description.find("updatedFields"); updated && updated->is_document()) {
    for (const bson::Element field : updated->document()) fields.emplace(field.key(), field);
  }
  if (const auto truncated = description.find("truncatedArrays"); truncated && truncated->is_array()) {
    for (const bson::Element item : truncated->document()) {
      const auto path = item.is_document() ? item.document().find("field") : std::nullopt;
      if (!path || !path->is_string()) continue;
      const std::string array(path->string());
      const auto now = op.after.view().find_path(array);
      if (!now) continue;
      std::erase_if(fields, [&](const auto& field) { return field.first.starts_with(array + "."); });
      fields.insert_or_assign(array, *now);
    }
  }
  bson::Builder updated;
  for (const auto& [path, value] : fields) updated.append(path, value);
  bson::Builder out;
  out.append("updatedFields", updated.view());
  bson::Builder none;
  const auto removed = description.find("removedFields");
  out.append_array("removedFields", removed && removed->is_array() ? removed->document() : none.view());
  return out.finish();
}

}  // namespace

std::string_view operation_name(OpKind kind) {
  switch (kind) {
    case OpKind::kInsert:
      return "insert";
    case OpKind::kUpdate:
      return "update";
    case OpKind::kReplace:
      return "replace";
    case OpKind::kDelete:
      return "delete";
    case OpKind::kCreate:
      return "create";
    case OpKind::kDrop:
      return "drop";
    case OpKind::kRename:
      return "rename";
    case OpKind::kDropDatabase:
      return "dropDatabase";
    case OpKind::kCreateIndexes:
      return "createIndexes";
    case OpKind::kDropIndexes:
      return "dropIndexes";
    case OpKind::kModify:
      return "modify";
    case OpKind::kTransaction:
    case OpKind::kNoop:
      break;
  }
  return {};
}

bool is_expanded_only(OpKind kind) {
  return kind == OpKind::kCreate || kind == OpKind::kCreateIndexes || kind == OpKind::kDropIndexes ||
         kind == OpKind::kModify;
}

bson::Document operation_description(const OplogEntry& op) {
  if (op.kind == OpKind::kRename) {
    bson::Builder out;
    append_namespace_of(out.raw(), "to", op.to_db, op.to_coll);
    if (op.dropped_target) append_uuid(out.raw(), "dropTarget", *op.dropped_target);
    return out.finish();
  }
  if (!is_expanded_only(op.kind)) return {};
  bson::Builder out;
  if (op.command) out.concat(op.command);
  if (op.kind == OpKind::kCreate && !out.view().find("idIndex")) {
    bson::Builder key;
    key.append("_id", 1);
    bson::Builder index;
    index.append("v", 2).append("key", key.view()).append("name", "_id_");
    out.append("idIndex", index.view());
  }
  return out.finish();
}

bool in_scope(const StreamSpec& spec, const OplogEntry& op) {
  if (op.from_migrate || op.internal) return false;
  switch (op.kind) {
    case OpKind::kInsert:
    case OpKind::kUpdate:
    case OpKind::kReplace:
    case OpKind::kDelete:
    case OpKind::kDrop:
      return namespace_in_scope(spec, op.db, op.coll);
    case OpKind::kCreate:
    case OpKind::kCreateIndexes:
    case OpKind::kDropIndexes:
    case OpKind::kModify:
      return !spec.classic() && namespace_in_scope(spec, op.db, op.coll);
    case OpKind::kRename:
      return namespace_in_scope(spec, op.db, op.coll) || namespace_in_scope(spec, op.to_db, op.to_coll);
    case OpKind::kDropDatabase:
      // A collection's stream has ended with the collection's drop before. 4.2 shows the event even so to a
      // stream that started after that; 7.0 doesn't.
      if (spec.scope == StreamScope::kCollection && !spec.classic()) return false;
      return spec.scope == StreamScope::kDeployment ? !is_internal(op.db) : op.db == spec.db;
    case OpKind::kTransaction:
    case OpKind::kNoop:
      break;
  }
  return false;
}

bool invalidates(const StreamSpec& spec, OpKind kind) {
  switch (spec.scope) {
    case StreamScope::kCollection:
      return kind == OpKind::kDrop || kind == OpKind::kRename || kind == OpKind::kDropDatabase;
    case StreamScope::kDatabase:
      return kind == OpKind::kDropDatabase;
    case StreamScope::kDeployment:
      break;
  }
  return false;
}

EventRenderer::EventRenderer(const StreamSpec& spec, PostImageLookup lookup)
    : spec_(spec), lookup_(std::move(lookup)) {
  bson_init(&ns_);
}

EventRenderer::~EventRenderer() { bson_destroy(&ns_); }

void EventRenderer::render(const Change& change, const TokenWriter& token, bson_t* out) {
  const OplogEntry& op = *change.op;
  missing_image_.reset();
  bson_reinit(out);
  if (op.kind == OpKind::kRename) append_namespace_of(out, "to", op.to_db, op.to_coll);
  append_transaction(*change.entry, out);
  token.append_to(out, "_id");
  append_text(out, "operationType", operation_name(op.kind));
  bson_append_timestamp(out, "clusterTime", 11, change.entry->time.ts.seconds,
                        change.entry->time.ts.increment);
  if (spec_.show_expanded_events && op.kind != OpKind::kDropDatabase)
    append_uuid(out, "collectionUUID", op.uuid);
  if (!spec_.classic()) bson_append_date_time(out, "wallTime", 8, change.entry->wall_ms);
  append_full_document(change, out);
  append_namespace(op, out);
  if (op.key) append_view(out, "documentKey", op.key);
  if (spec_.show_expanded_events) {
    if (const bson::Document description = operation_description(op)) {
      append_view(out, "operationDescription", description);
    }
  }
  if (op.kind == OpKind::kUpdate) append_update_description(op, out);
  if (op.kind == OpKind::kModify && spec_.show_expanded_events && op.before) {
    append_view(out, "stateBeforeChange", op.before);
  }
  append_image_before(change, out);
}

void EventRenderer::render_invalidate(const OplogEntry& entry, const TokenWriter& token, bson_t* out) {
  missing_image_.reset();
  bson_reinit(out);
  token.append_to(out, "_id");
  append_text(out, "operationType", "invalidate");
  bson_append_timestamp(out, "clusterTime", 11, entry.time.ts.seconds, entry.time.ts.increment);
  if (!spec_.classic()) bson_append_date_time(out, "wallTime", 8, entry.wall_ms);
}

// The session of a transaction is shown, that of a retryable write is not.
void EventRenderer::append_transaction(const OplogEntry& entry, bson_t* out) const {
  if (entry.kind != OpKind::kTransaction) return;
  if (entry.txn_number >= 0) bson_append_int64(out, "txnNumber", 9, entry.txn_number);
  if (entry.lsid) append_view(out, "lsid", entry.lsid);
}

void EventRenderer::append_full_document(const Change& change, bson_t* out) {
  const OplogEntry& op = *change.op;
  if (op.kind == OpKind::kInsert || op.kind == OpKind::kReplace)
    return append_view(out, "fullDocument", op.after);
  if (op.kind != OpKind::kUpdate || spec_.full_document == PostImage::kDefault) return;
  bson::Document image;
  if (spec_.full_document == PostImage::kUpdateLookup) {
    if (lookup_) image = lookup_(op.uuid, op.key);
  } else if (op.pre_image_recorded) {
    // A server computes it from the recorded image before and the update; here it is at hand.
    image = op.after;
  }
  if (image) return append_view(out, "fullDocument", image);
  bson_append_null(out, "fullDocument", 12);
  if (spec_.full_document == PostImage::kRequired) {
    miss(change,
         "Change stream was configured to require a post-image for all update events, but the post-image was "
         "not found for event: ");
  }
}

void EventRenderer::append_namespace(const OplogEntry& op, bson_t* out) {
  const bool coll_named = op.kind != OpKind::kDropDatabase;
  if (!coll_named) return append_namespace_of(out, "ns", op.db, {});
  if (ns_coll_.empty() || ns_coll_ != op.coll || ns_db_ != op.db) {
    bson_reinit(&ns_);
    append_text(&ns_, "db", op.db);
    append_text(&ns_, "coll", op.coll);
    ns_db_ = op.db;
    ns_coll_ = op.coll;
  }
  bson_append_document(out, "ns", 2, &ns_);
}

void EventRenderer::append_update_description(const OplogEntry& op, bson_t* out) const {
  if (spec_.classic()) return append_view(out, "updateDescription", classic_update_description(op));
  bson_t child;
  bson_append_document_begin(out, "updateDescription", 17, &child);
  const bson::View description = op.update_description;
  const bson::Builder none;
  const auto append = [&](std::string_view name, bool array) {
    const auto field = description.find(name);
    const bson_t value =
        (field && (field->is_document() || field->is_array()) ? field->document() : none.view()).raw();
    const int length = static_cast<int>(name.size());
    if (array) {
      bson_append_array(&child, name.data(), length, &value);
    } else {
      bson_append_document(&child, name.data(), length, &value);
    }
  };
  append("updatedFields", false);
  append("removedFields", true);
  append("truncatedArrays", true);
  if (spec_.show_expanded_events) append("disambiguatedPaths", false);
  bson_append_document_end(out, &child);
}

void EventRenderer::append_image_before(const Change& change, bson_t* out) {
  const OplogEntry& op = *change.op;
  if (spec_.full_document_before_change == PreImage::kOff || !has_before_image(op.kind)) return;
  if (op.pre_image_recorded && op.before) return append_view(out, "fullDocumentBeforeChange", op.before);
  bson_append_null(out, "fullDocumentBeforeChange", 24);
  if (spec_.full_document_before_change == PreImage::kRequired) {
    miss(change,
         "Change stream was configured to require a pre-image for all update, delete and replace events, but "
         "the pre-image was not found for event: ");
  }
}

void EventRenderer::miss(const Change& change, std::string_view which) {
  if (missing_image_) return;
  const OplogEntry& entry = *change.entry;
  bson::Builder event;
  event.append("operationType", operation_name(change.op->kind));
  append_namespace_of(event.raw(), "ns", change.op->db, change.op->coll);
  event.append_timestamp("clusterTime", entry.time.ts.seconds, entry.time.ts.increment);
  if (entry.kind == OpKind::kTransaction && entry.txn_number >= 0)
    event.append("txnNumber", entry.txn_number);
  missing_image_ =
      command_error(kNoMatchingDocument, std::string(which) + document_text(event.view())).value();
}

}  // namespace tidemark::sandbox
