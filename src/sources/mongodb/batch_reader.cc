#include "sources/mongodb/batch_reader.h"

namespace tidemark::mongodb {
namespace {

// An answer that no server gives, from a proxy or a server at fault, can be another at the next try.
tl::unexpected<Error> strange(Error error) {
  error.react = React::kRetry;
  error.unknown = true;
  return fail(std::move(error));
}

}  // namespace

void BatchReader::start(Position position) {
  position_ = std::move(position);
  merger_.reset();
  pending_flaw_.clear();
}

Result<SourceBatch> BatchReader::read(ReplyPtr reply) {
  const CursorReply parts = *read_cursor_reply(reply->view());
  SourceBatch batch;
  batch.events = pool_.take();
  batch.events->own(reply);
  TIDEMARK_TRY(add_events(parts.batch, *reply, *batch.events));
  batch.closed = parts.id == 0;
  if (batch.closed && merger_.pending())
    return fail(React::kRetry, "the server closed the stream in the middle of a split event");
  batch.resume_after = end_of(*batch.events, parts.high_water_mark);
  position_ = batch.resume_after;
  return batch;
}

Status BatchReader::add_events(bson::View array, const Reply& reply, EventBatch& batch) {
  size_t index = 0;
  for (const bson::Element item : array) {
    const std::string_view flaw = reply.flaw(index++);
    if (!item.is_document())
      return strange({React::kRetry, "an item of the change stream's batch is not a document",
                      "an answer that Tidemark does not know: it waits and tries again"});
    const bson::View raw = item.document();
    if (SplitMerger::is_fragment(raw)) {
      if (pending_flaw_.empty()) pending_flaw_ = flaw;
      TIDEMARK_ASSIGN(const bson::Document whole, merger_.add(raw));
      if (!whole) continue;
      batch.own(std::make_shared<const bson::Document>(whole));
      TIDEMARK_TRY(add_event(whole, pending_flaw_, batch));
      pending_flaw_.clear();
    } else {
      if (merger_.pending())
        return fail(React::kRetry, "a split event was followed by another before it was whole");
      TIDEMARK_TRY(add_event(raw, flaw, batch));
    }
  }
  return {};
}

Status BatchReader::add_event(bson::View raw, std::string_view flaw, EventBatch& batch) {
  auto parsed = parse_change_event(raw);
  if (!parsed) return strange(std::move(parsed).error());
  Event event = *std::move(parsed);
  if (!flaw.empty()) {
    event.reject_reason = batch.store(flaw);
    event.malformed = true;
  }
  batch.events().push_back(event);
  return {};
}

Position BatchReader::end_of(const EventBatch& batch, bson::View high_water_mark) const {
  // The high-water mark of a batch that ends inside a split is a fragment's own token: resuming there would
  // lose the fragments before it.
  if (high_water_mark && !merger_.pending()) return Position(high_water_mark, token_time(high_water_mark));
  if (batch.events().empty()) return position_;
  const auto token = batch.events().back().raw.find("_id");
  return Position(token->document(), token_time(token->document()));
}

}  // namespace tidemark::mongodb
