#include "mongo/documents.h"

#include <algorithm>
#include <limits>
#include <unordered_set>

#include "base/log.h"
#include "bson/json.h"
#include "bson/json_reader.h"

namespace tidemark::mongo {
namespace {

constexpr int64_t kBatchMax = 10'000;
constexpr size_t kIdsMax = 1'000;                // in one $in
constexpr size_t kIdBytesMax = 4 * 1024 * 1024;  // of one $in, as text
constexpr size_t kNamesMax = 1'000'000;
constexpr size_t kBucketsMax = 1'000'000;
// How long the server may count: a stop has to wait for it, and so has the socket.
constexpr int64_t kCountMs = 5'000;
constexpr int64_t kLookupMs = 10'000;
constexpr int kMaxTimeMsExpired = 50;

bool is_system(std::string_view database) {
  return database == "admin" || database == "local" || database == "config";
}

void append_majority(bson::Builder& command, std::optional<bson::Timestamp> after = std::nullopt) {
  bson::Builder concern;
  concern.append("level", "majority");
  if (after && *after != bson::Timestamp())
    concern.append_timestamp("afterClusterTime", after->seconds, after->increment);
  command.append("readConcern", concern.view());
}

bson::Document by_id() {
  bson::Builder pattern;
  pattern.append("_id", int32_t{1});
  return pattern.finish();
}

std::optional<bson::Timestamp> operation_time(bson::View reply) {
  const auto field = reply.find("operationTime");
  if (!field || field->type() != BSON_TYPE_TIMESTAMP) return std::nullopt;
  bson::Timestamp time;
  bson_iter_timestamp(&field->iter(), &time.seconds, &time.increment);
  return time;
}

// Whether a server keeps such a value as an _id. It refuses the others, so that to look for them finds nothing; in a query
// they would be something else: a pattern, an operator.
bool may_be_id(const bson::Element& value) {
  switch (value.type()) {
    case BSON_TYPE_ARRAY:
    case BSON_TYPE_REGEX:
    case BSON_TYPE_UNDEFINED:
      return false;
    case BSON_TYPE_DOCUMENT: {
      const auto first = value.document().begin();
      return !(first != value.document().end()) || !(*first).key().starts_with('$') ||
             (*first).key() == "$ref";
    }
    default:
      return true;
  }
}

// The server counts by a path only as time_in() reads it: names alone, for a number may be a name or an index.
bool is_plain_path(std::string_view path) {
  while (true) {
    const std::string_view name = path.substr(0, path.find('.'));
    const bool digits = name.find_first_not_of("0123456789") == std::string_view::npos;
    if (digits || name.front() == '$' || name.find('\0') != std::string_view::npos) return false;
    if (name.size() == path.size()) return true;
    path.remove_prefix(name.size() + 1);
  }
}

std::string in_expression(std::string_view text) {
  std::string out;
  bson::append_json_string(text, out);
  return out;
}

// {first millisecond of the bucket: documents}. A date's milliseconds as they are; an ObjectId's seconds are unsigned to us
// and signed to some servers. What the server's types can't tell apart for us comes back as a text.
Result<bson::Document> count_command(const CollectionName& collection, const AuditBuckets& buckets) {
  const std::string field = in_expression("$" + buckets.field);
  constexpr int64_t kFirst = std::numeric_limits<int64_t>::min();
  const auto number = [](int64_t value) { return R"({"$numberLong":")" + std::to_string(value) + R"("})"; };
  const std::string width = number(buckets.width_ms);
  // The first bucket of all is cut off.
  const std::string second = number(kFirst / buckets.width_ms * buckets.width_ms);
  const auto bucket = [&](const std::string& ms) {
    return R"({"$let":{"vars":{"m":)" + ms + R"(},"in":{"$cond":[{"$lt":["$$m",)" + second + "]}," +
           number(kFirst) + R"(,{"$subtract":["$$m",{"$mod":[{"$add":[{"$mod":["$$m",)" + width + "]}," +
           width + "]}," + width + "]}]}]}}}";
  };
  const auto branch = [&](const char* type, const std::string& then) {
    return R"({"case":{"$eq":[{"$type":)" + field + R"(},")" + type + R"("]},"then":)" + then + "}";
  };
  const std::string date = R"({"$toLong":)" + field + "}";
  const std::string oid =
      R"({"$let":{"vars":{"t":{"$toLong":{"$toDate":)" + field +
      R"(}}},"in":{"$cond":[{"$lt":["$$t",{"$numberLong":"0"}]},{"$add":["$$t",{"$numberLong":)"
      R"("4294967296000"}]},"$$t"]}}})";
  const std::string json =
      R"({"aggregate":)" + in_expression(collection.collection) +
      R"(,"pipeline":[{"$group":{"_id":{"$switch":{"branches":[)" + branch("date", bucket(date)) + "," +
      branch("objectId", bucket(oid)) + "," + branch("timestamp", R"({"$literal":"read"})") +
      R"(],"default":null}},"n":{"$sum":{"$numberLong":"1"}}}}],)"
      R"("cursor":{"batchSize":10000},"allowDiskUse":true,"readConcern":{"level":"majority"},"maxTimeMS":{"$numberLong":")" +
      std::to_string(kCountMs) + "\"}}";
  return bson::Document::from_json(json);
}

}  // namespace

