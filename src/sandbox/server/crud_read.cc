// find, count and distinct.
#include <set>

#include "bson/compare.h"
#include "sandbox/server/documents.h"
#include "sandbox/server/update_one.h"

namespace tidemark::sandbox {
namespace {

// {_id: 1}, whatever the number's type.
bool is_by_id(bson::View pattern) {
  const auto id = pattern.find("_id");
  return id && id->integer() == 1 && !(++pattern.begin() != pattern.end());
}

// `min`, over the index of _id alone.
Reply<std::optional<bson::Element>> parse_min(const Invocation& inv, bson::View sort) {
  SANDBOX_ASSIGN(const bson::View min, document_field(inv, inv.body, "min"));
  if (!min || min.empty()) return std::nullopt;
  const auto hint = inv.body.find("hint");
  if (!hint || (hint->is_document() && hint->document().empty()))
    return command_error(51173, "When using min()/max() a hint of which index to use must be provided");
  const bool of_id =
      hint->is_document() ? is_by_id(hint->document()) : hint->is_string() && hint->string() == "_id_";
  if (!of_id || (sort && !sort.empty() && !is_by_id(sort)))
    return command_error(kNotImplemented,
                         "find: 'min' is implemented by the sandbox for the index and order "
                         "{_id: 1} alone");
  const auto id = min.find("_id");
  if (!id || ++min.begin() != min.end())
    return command_error(51174, "The index chosen is not compatible with min/max");
  return id;
}

Reply<DocumentQuery> parse_find(const Invocation& inv) {
  DocumentQuery query;
  SANDBOX_ASSIGN(query.collection, inv.collection());
  query.db = inv.db;
  SANDBOX_ASSIGN(query.filter, document_field(inv, inv.body, "filter"));
  SANDBOX_ASSIGN(query.sort, document_field(inv, inv.body, "sort"));
  SANDBOX_ASSIGN(const int64_t skip, int_field(inv, inv.body, "skip", 0));
  SANDBOX_ASSIGN(const int64_t limit, int_field(inv, inv.body, "limit", 0));
  if (skip < 0)
    return command_error(51024,
                         "BSON field 'skip' value must be >= 0, actual value '" + std::to_string(skip) + "'");
  if (limit < 0)
    return command_error(
        51024, "BSON field 'limit' value must be >= 0, actual value '" + std::to_string(limit) + "'");
  query.skip = static_cast<size_t>(skip);
  query.limit = static_cast<size_t>(limit);
  SANDBOX_TRY(refuse_collation(inv.body));
  for (const auto* refused : {"tailable", "max", "returnKey", "showRecordId"})
    if (const auto field = inv.body.find(refused); field && field->truthy())
      return command_error(kNotImplemented,
                           "find: '" + std::string(refused) + "' isn't implemented by the sandbox");
  SANDBOX_ASSIGN(query.id_min, parse_min(inv, query.sort));
  return query;
}

Reply<void> find(Invocation& inv) {
  SANDBOX_ASSIGN(const auto query, parse_find(inv));
  SANDBOX_ASSIGN(const int64_t batch_size, int_field(inv, inv.body, "batchSize", kFirstBatch));
  SANDBOX_ASSIGN(const bool single_batch, bool_field(inv, inv.body, "singleBatch", false));
  if (batch_size < 0)
    return command_error(51024, "BSON field 'batchSize' value must be >= 0, actual value '" +
                                    std::to_string(batch_size) + "'");
  auto cursor = std::make_unique<Cursor>();
  cursor->ns = query.db + "." + query.collection;
  SANDBOX_ASSIGN(const bson::View projection, document_field(inv, inv.body, "projection"));
  if (projection && !projection.empty()) {
    SANDBOX_ASSIGN(cursor->projection, Projection::parse(projection, inv.context(query.collection)));
    if (cursor->projection->needs_query()) {
      bson::Builder everything;
      SANDBOX_ASSIGN(cursor->query,
                     parse_filter(query.filter ? query.filter : everything.view(), inv.context()));
    }
  }
  SANDBOX_ASSIGN(cursor->documents, read_documents(inv, query));
  inv.node.counters.queries++;
  return reply_with_cursor(inv, std::move(cursor), batch_size, single_batch);
}

Reply<void> count(Invocation& inv) {
  SANDBOX_ASSIGN(const std::string name, inv.collection());
  SANDBOX_ASSIGN(const bson::View filter, document_field(inv, inv.body, "query"));
  SANDBOX_ASSIGN(const int64_t skip, int_field(inv, inv.body, "skip", 0));
  SANDBOX_ASSIGN(const int64_t limit, int_field(inv, inv.body, "limit", 0));
  SANDBOX_TRY(refuse_collation(inv.body));
  if (skip < 0) return command_error(kBadValue, "skip value is negative in count query");
  int64_t n = 0;
  if (inv.db == "local" || inv.db == "config") {
    SANDBOX_ASSIGN(
        const auto documents,
        read_documents(
            inv,
            {inv.db, name, filter, {}, static_cast<size_t>(skip), static_cast<size_t>(std::abs(limit))}));
    n = static_cast<int64_t>(documents.size());
  } else {
    bson::Builder everything;
    const bool all = !filter || filter.empty();
    bool view = false;
    SANDBOX_ASSIGN(const auto matcher, parse_filter(all ? everything.view() : filter, inv.context(name)));
    SANDBOX_TRY(with_read_catalog(inv, inv.db, name, [&](const Catalog& catalog) -> Reply<void> {
      const Collection* collection = catalog.find(inv.db, name);
      if (collection == nullptr) return {};
      view = collection->is_view();
      if (view) return {};
      if (all && skip == 0 && limit == 0) {
        n = static_cast<int64_t>(collection->count());
        return {};
      }
      SANDBOX_ASSIGN(const size_t matching, collection->count_matching(matcher, static_cast<size_t>(skip),
                                                                       static_cast<size_t>(std::abs(limit))));
      n = static_cast<int64_t>(matching);
      return {};
    }));
    if (view) {
      SANDBOX_ASSIGN(
          const auto documents,
          read_documents(
              inv,
              {inv.db, name, filter, {}, static_cast<size_t>(skip), static_cast<size_t>(std::abs(limit))}));
      n = static_cast<int64_t>(documents.size());
    }
  }
  inv.reply.append("n", static_cast<int32_t>(n));
  return {};
}

// Every value at a dotted path, arrays on the way and at its end opened.
void collect(const bson::Element& value, std::string_view path, std::set<std::string>& seen,
             ArrayWriter& out) {
  if (value.is_array()) {
    if (path.empty()) {
      for (const auto& item : value.document()) {
        std::string key;
        bson::canonical_key(item, key);
        if (seen.insert(std::move(key)).second) out.append(item);
      }
      return;
    }
    for (const auto& item : value.document())
      if (item.is_document()) collect(item, path, seen, out);
    const size_t dot = path.find('.');
    if (const auto item = value.document().find(path.substr(0, dot)))
      collect(*item, dot == std::string_view::npos ? "" : path.substr(dot + 1), seen, out);
    return;
  }
  if (path.empty()) {
    std::string key;
    bson::canonical_key(value, key);
    if (seen.insert(std::move(key)).second) out.append(value);
    return;
  }
  if (!value.is_document()) return;
  const size_t dot = path.find('.');
  if (const auto field = value.document().find(path.substr(0, dot)))
    collect(*field, dot == std::string_view::npos ? "" : path.substr(dot + 1), seen, out);
}

Reply<void> distinct(Invocation& inv) {
  DocumentQuery query;
  SANDBOX_ASSIGN(query.collection, inv.collection());
  query.db = inv.db;
  SANDBOX_ASSIGN(query.filter, document_field(inv, inv.body, "query"));
  SANDBOX_ASSIGN(const auto key, string_field(inv, inv.body, "key"));
  if (key.empty()) return command_error(40414, "BSON field 'distinct.key' is missing but a required field");
  SANDBOX_TRY(refuse_collation(inv.body));
  SANDBOX_ASSIGN(const auto documents, read_documents(inv, query));
  std::set<std::string> seen;
  ArrayWriter values(inv.reply.raw(), "values");
  const size_t dot = key.find('.');
  for (const auto& document : documents)
    if (const auto field = document.view().find(key.substr(0, dot)))
      collect(*field, dot == std::string_view::npos ? "" : key.substr(dot + 1), seen, values);
  return {};
}

constexpr CommandSpec kCommands[] = {
    {"find", find, kReads | kTransactions,
     "filter sort projection hint skip limit batchSize singleBatch max min returnKey showRecordId tailable "
     "awaitData "
     "oplogReplay noCursorTimeout allowPartialResults collation allowDiskUse let"},
    {"count", count, kReads | kTransactions, "query limit skip hint collation fields"},
    {"distinct", distinct, kReads | kTransactions, "key query collation hint"},
};

}  // namespace

std::span<const CommandSpec> read_commands() { return kCommands; }

}  // namespace tidemark::sandbox
