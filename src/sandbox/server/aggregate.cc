// aggregate: a pipeline over a collection, or the opening of a change stream.
#include "sandbox/server/aggregate_out.h"
#include "sandbox/server/documents.h"
#include "sandbox/server/update_one.h"
#include "sandbox/server/write_target.h"

namespace tidemark::sandbox {
namespace {

struct Aggregate {
  std::string collection;  // empty for {aggregate: 1}
  bson::View pipeline;
  int64_t batch_size = kFirstBatch;
};

Reply<Aggregate> parse_aggregate(const Invocation& inv) {
  Aggregate out;
  const auto first = *inv.body.begin();
  if (first.is_string()) {
    SANDBOX_ASSIGN(out.collection, inv.collection());
  } else if (first.integer() != 1) {
    return command_error(kFailedToParse,
                         "Invalid command format: the 'aggregate' field must specify a collection name or 1");
  }
  SANDBOX_ASSIGN(out.pipeline, array_field(inv, inv.body, "pipeline"));
  if (!out.pipeline)
    return command_error(40414, "BSON field 'aggregate.pipeline' is missing but a required field");
  SANDBOX_ASSIGN(const bool explain, bool_field(inv, inv.body, "explain", false));
  if (explain) return command_error(kNotImplemented, "the sandbox doesn't explain");
  SANDBOX_ASSIGN(const bson::View cursor, document_field(inv, inv.body, "cursor"));
  if (!cursor)
    return command_error(kFailedToParse,
                         "The 'cursor' option is required, except for aggregate with the explain argument");
  SANDBOX_TRY(check_fields(cursor, "batchSize", "cursor"));
  SANDBOX_ASSIGN(out.batch_size, int_field(inv, cursor, "batchSize", kFirstBatch));
  if (out.batch_size < 0)
    return command_error(kBadValue, "BSON field 'batchSize' value must be >= 0, actual value '" +
                                        std::to_string(out.batch_size) + "'");
  SANDBOX_TRY(refuse_collation(inv.body));
  return out;
}

// Reads of other collections by $lookup and $unionWith, and $collStats.
void add_readers(Invocation& inv, PipelineContext& context) {
  context.read_collection = [&inv](std::string_view db, std::string_view name) {
    auto documents = read_documents(inv, {std::string(db), std::string(name), {}, {}, 0, 0});
    return documents ? std::move(*documents) : std::vector<bson::Document>();
  };
  context.collection_stats = [&inv](std::string_view db, std::string_view name) {
    bson::Builder stats;
    if (db == "local" && name == "oplog.rs") {
      const Oplog& oplog = inv.member().oplog;
      stats.append("count", static_cast<int32_t>(oplog.size()))
          .append("size", static_cast<int64_t>(oplog.bytes()));
      stats.append("capped", true)
          .append("maxSize", static_cast<int64_t>(inv.cluster.options.oplog_bytes_max));
      return stats.finish();
    }
    // A read catalog has no error of its own here: a collection that isn't there has no statistics.
    (void)with_read_catalog(inv, db, name, [&](const Catalog& catalog) -> Reply<void> {
      const Collection* collection = catalog.find(db, name);
      if (collection == nullptr) return {};
      stats.append("count", static_cast<int32_t>(collection->count()));
      stats.append("size", static_cast<int64_t>(collection->bytes()));
      return {};
    });
    return stats.finish();
  };
}

Reply<void> run_pipeline(Invocation& inv, const Aggregate& ask) {
  PipelineContext context = inv.context(ask.collection);
  add_readers(inv, context);
  SANDBOX_ASSIGN(const auto split, split_writing_stage(ask.pipeline));
  SANDBOX_ASSIGN(const auto pipeline, Pipeline::parse(split.reading, context));
  if (ask.collection.empty())
    return command_error(kInvalidNamespace,
                         "{aggregate: 1} is not valid for '" +
                             std::string(pipeline.empty() ? "" : pipeline.stage_names()[0]) +
                             "'; a collection is required.");
  DocumentQuery query{inv.db, ask.collection, pipeline.leading_match(), {}, 0, 0};
  std::vector<bson::Document> input;
  if (pipeline.empty() || pipeline.stage_names()[0] != "$collStats") {
    SANDBOX_ASSIGN(input, read_documents(inv, query));
  }
  auto cursor = std::make_unique<Cursor>();
  cursor->ns = inv.db + "." + ask.collection;
  SANDBOX_ASSIGN(cursor->documents, pipeline.run(std::move(input)));
  if (split.writing) {
    SANDBOX_TRY(run_writing_stage(inv, *split.writing, cursor->documents));
    cursor->documents.clear();
  }
  return reply_with_cursor(inv, std::move(cursor), ask.batch_size, false);
}

Reply<BatchInfo> append_first_batch(ChangeStream& stream, int64_t batch_size, bson_t* body) {
  bson_t array;
  bson_append_array_begin(body, "firstBatch", 10, &array);
  Reply<BatchInfo> info = BatchInfo{};
  if (batch_size > 0) info = stream.next({static_cast<size_t>(batch_size), kBatchBytesMax, false}, &array);
  bson_append_array_end(body, &array);
  return info;
}

Reply<void> open_stream(Invocation& inv, const Aggregate& ask) {
  SANDBOX_TRY(check_stream_read_concern(inv.read_concern_document, inv.version()));
  if (inv.in_transaction)
    return command_error(263, "$changeStream cannot run in a multi-document transaction.");
  if (!ask.collection.empty()) {
    SANDBOX_TRY(with_read_catalog(inv, inv.db, ask.collection, [&](const Catalog& catalog) -> Reply<void> {
      const Collection* collection = catalog.find(inv.db, ask.collection);
      return collection == nullptr ? Reply<void>() : check_watchable(*collection);
    }));
    inv.seen = {};
  }
  const Member& member = inv.member();
  OpenRequest request{
      inv.context(ask.collection), ask.pipeline, &member.oplog,
      [&member](const Uuid& uuid, bson::View key) { return committed_document(member, uuid, key); }};
  SANDBOX_ASSIGN(ChangeStream opened, ChangeStream::open(std::move(request)));
  auto cursor = std::make_unique<Cursor>();
  cursor->ns = inv.db + "." + (ask.collection.empty() ? "$cmd.aggregate" : ask.collection);
  cursor->lsid = inv.lsid;
  cursor->stream = std::make_unique<ChangeStream>(std::move(opened));
  ChangeStream& stream = *cursor->stream;
  const std::string ns = cursor->ns;
  bson_t body;
  bson_append_document_begin(inv.reply.raw(), "cursor", 6, &body);
  auto info = append_first_batch(stream, ask.batch_size, &body);
  int64_t id = 0;
  Reply<void> result;
  if (!info) {
    result = tl::unexpected<CommandError>(std::move(info).error());
  } else {
    const bson::Document token(stream.post_batch_token());
    if (!info->closed) {
      auto added = inv.node.cursors.add(std::move(cursor), inv.cluster.identities.cursor_id());
      if (added)
        id = *added;
      else
        result = tl::unexpected<CommandError>(std::move(added).error());
    }
    const bson_t raw = token.view().raw();
    bson_append_document(&body, "postBatchResumeToken", 20, &raw);
    bson_append_int64(&body, "id", 2, id);
    bson_append_utf8(&body, "ns", 2, ns.data(), static_cast<int>(ns.size()));
  }
  bson_append_document_end(inv.reply.raw(), &body);
  return result;
}

Reply<void> aggregate(Invocation& inv) {
  SANDBOX_ASSIGN(const auto ask, parse_aggregate(inv));
  if (is_change_stream(ask.pipeline)) return open_stream(inv, ask);
  return run_pipeline(inv, ask);
}

Reply<void> explain(Invocation&) { return command_error(kNotImplemented, "the sandbox doesn't explain"); }

constexpr CommandSpec kCommands[] = {
    {"aggregate", aggregate, kReads | kTransactions,
     "pipeline cursor explain allowDiskUse bypassDocumentValidation collation hint let fromMongos "
     "needsMerge"},
    {"explain", explain, kReads | kAnyFields, ""},
};

}  // namespace

std::span<const CommandSpec> aggregate_commands() { return kCommands; }

}  // namespace tidemark::sandbox