bool render_id(bson::View document, std::string& out) {
  const auto id = document.find("_id");
  if (!id) return false;
  out.clear();
  bson::append_json_value(*id, bson::JsonMode::kCanonical, out);
  return true;
}

Status DocumentReader::open(std::stop_token stop) {
  TIDEMARK_TRY(client_->abilities(std::move(stop)));
  return {};
}

void DocumentReader::close(std::stop_token stop) {
  if (!scan_) return;
  if (scan_->cursor != 0) {
    bson::Builder ids;
    ids.append("0", scan_->cursor);
    bson::Builder kill;
    kill.append("killCursors", scan_->collection.collection).append_array("cursors", ids.view());
    // What isn't killed ends by itself.
    (void)client_->read(scan_->collection.database, kill.view(), std::move(stop));
  }
  scan_.reset();
}

// --- names

Result<std::vector<CollectionName>> DocumentReader::collections(const std::string& database,
                                                                const std::string& collection,
                                                                std::stop_token stop) {
  std::vector<std::string> databases;
  if (!database.empty()) {
    databases.push_back(database);
  } else {
    bson::Builder list;
    list.append("listDatabases", int32_t{1}).append("nameOnly", true);
    TIDEMARK_ASSIGN(const bson::Document reply, client_->read("admin", list.view(), stop));
    const auto found = reply.view().find("databases");
    if (!found || !found->is_array()) return fail(React::kRetry, "listDatabases answered without databases");
    for (const bson::Element item : found->document()) {
      const auto name = item.is_document() ? item.document().find("name") : std::nullopt;
      if (name && name->is_string() && !is_system(name->string())) databases.emplace_back(name->string());
    }
  }
  std::vector<CollectionName> names;
  capped_.clear();
  for (const std::string& each : databases) {
    bson::Builder filter;
    filter.append("type", "collection");
    if (!collection.empty()) filter.append("name", collection);
    bson::Builder list;
    list.append("listCollections", int32_t{1}).append("filter", filter.view());
    const auto take = [&](bson::View found) -> Status {
      const auto name = found.find("name");
      if (!name || !name->is_string() || name->string().starts_with("system.")) return {};
      if (names.size() >= kNamesMax) return fail(React::kConfig, "more than 1,000,000 collections to audit");
      names.push_back({each, std::string(name->string())});
      const auto capped = found.find_path("options.capped");
      if (capped && capped->truthy()) capped_.insert(names.back());
      return {};
    };
    TIDEMARK_TRY(for_each(
        each, list.view(), take, [](bson::View) {}, stop));
  }
  std::sort(names.begin(), names.end());
  return names;
}

// --- scan

Result<AuditPage> DocumentReader::scan(const CollectionName& collection, const std::string& last_id,
                                       size_t limit, const Visit& visit, std::stop_token stop) {
  const bool goes_on = scan_ && scan_->collection == collection && scan_->last_id == last_id;
  Status ready = goes_on ? (scan_->has_next() ? Status() : more(limit, stop))
                         : open_scan(collection, last_id, limit, stop);
  // A cursor ends with the member it was on, and after ten idle minutes.
  if (!ready && goes_on && ready.error().react == React::kRetry) {
    log::debug("{}; the scan of {} goes on with another cursor", ready.error().what, collection.text());
    scan_.reset();
    ready = open_scan(collection, last_id, limit, stop);
  }
  if (!ready) {
    scan_.reset();
    return fail(std::move(ready).error());
  }
  AuditPage page{last_id, false};
  for (size_t n = 0; n < limit && scan_->has_next(); ++n, ++scan_->next) {
    const bson::Element item = *scan_->next;
    if (!item.is_document() || !render_id(item.document(), id_)) continue;
    // Once: another document of the same id is another document, on another shard.
    if (std::exchange(scan_->repeats, false) && id_ == page.last_id) continue;
    if (Status visited = visit(item.document()); !visited) {
      close(stop);
      return fail(std::move(visited).error());
    }
    page.last_id = id_;
  }
  page.done = scan_->cursor == 0 && !scan_->has_next();
  scan_->last_id = page.last_id;
  return page;
}

