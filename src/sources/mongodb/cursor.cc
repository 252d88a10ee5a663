#include "sources/mongodb/cursor.h"

#include <algorithm>

namespace tidemark::mongodb {
namespace {

bson::Document change_stream_stage(const StreamOptions& options, const OpenAt& at) {
  bson::Builder stage;
  if (options.database.empty()) stage.append("allChangesForCluster", true);
  if (options.full_document != "default" && !at.bare) {
    // The server's names are in camel case: update_lookup -> updateLookup, when_available -> whenAvailable.
    const std::string& mode = options.full_document;
    stage.append("fullDocument", mode == "update_lookup"    ? "updateLookup"
                                 : mode == "when_available" ? "whenAvailable"
                                                            : mode.c_str());
  }
  if (options.full_document_before_change != "off" && !at.bare) {
    const bool soft = options.full_document_before_change == "when_available";
    stage.append("fullDocumentBeforeChange", soft ? "whenAvailable" : "required");
  }
  if (options.expanded_events) stage.append("showExpandedEvents", true);
  if (at.token)
    stage.append(at.resume_after ? "resumeAfter" : "startAfter", at.token);
  else if (at.time)
    stage.append_timestamp("startAtOperationTime", at.time->seconds, at.time->increment);
  return stage.finish();
}

void append_stage(bson::Builder& pipeline, size_t index, std::string_view name, bson::View value) {
  bson::Builder stage;
  stage.append(name, value);
  pipeline.append(std::to_string(index), stage.view());
}

}  // namespace

std::string command_database(const StreamOptions& options) {
  return options.database.empty() ? "admin" : options.database;
}

bson::Document build_aggregate(const StreamOptions& options, const OpenAt& at) {
  bson::Builder pipeline;
  size_t index = 0;
  append_stage(pipeline, index++, "$changeStream", change_stream_stage(options, at));
  if (at.only || at.except) {
    bson::Builder list, id;
    list.append_array(at.only ? "$in" : "$nin", at.only ? at.only : at.except);
    append_stage(pipeline, index++, "$match", id.append("_id", list.view()).view());
  }
  if (!at.bare) {
    for (const bson::Element stage : options.stages.view()) pipeline.append(std::to_string(index++), stage);
  }
  if (at.slim) {
    bson::Builder fields;
    for (const char* name : {"operationType", "clusterTime", "wallTime", "ns", "to", "documentKey"})
      fields.append(name, int32_t{1});
    append_stage(pipeline, index++, "$project", fields.view());
  }
  // It must be the last one.
  if (at.split) append_stage(pipeline, index++, "$changeStreamSplitLargeEvent", bson::Builder().view());

  bson::Builder command;
  if (options.collection.empty())
    command.append("aggregate", int32_t{1});
  else
    command.append("aggregate", options.collection);
  command.append_array("pipeline", pipeline.view());
  // An empty first batch answers at once, with a high-water mark; a full one would scan the oplog first.
  bson::Builder cursor;
  cursor.append("batchSize", int32_t{0});
  command.append("cursor", cursor.view());
  return command.finish();
}

bson::Document build_get_more(int64_t cursor, std::string_view collection, int64_t batch_size,
                              std::chrono::milliseconds wait) {
  bson::Builder command;
  command.append("getMore", cursor)
      .append("collection", collection)
      .append("batchSize", batch_size)
      .append("maxTimeMS", std::max<int64_t>(1, wait.count()));
  return command.finish();
}

std::optional<CursorReply> read_cursor_reply(bson::View reply) {
  const auto field = reply.find("cursor");
  if (!field || !field->is_document()) return std::nullopt;
  CursorReply parts;
  bool has_id = false;
  for (const bson::Element part : field->document()) {
    if (part.key() == "id" && part.is_number()) {
      const auto id = part.integer();
      has_id = id.has_value();
      parts.id = id.value_or(0);
    } else if (part.key() == "ns" && part.is_string()) {
      parts.ns = part.string();
    } else if ((part.key() == "firstBatch" || part.key() == "nextBatch") && part.is_array()) {
      parts.batch = part.document();
    } else if (part.key() == "postBatchResumeToken" && part.is_document()) {
      parts.high_water_mark = part.document();
    }
  }
  if (!has_id || !parts.batch) return std::nullopt;
  return parts;
}

CommandResult<ReplyPtr> Cursor::open(const StreamOptions& options, const OpenAt& at, std::stop_token stop) {
  database_ = command_database(options);
  const bson::Document command = build_aggregate(options, at);
  return take(client_->run(database_, command, member_, std::move(stop)));
}

CommandResult<ReplyPtr> Cursor::get_more(int64_t batch_size, std::chrono::milliseconds wait,
                                         std::stop_token stop) {
  const bson::Document command = build_get_more(id_, collection_, batch_size, wait);
  return take(client_->run(database_, command, member_, std::move(stop)));
}

CommandResult<ReplyPtr> Cursor::take(CommandResult<ReplyPtr> reply) {
  abandoned_ = 0;
  if (!reply) {
    if (reply.error().timed_out) abandoned_ = id_;
    id_ = 0;
    return reply;
  }
  const auto parts = read_cursor_reply((*reply)->view());
  if (!parts) {
    id_ = 0;
    CommandFailure failure;
    failure.origin = Origin::kNetwork;
    failure.message = "the server's reply has no cursor";
    return tl::unexpected(std::move(failure));
  }
  id_ = parts->id;
  // "shop.orders", or "shop.$cmd.aggregate" for a database: what follows the first dot.
  if (const size_t dot = parts->ns.find('.'); dot != std::string_view::npos)
    collection_ = parts->ns.substr(dot + 1);
  return reply;
}

void Cursor::kill(std::stop_token stop) {
  const int64_t id = id_ != 0 ? id_ : abandoned_;
  if (id == 0) return;
  bson::Builder ids;
  ids.append("0", id);
  bson::Builder command;
  command.append("killCursors", collection_).append_array("cursors", ids.view());
  (void)client_->run(database_, command.view(), member_, std::move(stop));
  forget();
}

}  // namespace tidemark::mongodb
