#include "mongo/lease.h"

#include "base/digest.h"

namespace tidemark::mongo {
namespace {

bson::Document literal(bson::View value) {
  bson::Builder builder;
  builder.append("$literal", value);
  return builder.finish();
}

bson::Document literal(std::string_view value) {
  bson::Builder builder;
  builder.append("$literal", value);
  return builder.finish();
}

// {$add: ["$$NOW", ttl]}
bson::Document server_deadline(std::chrono::milliseconds ttl) {
  bson::Builder terms;
  terms.append("0", "$$NOW").append("1", int64_t{ttl.count()});
  bson::Builder sum;
  sum.append_array("$add", terms.view());
  return sum.finish();
}

// {OPERATOR: [a, b]}, with the two operands appended by `fill`.
template <class Fill>
bson::Document operation(const char* name, Fill fill) {
  bson::Builder operands;
  fill(operands);
  bson::Builder builder;
  builder.append_array(name, operands.view());
  return builder.finish();
}

bson::Document only_stage(const char* name, bson::View value) {
  bson::Builder stage;
  stage.append(name, value);
  bson::Builder pipeline;
  pipeline.append("0", stage.view());
  return pipeline.finish();
}

bson::Document owned_by(const Lease& lease) {
  bson::Builder query;
  query.append("_id", lease.pipeline);
  query.append("epoch", static_cast<int64_t>(lease.epoch));
  query.append("owner", lease.owner);
  return query.finish();
}

bson::Document update_command(const Lease& lease, bson::View change, bool pipeline) {
  const bson::Document query = owned_by(lease);
  bson::Builder update;
  update.append("q", query);
  if (pipeline)
    update.append_array("u", change);
  else
    update.append("u", change);
  bson::Builder updates;
  updates.append("0", update.view());
  bson::Builder command;
  command.append("update", lease.collection).append_array("updates", updates.view());
  return command.finish();
}

bson::Document free_by_server_time(const Lease& lease) {
  const auto expired =
      operation("$lte", [](bson::Builder& out) { out.append("0", "$leaseUntil").append("1", "$$NOW"); });
  const auto mine = operation("$eq", [&lease](bson::Builder& out) {
    out.append("0", "$owner").append("1", literal(std::string_view(lease.owner)));
  });
  // A lease whose end is no date would otherwise be nobody's to take, for ever.
  bson::Builder type;
  type.append("$type", "$leaseUntil");
  const auto damaged =
      operation("$ne", [&type](bson::Builder& out) { out.append("0", type.view()).append("1", "date"); });
  const auto either = operation(
      "$or", [&](bson::Builder& out) { out.append("0", expired).append("1", mine).append("2", damaged); });
  bson::Builder query;
  query.append("_id", lease.pipeline).append("$expr", either);
  return query.finish();
}

bson::Document free_by_own_time(const Lease& lease, int64_t now_ms) {
  bson::Builder until;
  until.append_date("$lte", now_ms);
  bson::Builder expired;
  expired.append("leaseUntil", until.view());
  bson::Builder mine;
  mine.append("owner", lease.owner);
  bson::Builder either;
  either.append("0", expired.view()).append("1", mine.view());
  bson::Builder query;
  query.append("_id", lease.pipeline).append_array("$or", either.view());
  return query.finish();
}

bson::View view_of(const std::optional<bson::Element>& field) {
  return field && field->is_document() ? field->document() : bson::View();
}

std::string text_of(bson::View document, std::string_view name) {
  const auto field = document.find(name);
  return field && field->is_string() ? std::string(field->string()) : std::string();
}

}  // namespace

bson::Document insert_command(const Lease& lease) {
  bson::Builder document;
  document.append("_id", lease.pipeline).append("epoch", int64_t{0}).append_date("leaseUntil", 0);
  bson::Builder documents;
  documents.append("0", document.view());
  bson::Builder command;
  command.append("insert", lease.collection).append_array("documents", documents.view());
  return command.finish();
}

bson::Document acquire_command(const Lease& lease, const LeaseClock& clock) {
  bson::Builder command;
  command.append("findAndModify", lease.collection);
  if (clock.server) {
    const auto next =
        operation("$add", [](bson::Builder& out) { out.append("0", "$epoch").append("1", int64_t{1}); });
    bson::Builder fields;
    fields.append("epoch", next)
        .append("owner", literal(std::string_view(lease.owner)))
        .append("leaseUntil", server_deadline(lease.ttl));
    command.append("query", free_by_server_time(lease))
        .append_array("update", only_stage("$set", fields.view()));
  } else {
    bson::Builder raise;
    raise.append("epoch", int64_t{1});
    bson::Builder fields;
    fields.append("owner", lease.owner).append_date("leaseUntil", clock.now_ms + lease.ttl.count());
    bson::Builder change;
    change.append("$inc", raise.view()).append("$set", fields.view());
    command.append("query", free_by_own_time(lease, clock.now_ms)).append("update", change.view());
  }
  command.append("new", true);
  return command.finish();
}

bson::Document save_command(const Lease& lease, const LeaseClock& clock, const StoredPosition& stored) {
  const bson::Timestamp time = stored.position.cluster_time();
  const std::string checksum = checksum_of(stored);
  bson::Builder fields;
  // In a pipeline a value is an expression, and a document would be merged into the one that is there.
  const auto add_text = [&](const char* name, std::string_view value) {
    if (clock.server)
      fields.append(name, literal(value));
    else
      fields.append(name, value);
  };
  fields.append("token",
                clock.server ? literal(stored.position.token()) : bson::Document(stored.position.token()));
  fields.append_timestamp("clusterTime", time.seconds, time.increment);
  fields.append_date("savedAt", stored.saved_at_ms);
  add_text("fingerprint", stored.fingerprint);
  add_text("deployment", stored.deployment);
  add_text("checksum", checksum);
  if (clock.server) {
    fields.append("leaseUntil", server_deadline(lease.ttl));
    return update_command(lease, only_stage("$set", fields.view()), true);
  }
  fields.append_date("leaseUntil", clock.now_ms + lease.ttl.count());
  bson::Builder change;
  change.append("$set", fields.view());
  return update_command(lease, change.view(), false);
}

bson::Document erase_command(const Lease& lease) {
  bson::Builder fields;
  for (const char* name : {"token", "clusterTime", "savedAt", "fingerprint", "deployment", "checksum"})
    fields.append(name, int32_t{1});
  bson::Builder change;
  change.append("$unset", fields.view());
  return update_command(lease, change.view(), false);
}

bson::Document release_command(const Lease& lease) {
  bson::Builder fields;
  fields.append_date("leaseUntil", 0);
  bson::Builder change;
  change.append("$set", fields.view());
  return update_command(lease, change.view(), false);
}

bson::Document find_command(const std::string& collection, const std::string& pipeline) {
  bson::Builder filter;
  filter.append("_id", pipeline);
  bson::Builder concern;
  concern.append("level", "majority");
  bson::Builder command;
  command.append("find", collection).append("filter", filter.view()).append("limit", int32_t{1});
  command.append("singleBatch", true).append("readConcern", concern.view());
  return command.finish();
}

std::string checksum_of(StoredPosition stored) {
  stored.epoch = 0;
  return to_hex(sha256(stored.encode()));
}

Result<std::optional<StoredPosition>> read_position(bson::View document) {
  const auto token = document.find("token");
  const std::string checksum = text_of(document, "checksum");
  if (!token && checksum.empty()) return std::nullopt;
  if (!view_of(token)) return fail(React::kCorrupt, "its token is missing or is not a document");

  bson::Timestamp time;
  if (const auto field = document.find("clusterTime"); field && field->type() == BSON_TYPE_TIMESTAMP)
    bson_iter_timestamp(&field->iter(), &time.seconds, &time.increment);
  StoredPosition stored;
  stored.position = Position(view_of(token), time);
  if (const auto field = document.find("savedAt"); field && field->type() == BSON_TYPE_DATE_TIME)
    stored.saved_at_ms = bson_iter_date_time(&field->iter());
  stored.fingerprint = text_of(document, "fingerprint");
  stored.deployment = text_of(document, "deployment");
  if (checksum != checksum_of(stored)) return fail(React::kCorrupt, "its checksum does not match");
  const auto epoch = document.find("epoch");
  const auto number = epoch ? epoch->integer() : std::nullopt;
  if (!number || *number < 0) return fail(React::kCorrupt, "its epoch is missing or is not a number");
  stored.epoch = static_cast<uint64_t>(*number);
  return stored;
}

}  // namespace tidemark::mongo