// In the order of the index of _id, which is total over all types; `min` stands for "from here on" where a query's $gt
// would leave out values of other types.
Status DocumentReader::open_scan(const CollectionName& collection, const std::string& last_id, size_t limit,
                                 std::stop_token stop) {
  close(stop);
  const bson::Document order = by_id();
  bson::Builder find;
  find.append("find", collection.collection).append("hint", order.view()).append("sort", order.view());
  if (!last_id.empty()) {
    const auto from = bson::read_json_value(last_id, "_id");
    if (!from) return fail(React::kFatal, "a scan can't go on after the _id " + last_id);
    find.append("min", from->view());
  }
  find.append("batchSize", std::min(static_cast<int64_t>(std::max<size_t>(limit, 1)), kBatchMax));
  append_majority(find, scan_after_);
  TIDEMARK_ASSIGN(bson::Document reply, client_->read(collection.database, find.view(), std::move(stop)));
  scan_ = Scan{collection, last_id, !last_id.empty(), 0, {}, {}, {}};
  return take(std::move(reply));
}

Status DocumentReader::more(size_t limit, std::stop_token stop) {
  if (scan_->cursor == 0) return {};
  bson::Builder next;
  next.append("getMore", scan_->cursor).append("collection", scan_->collection.collection);
  next.append("batchSize", std::min(static_cast<int64_t>(std::max<size_t>(limit, 1)), kBatchMax));
  TIDEMARK_ASSIGN(bson::Document reply,
                  client_->read(scan_->collection.database, next.view(), std::move(stop)));
  return take(std::move(reply));
}

Status DocumentReader::take(bson::Document reply) {
  auto batch = reply.view().find_path("cursor.firstBatch");
  if (!batch) batch = reply.view().find_path("cursor.nextBatch");
  const auto id = reply.view().find_path("cursor.id");
  if (!batch || !batch->is_array() || !id) return fail(React::kRetry, "a reply without a cursor");
  scan_->cursor = id->integer().value_or(0);
  scan_->reply = std::move(reply);  // the batch is a view into its bytes, which stay where they are
  scan_->next = batch->document().begin();
  scan_->end = batch->document().end();
  return {};
}

// --- lookup

// A time that every write had that was acknowledged before, whoever is the primary now. An election may have made one that
// doesn't yet know how much of it a majority has: a read after this time waits until it does.
Result<bson::Timestamp> DocumentReader::now(std::stop_token stop) {
  bson::Builder ping;
  ping.append("ping", int32_t{1});
  TIDEMARK_ASSIGN(const bson::Document reply, client_->read("admin", ping.view(), std::move(stop)));
  return operation_time(reply).value_or(bson::Timestamp());
}

Result<bson::Timestamp> DocumentReader::lookup(const CollectionName& collection, std::span<const AuditId> ids,
                                               const Visit& visit, std::stop_token stop) {
  TIDEMARK_ASSIGN(const bson::Timestamp after, now(stop));
  bson::Timestamp read_at = after;
  while (!ids.empty()) {
    size_t count = 0, bytes = 0;
    while (count < ids.size() && count < kIdsMax &&
           (count == 0 || bytes + ids[count].key.size() <= kIdBytesMax))
      bytes += ids[count++].key.size();
    TIDEMARK_TRY(lookup_some(collection, ids.first(count), after, read_at, visit, stop));
    ids = ids.subspan(count);
  }
  return read_at;
}

