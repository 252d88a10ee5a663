#include "core/dead_letters.h"

namespace tidemark {
namespace {

Result<bson::View> change_event_of(const DeadLetter& letter, EventBatch& batch) {
  if (letter.bytes.empty()) {
    TIDEMARK_ASSIGN(const bson::Document document, bson::Document::from_json(letter.event));
    return batch.store(document.view());
  }
  TIDEMARK_ASSIGN(
      const bson::View whole,
      bson::View::parse({reinterpret_cast<const uint8_t*>(letter.bytes.data()), letter.bytes.size()}));
  return batch.store(whole);
}

}  // namespace

Result<Event> event_of(const DeadLetter& letter, EventBatch& batch) {
  const auto unreadable = [&](const Error& error) {
    return fail(React::kReject, "the event of the dead letter " + letter.id + " can't be read: " + error.what,
                "tidemark dlq show prints what was kept of it");
  };
  auto raw = change_event_of(letter, batch);
  if (!raw) return unreadable(raw.error());
  auto event = parse_change_event(*raw);
  if (!event) return unreadable(event.error());
  event->payload = batch.store(std::string_view(letter.payload));
  event->malformed = letter.malformed;
  // Letters that have no bytes are of versions that kept what the transforms had made of the event so far.
  event->hidden = letter.hidden || letter.bytes.empty();
  return event;
}

Status DeadLetterStore::redeliver(const std::string&, const std::string&, std::stop_token) {
  return fail(React::kFatal, "these dead letters have no queue to go back to");
}

}  // namespace tidemark
