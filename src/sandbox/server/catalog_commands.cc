// What there is: listDatabases, listCollections, listIndexes, and sizes.
#include "base/digest.h"
#include "sandbox/server/documents.h"
#include "sandbox/server/write_target.h"

namespace tidemark::sandbox {
namespace {

Reply<int64_t> batch_size(const Invocation& inv) {
  SANDBOX_ASSIGN(const bson::View cursor, document_field(inv, inv.body, "cursor"));
  if (!cursor) return INT64_MAX;
  return int_field(inv, cursor, "batchSize", INT64_MAX);
}

Reply<bool> wanted(const Invocation& inv, bson::View item) {
  SANDBOX_ASSIGN(const bson::View filter, document_field(inv, inv.body, "filter"));
  if (!filter || filter.empty()) return true;
  SANDBOX_ASSIGN(const auto matcher, parse_filter(filter, inv.context()));
  return matcher.matches(item);
}

void append_id_index(const Invocation& inv, bson::Builder& out, const Collection& collection) {
  bson::Builder key;
  key.append("_id", int32_t{1});
  bson::Builder index;
  index.append("v", int32_t{2}).append("key", key.view()).append("name", "_id_");
  if (inv.cluster.classic()) index.append("ns", collection.ns());
  out.append("idIndex", index.view());
}

bson::Document describe(const Invocation& inv, const Collection& collection, bool name_only) {
  bson::Builder out;
  out.append("name", collection.name());
  out.append("type", collection.is_view()          ? "view"
                     : collection.is_time_series() ? "timeseries"
                                                   : "collection");
  if (name_only) return out.finish();
  bson::Builder empty;
  out.append("options", collection.options() ? collection.options().view() : empty.view());
  bson::Builder info;
  info.append("readOnly", collection.is_view());
  const bool plain = !collection.is_view() && !collection.is_time_series();
  if (plain) append_uuid(info, "uuid", collection.uuid());
  out.append("info", info.view());
  if (plain) append_id_index(inv, out, collection);
  return out.finish();
}

// The collections in which a server keeps views and time series.
bson::Document describe_internal(const std::string& name, bool name_only) {
  bson::Builder out;
  out.append("name", name).append("type", "collection");
  if (name_only) return out.finish();
  bson::Builder info;
  info.append("readOnly", false);
  out.append("options", bson::Builder().view()).append("info", info.view());
  return out.finish();
}

// The collections that the server makes up.
std::vector<bson::Document> describe_local(bool name_only) {
  std::vector<bson::Document> out;
  for (const auto* name : {"oplog.rs", "system.replset"}) {
    bson::Builder item;
    item.append("name", name).append("type", "collection");
    if (!name_only) {
      bson::Builder info;
      info.append("readOnly", false);
      item.append("options", bson::Builder().view()).append("info", info.view());
    }
    out.push_back(item.finish());
  }
  return out;
}

Reply<void> list_collections(Invocation& inv) {
  SANDBOX_ASSIGN(const bool name_only, bool_field(inv, inv.body, "nameOnly", false));
  SANDBOX_ASSIGN(const int64_t size, batch_size(inv));
  auto cursor = std::make_unique<Cursor>();
  cursor->ns = inv.db + ".$cmd.listCollections";
  if (inv.db == "local") cursor->documents = describe_local(name_only);
  SANDBOX_TRY(with_read_catalog(inv, inv.db, "", [&](const Catalog& catalog) -> Reply<void> {
    bool views = false;
    const auto add = [&](bson::Document item) -> Reply<void> {
      SANDBOX_ASSIGN(const bool take, wanted(inv, item));
      if (take) cursor->documents.push_back(std::move(item));
      return {};
    };
    for (const Collection* collection : catalog.collections(inv.db)) {
      views |= collection->is_view() || collection->is_time_series();
      SANDBOX_TRY(add(describe(inv, *collection, name_only)));
      if (collection->is_time_series())
        SANDBOX_TRY(add(describe_internal("system.buckets." + collection->name(), name_only)));
    }
    if (views) SANDBOX_TRY(add(describe_internal("system.views", name_only)));
    return {};
  }));
  return reply_with_cursor(inv, std::move(cursor), size, false, true);
}

// 4.2 says `unique` early, and the namespace of every index.
bson::Document classic_index(const bson::Document& spec, const std::string& ns) {
  bson::Builder out;
  const auto unique = spec.view().find("unique");
  for (const auto& field : spec.view()) {
    if (field.key() == "unique") continue;
    out.append(field.key(), field);
    if (field.key() == "v" && unique) out.append("unique", *unique);
    if (field.key() == "name") out.append("ns", ns);
  }
  return out.finish();
}

Reply<void> list_indexes(Invocation& inv) {
  SANDBOX_ASSIGN(const std::string name, inv.collection());
  SANDBOX_ASSIGN(const int64_t size, batch_size(inv));
  auto cursor = std::make_unique<Cursor>();
  cursor->ns = inv.db + "." + name;
  SANDBOX_TRY(with_read_catalog(inv, inv.db, name, [&](const Catalog& catalog) -> Reply<void> {
    const Collection* collection = catalog.find(inv.db, name);
    if (collection == nullptr)
      return command_error(kNamespaceNotFound, "ns does not exist: " + inv.db + "." + name);
    for (const auto& spec : collection->list_indexes())
      cursor->documents.push_back(inv.cluster.classic() ? classic_index(spec, collection->ns()) : spec);
    return {};
  }));
  return reply_with_cursor(inv, std::move(cursor), size, false, true);
}

struct DatabaseSize {
  int64_t bytes = 0;
  int64_t documents = 0;
  int64_t collections = 0;
  int64_t indexes = 0;
};

DatabaseSize size_of(const Catalog& catalog, std::string_view db) {
  DatabaseSize size;
  for (const Collection* collection : catalog.collections(db)) {
    size.bytes += static_cast<int64_t>(collection->bytes());
    size.documents += static_cast<int64_t>(collection->count());
    size.indexes += static_cast<int64_t>(collection->index_count());
    size.collections++;
  }
  return size;
}

void append_size(const Invocation& inv, bson::Builder& out, std::string_view key, int64_t bytes) {
  if (inv.cluster.classic())
    out.append(key, static_cast<double>(bytes));
  else
    out.append(key, bytes);
}

Reply<void> list_databases(Invocation& inv) {
  SANDBOX_ASSIGN(const bool name_only, bool_field(inv, inv.body, "nameOnly", false));
  std::vector<bson::Document> items;
  int64_t total = 0;
  SANDBOX_TRY(with_read_catalog(inv, "admin", "", [&](const Catalog& catalog) -> Reply<void> {
    auto names = catalog.databases();
    for (const auto* always : {"admin", "config", "local"})
      if (!(inv.cluster.options.router && always == std::string_view("local")) &&
          std::find(names.begin(), names.end(), always) == names.end())
        names.emplace_back(always);
    std::sort(names.begin(), names.end());
    for (const auto& name : names) {
      const int64_t bytes =
          name == "local" ? static_cast<int64_t>(inv.member().oplog.bytes()) : size_of(catalog, name).bytes;
      bson::Builder item;
      item.append("name", name);
      if (!name_only) {
        append_size(inv, item, "sizeOnDisk", bytes);
        item.append("empty", false);
      }
      SANDBOX_ASSIGN(const bool take, wanted(inv, item.view()));
      if (!take) continue;
      items.push_back(item.finish());
      total += bytes;
    }
    return {};
  }));
  {
    ArrayWriter databases(inv.reply.raw(), "databases");
    for (const auto& item : items) databases.append(item.view());
  }
  if (name_only) return {};
  append_size(inv, inv.reply, "totalSize", total);
  if (!inv.cluster.classic()) inv.reply.append("totalSizeMb", total / (1024 * 1024));
  return {};
}

Reply<void> db_stats(Invocation& inv) {
  return with_read_catalog(inv, inv.db, "", [&](const Catalog& catalog) -> Reply<void> {
    const DatabaseSize size = size_of(catalog, inv.db);
    inv.reply.append("db", inv.db).append("collections", size.collections).append("views", int64_t{0});
    inv.reply.append("objects", size.documents);
    inv.reply.append(
        "avgObjSize",
        size.documents == 0 ? 0.0 : static_cast<double>(size.bytes) / static_cast<double>(size.documents));
    inv.reply.append("dataSize", static_cast<double>(size.bytes))
        .append("storageSize", static_cast<double>(size.bytes));
    inv.reply.append("indexes", size.indexes).append("indexSize", 0.0);
    return {};
  });
}

Reply<void> coll_stats(Invocation& inv) {
  SANDBOX_ASSIGN(const std::string name, inv.collection());
  const std::string ns = inv.db + "." + name;
  if (ns == "local.oplog.rs") {
    const Oplog& oplog = inv.member().oplog;
    inv.reply.append("ns", ns).append("size", static_cast<int64_t>(oplog.bytes()));
    inv.reply.append("count", static_cast<int64_t>(oplog.size())).append("capped", true);
    inv.reply.append("maxSize", static_cast<int64_t>(inv.cluster.options.oplog_bytes_max));
    return {};
  }
  return with_read_catalog(inv, inv.db, name, [&](const Catalog& catalog) -> Reply<void> {
    const Collection* collection = catalog.find(inv.db, name);
    const auto count = collection == nullptr ? int64_t{0} : static_cast<int64_t>(collection->count());
    const auto bytes = collection == nullptr ? int64_t{0} : static_cast<int64_t>(collection->bytes());
    inv.reply.append("ns", ns).append("size", bytes).append("count", count);
    if (count > 0) inv.reply.append("avgObjSize", bytes / count);
    inv.reply.append("storageSize", bytes).append("capped", collection != nullptr && collection->capped());
    inv.reply.append("nindexes",
                     collection == nullptr ? int32_t{0} : static_cast<int32_t>(collection->index_count()));
    return {};
  });
}

// The digests are ours, not the server's: equal data gives equal digests on every member.
Reply<void> db_hash(Invocation& inv) {
  return with_read_catalog(inv, inv.db, "", [&](const Catalog& catalog) -> Reply<void> {
    inv.reply.append("host", inv.member().address);
    bson::Builder hashes;
    std::string all;
    for (const Collection* collection : catalog.collections(inv.db)) {
      std::string bytes;
      collection->for_each([&bytes](const bson::Document& document) {
        bytes.append(reinterpret_cast<const char*>(document.view().data()), document.size());
        return true;
      });
      const std::string hash = to_hex(sha256(bytes)).substr(0, 32);
      hashes.append(collection->name(), hash);
      all += hash;
    }
    inv.reply.append("collections", hashes.view()).append("md5", to_hex(sha256(all)).substr(0, 32));
    return {};
  });
}

constexpr CommandSpec kCommands[] = {
    {"listCollections", list_collections, kReads,
     "filter nameOnly cursor authorizedCollections includePendingDrops"},
    {"listIndexes", list_indexes, kReads, "cursor includeBuildUUIDs"},
    {"listDatabases", list_databases, kReads | kAdminOnly, "filter nameOnly authorizedDatabases"},
    {"dbStats", db_stats, kReads, "scale freeStorage"},
    {"dbstats", db_stats, kReads, "scale freeStorage"},
    {"collStats", coll_stats, kReads, "scale"},
    {"collstats", coll_stats, kReads, "scale"},
    {"dbHash", db_hash, kAnywhere, "collections"},
};

}  // namespace

std::span<const CommandSpec> catalog_commands() { return kCommands; }

}  // namespace tidemark::sandbox
