#include "sandbox/server/documents.h"

#include "bson/compare.h"
#include "sandbox/server/write_target.h"

namespace tidemark::sandbox {
namespace {

constexpr size_t kOplogAtOnce = 1'000;

// {$natural: 1 or -1}; 0 for any other sort.
int natural_order(bson::View sort) {
  if (!sort || sort.empty()) return 1;
  const auto natural = sort.find("$natural");
  if (!natural || !natural->integer()) return 0;
  return *natural->integer() < 0 ? -1 : 1;
}

// Sorts, skips and limits documents that come from no collection.
Reply<std::vector<bson::Document>> arrange(std::vector<bson::Document> documents,
                                           const DocumentQuery& query) {
  const int natural = natural_order(query.sort);
  if (natural < 0) std::reverse(documents.begin(), documents.end());
  if (natural == 0) {
    SANDBOX_ASSIGN(const auto order, SortOrder::parse(query.sort));
    order.sort(documents);
  }
  documents.erase(documents.begin(),
                  documents.begin() + static_cast<ptrdiff_t>(std::min(query.skip, documents.size())));
  if (query.limit > 0 && documents.size() > query.limit) documents.resize(query.limit);
  return documents;
}

// The entries to look at, in the asked order: all of them only where a filter or a sort needs all.
std::vector<EntryPtr> oplog_entries(const Oplog& oplog, const DocumentQuery& query, int natural) {
  const bool bounded = natural != 0 && query.limit > 0 && query.filter.empty();
  const size_t count = bounded ? query.skip + query.limit : SIZE_MAX;
  if (natural < 0) return oplog.newest_entries(count);
  std::vector<EntryPtr> entries;
  oplog.read({}, false, count, entries);
  return entries;
}

Reply<std::vector<bson::Document>> read_oplog(const Invocation& inv, const bson::Matcher& matcher,
                                              const DocumentQuery& query) {
  const int natural = natural_order(query.sort);
  const size_t enough = natural != 0 && query.limit > 0 ? query.skip + query.limit : SIZE_MAX;
  std::vector<bson::Document> out;
  for (const auto& entry : oplog_entries(inv.member().oplog, query, natural)) {
    auto document = render_oplog_entry(*entry);
    if (matcher.matches(document)) out.push_back(std::move(document));
    if (out.size() >= enough) break;
  }
  DocumentQuery rest = query;
  if (natural < 0) rest.sort = {};
  return arrange(std::move(out), rest);
}

std::optional<bson::Document> made_up(const Invocation& inv, const DocumentQuery& query) {
  if (query.db == "admin" && query.collection == "system.version") {
    bson::Builder version;
    version.append("_id", "featureCompatibilityVersion").append("version", inv.version().feature());
    return version.finish();
  }
  if (query.db == "local" && query.collection == "system.replset") return set_config(inv.cluster);
  return std::nullopt;
}

Reply<std::vector<bson::Document>> read_view(Invocation& inv, const bson::Document& view,
                                             const bson::Matcher& matcher, const DocumentQuery& query) {
  const std::string on(view.view().find("viewOn")->string());
  SANDBOX_ASSIGN(auto documents, read_documents(inv, {query.db, on, {}, {}, 0, 0}));
  if (const auto stages = view.view().find("pipeline")) {
    SANDBOX_ASSIGN(const auto pipeline, Pipeline::parse(stages->document(), inv.context(query.collection)));
    SANDBOX_ASSIGN(documents, pipeline.run(std::move(documents)));
  }
  std::erase_if(documents, [&](const auto& document) { return !matcher.matches(document); });
  return arrange(std::move(documents), query);
}

std::string_view op_letter(OpKind kind) {
  switch (kind) {
    case OpKind::kInsert:
      return "i";
    case OpKind::kUpdate:
    case OpKind::kReplace:
      return "u";
    case OpKind::kDelete:
      return "d";
    case OpKind::kNoop:
      return "n";
    default:
      return "c";
  }
}

void append_command(const OplogEntry& entry, bson::Builder& o) {
  switch (entry.kind) {
    case OpKind::kCreate:
      o.append("create", entry.coll).concat(entry.command);
      break;
    case OpKind::kDrop:
      o.append("drop", entry.coll);
      break;
    case OpKind::kRename:
      o.append("renameCollection", entry.db + "." + entry.coll)
          .append("to", entry.to_db + "." + entry.to_coll);
      if (entry.dropped_target) append_uuid(o, "dropTarget", *entry.dropped_target);
      break;
    case OpKind::kDropDatabase:
      o.append("dropDatabase", int32_t{1});
      break;
    case OpKind::kCreateIndexes:
    case OpKind::kDropIndexes:
    case OpKind::kModify:
      o.append(entry.kind == OpKind::kModify          ? "collMod"
               : entry.kind == OpKind::kCreateIndexes ? "createIndexes"
                                                      : "dropIndexes",
               entry.coll);
      if (entry.command) o.concat(entry.command);
      break;
    case OpKind::kTransaction: {
      ArrayWriter ops(o.raw(), "applyOps");
      for (const auto& op : entry.ops) ops.append(render_oplog_entry(op));
      break;
    }
    default:
      if (entry.command) o.concat(entry.command);
  }
}

bool is_about(const OplogEntry& entry, const Uuid& uuid, bson::View key) {
  if (entry.uuid != uuid || !entry.key) return false;
  const auto a = entry.key.view().find("_id");
  const auto b = key.find("_id");
  return a && b && bson::compare(*a, *b) == 0;
}

}  // namespace

bson::Document render_oplog_entry(const OplogEntry& entry) {
  bson::Builder o;
  bson::Builder out;
  if (entry.kind == OpKind::kInsert || entry.kind == OpKind::kReplace) {
    o.concat(entry.after);
  } else if (entry.kind == OpKind::kUpdate) {
    o.append("$v", int32_t{2});
    if (entry.update_description) o.append("diff", entry.update_description.view());
  } else if (entry.kind == OpKind::kDelete) {
    o.concat(entry.key);
  } else {
    append_command(entry, o);
  }
  const auto letter = op_letter(entry.kind);
  const bool command = letter == "c";
  out.append("op", letter);
  out.append("ns", letter == "n"                        ? std::string()
                   : entry.kind == OpKind::kTransaction ? std::string("admin.$cmd")
                   : command                            ? entry.db + ".$cmd"
                                                        : entry.db + "." + entry.coll);
  if (entry.uuid != Uuid{}) append_uuid(out, "ui", entry.uuid);
  out.append("o", o.view());
  if (letter == "u") out.append("o2", entry.key.view());
  append_timestamp(out, "ts", entry.time.ts);
  out.append("t", entry.time.term).append("v", int64_t{2}).append_date("wall", entry.wall_ms);
  if (entry.lsid) out.append("lsid", entry.lsid.view()).append("txnNumber", entry.txn_number);
  if (entry.statement_id >= 0) out.append("stmtId", entry.statement_id);
  if (entry.from_migrate) out.append("fromMigrate", true);
  return out.finish();
}

bson::Document set_config(const Cluster& cluster) {
  bson::Builder config;
  config.append("_id", cluster.options.set_name)
      .append("version", int32_t{1})
      .append("protocolVersion", int64_t{1});
  config.append("writeConcernMajorityJournalDefault", true);
  {
    ArrayWriter members(config.raw(), "members");
    for (const auto& member : cluster.members) {
      bson::Builder item;
      item.append("_id", int32_t{member->index}).append("host", member->address).append("arbiterOnly", false);
      item.append("buildIndexes", true).append("hidden", false).append("priority", 1.0);
      item.append("tags", bson::Builder().view());
      item.append(cluster.classic() ? "slaveDelay" : "secondaryDelaySecs", int64_t{0})
          .append("votes", int32_t{1});
      members.append(item.view());
    }
  }
  bson::Builder settings;
  settings.append("chainingAllowed", true).append("heartbeatIntervalMillis", int32_t{500});
  settings.append("heartbeatTimeoutSecs", int32_t{10});
  settings.append("electionTimeoutMillis", static_cast<int32_t>(cluster.options.election.count()));
  settings.append("catchUpTimeoutMillis", int32_t{-1}).append("catchUpTakeoverDelayMillis", int32_t{30'000});
  settings.append("getLastErrorModes", bson::Builder().view());
  bson::Builder defaults;
  defaults.append("w", int32_t{1}).append("wtimeout", int32_t{0});
  settings.append("getLastErrorDefaults", defaults.view());
  append_oid(settings, "replicaSetId", cluster.set_id);
  config.append("settings", settings.view());
  return config.finish();
}

Reply<void> check_watchable(const Collection& collection) {
  if (collection.is_time_series())
    return command_error(kCommandNotSupportedOnView,
                         "Namespace " + collection.ns() + " is a timeseries collection");
  return check_writable(collection);
}

Reply<void> check_writable(const Collection& collection) {
  if (!collection.is_view()) return {};
  return command_error(kCommandNotSupportedOnView,
                       "Namespace " + collection.ns() + " is a view, not a collection");
}

Reply<std::vector<bson::Document>> read_documents(Invocation& inv, const DocumentQuery& query) {
  bson::Builder everything;
  SANDBOX_ASSIGN(const auto matcher, parse_filter(query.filter ? query.filter : everything.view(),
                                                  inv.context(query.collection)));
  if (query.db == "local" && query.collection == "oplog.rs") return read_oplog(inv, matcher, query);
  if (auto document = made_up(inv, query)) {
    if (!matcher.matches(*document)) return std::vector<bson::Document>();
    return arrange({*document}, query);
  }
  FindOptions options;
  options.skip = query.skip;
  options.limit = query.limit;
  SortOrder order;
  if (query.id_min) options.id_min = bson::canonical_key(*query.id_min);
  bson::Builder by_id;
  by_id.append("_id", int32_t{1});
  const bson::View sort = query.id_min ? by_id.view() : query.sort;
  const int natural = natural_order(sort);
  if (natural == 0) {
    SANDBOX_ASSIGN(order, SortOrder::parse(sort));
    options.sort = &order;
  } else if (natural < 0) {
    options = {};
  }
  std::vector<bson::Document> out;
  bson::Document view;
  SANDBOX_TRY(with_read_catalog(inv, query.db, query.collection, [&](const Catalog& catalog) -> Reply<void> {
    const Collection* collection = catalog.find(query.db, query.collection);
    if (collection == nullptr) return {};
    if (collection->is_view()) {
      view = collection->options();
      return {};
    }
    SANDBOX_ASSIGN(out, collection->find(matcher, options));
    return {};
  }));
  if (view) return read_view(inv, view, matcher, query);
  if (natural < 0) return arrange(std::move(out), query);
  return out;
}

Reply<void> append_batch(Cursor& cursor, int64_t batch_size, ArrayWriter& out) {
  size_t bytes = 0;
  for (int64_t n = 0; n < batch_size && cursor.next < cursor.documents.size(); n++) {
    bson::Document document = cursor.documents[cursor.next];
    if (cursor.projection) {
      SANDBOX_ASSIGN(document, cursor.projection->apply(document, cursor.query ? &*cursor.query : nullptr));
    }
    if (n > 0 && bytes + document.size() > kBatchBytesMax) break;
    bytes += document.size();
    out.append(document.view());
    // What was handed out needn't be kept.
    cursor.documents[cursor.next++] = {};
  }
  return {};
}

Reply<void> reply_with_cursor(Invocation& inv, std::unique_ptr<Cursor> cursor, int64_t batch_size,
                              bool single_batch, bool id_first) {
  cursor->lsid = inv.lsid;
  cursor->txn_number = inv.in_transaction ? inv.txn_number : -1;
  const std::string ns = cursor->ns;
  bson::Builder batch;
  {
    ArrayWriter out(batch.raw(), "firstBatch");
    SANDBOX_TRY(append_batch(*cursor, batch_size, out));
  }
  int64_t id = 0;
  if (!single_batch && cursor->next < cursor->documents.size()) {
    SANDBOX_ASSIGN(id, inv.node.cursors.add(std::move(cursor), inv.cluster.identities.cursor_id()));
  }
  bson::Builder body;
  if (id_first) body.append("id", id).append("ns", ns);
  body.concat(batch.view());
  if (!id_first) body.append("id", id).append("ns", ns);
  if (inv.read_concern == ReadConcern::kSnapshot && !inv.in_transaction)
    append_timestamp(body, "atClusterTime", inv.seen.ts);
  inv.reply.append("cursor", body.view());
  return {};
}

bson::Document committed_document(const Member& member, const Uuid& uuid, bson::View key) {
  SharedLock lock(member.mutex);
  const Collection* collection = member.catalog.find(uuid);
  const auto id = key.find("_id");
  if (collection == nullptr || !id) return {};
  // What isn't committed yet is looked through backwards: the first entry about this document has what was before.
  bson::Timestamp from = member.oplog.commit_point().ts;
  std::vector<EntryPtr> entries;
  while (member.oplog.read(from, false, kOplogAtOnce, entries) > 0) {
    for (const auto& entry : entries) {
      if (is_about(*entry, uuid, key)) return entry->before;
      for (const auto& op : entry->ops)
        if (is_about(op, uuid, key)) return op.before;
    }
    from = entries.back()->time.ts;
    entries.clear();
  }
  return collection->find_id(*id).value_or(bson::Document());
}

}  // namespace tidemark::sandbox