Status DocumentReader::lookup_some(const CollectionName& collection, std::span<const AuditId> ids,
                                   bson::Timestamp after, bson::Timestamp& read_at, const Visit& visit,
                                   std::stop_token stop) {
  bson::Builder values;
  std::unordered_set<std::string_view> asked;
  for (const AuditId& id : ids) {
    if (id.key.empty()) continue;
    TIDEMARK_ASSIGN(const bson::Document each, document_of_key(id.key));
    const auto value = each.view().find("_id");
    if (!value || !may_be_id(*value) || !asked.insert(id.key).second) continue;
    values.append(std::to_string(asked.size() - 1), *value);
  }
  if (asked.empty()) return {};
  bson::Builder in, filter, find;
  in.append_array("$in", values.view());
  filter.append("_id", in.view());
  find.append("find", collection.collection).append("filter", filter.view());
  find.append("batchSize", static_cast<int64_t>(kIdsMax)).append("maxTimeMS", kLookupMs);
  append_majority(find, after);
  const auto choose = [&](bson::View document) -> Status {
    const auto id = document.find("_id");
    if (!id) return {};
    id_.clear();
    append_key(*id, id_);
    return asked.contains(id_) ? visit(document) : Status();
  };
  // A majority's read reports what the majority had when it ended, which is no earlier than what it has read.
  const auto note_time = [&](bson::View reply) {
    if (const auto time = operation_time(reply)) read_at = std::max(read_at, *time);
  };
  return for_each(collection.database, find.view(), choose, note_time, std::move(stop));
}

// --- counts

Result<DocumentReader::Counts> DocumentReader::counts(const CollectionName& collection,
                                                      const AuditBuckets& buckets, std::stop_token stop) {
  if (is_plain_path(buckets.field) && !too_large_.contains(collection)) {
    TIDEMARK_ASSIGN(auto counted, count_by_server(collection, buckets, stop));
    if (counted) return std::move(*counted);
  }
  return count_here(collection, buckets, std::move(stop));
}

Result<std::optional<DocumentReader::Counts>> DocumentReader::count_by_server(
    const CollectionName& collection, const AuditBuckets& buckets, std::stop_token stop) {
  TIDEMARK_ASSIGN(const bson::Document command, count_command(collection, buckets));
  auto groups = client_->read_all(collection.database, command, kBucketsMax, std::move(stop));
  if (!groups && groups.error().code == kMaxTimeMsExpired) {
    too_large_.insert(collection);
    return std::nullopt;
  }
  if (!groups) return fail(std::move(groups).error());
  Counts counts;
  for (const bson::Document& group : *groups) {
    const auto bucket = group.view().find("_id");
    const auto n = group.view().find("n");
    if (!bucket || !n || !n->integer()) return std::nullopt;
    if (bucket->is_null()) {
      counts[std::nullopt] += static_cast<uint64_t>(*n->integer());
    } else if (bucket->type() == BSON_TYPE_INT64) {
      counts[*bucket->integer()] += static_cast<uint64_t>(*n->integer());
    } else {
      return std::nullopt;  // a timestamp, or dates at the end of time
    }
  }
  return counts;
}

Result<DocumentReader::Counts> DocumentReader::count_here(const CollectionName& collection,
                                                          const AuditBuckets& buckets, std::stop_token stop) {
  const std::string head = buckets.field.substr(0, buckets.field.find('.'));
  bson::Builder fields;
  fields.append(head, int32_t{1});
  if (head != "_id") fields.append("_id", int32_t{0});
  bson::Builder find;
  find.append("find", collection.collection).append("projection", fields.view());
  find.append("batchSize", kBatchMax);
  append_majority(find);
  Counts counts;
  const auto count = [&](bson::View document) -> Status {
    ++counts[bucket_of(time_in(document, buckets.field), buckets)];
    return {};
  };
  TIDEMARK_TRY(for_each(
      collection.database, find.view(), count, [](bson::View) {}, std::move(stop)));
  return counts;
}

// --- cursors that are read to their end at once

Status DocumentReader::for_each(const std::string& database, bson::View command, const Visit& visit,
                                const std::function<void(bson::View reply)>& each_reply,
                                std::stop_token stop) {
  TIDEMARK_ASSIGN(bson::Document reply, client_->read(database, command, stop));
  for (const char* batch = "cursor.firstBatch";; batch = "cursor.nextBatch") {
    const auto documents = reply.view().find_path(batch);
    const auto id = reply.view().find_path("cursor.id");
    const auto ns = reply.view().find_path("cursor.ns");
    if (!documents || !documents->is_array() || !id || !ns || !ns->is_string())
      return fail(React::kRetry, "a reply without a cursor");
    each_reply(reply);
    for (const bson::Element item : documents->document())
      if (item.is_document()) TIDEMARK_TRY(visit(item.document()));
    const int64_t cursor = id->integer().value_or(0);
    if (cursor == 0) return {};
    bson::Builder next;
    next.append("getMore", cursor).append("collection", ns->string().substr(ns->string().find('.') + 1));
    TIDEMARK_ASSIGN(reply, client_->read(database, next.view(), stop));
  }
}

}  // namespace tidemark::mongo
