#include "core/dead_letters.h"

#include "bson/json_reader.h"

namespace tidemark {
namespace {

// What earlier versions wrote in place of bytes that are not UTF-8.
constexpr std::string_view kReplacement = "\xef\xbf\xbd";

// The text of an earlier version's letter. Read strictly, so that what is delivered is what the letter says; and where it may
// say another thing than the event did, it isn't read.
Result<bson::View> event_of_text(const std::string& text, EventBatch& batch) {
  TIDEMARK_ASSIGN(const bson::Document document, bson::read_json(text));
  if (text.find(kReplacement) != std::string::npos)
    return fail(React::kReject,
                "its text has U+FFFD, which may stand for bytes that the letter's version couldn't say");
  return batch.store(document.view());
}

Result<bson::View> change_event_of(const DeadLetter& letter, EventBatch& batch) {
  if (letter.bytes.empty()) return event_of_text(letter.event, batch);
  TIDEMARK_ASSIGN(
      const bson::View whole,
      bson::View::parse({reinterpret_cast<const uint8_t*>(letter.bytes.data()), letter.bytes.size()}));
  return batch.store(whole);
}

}  // namespace

Result<Event> event_of(const DeadLetter& letter, EventBatch& batch) {
  const auto unreadable = [&](const Error& error) {
    return fail(
        React::kReject, "the event of the dead letter " + letter.id + " can't be read: " + error.what,
        "tidemark dlq show prints what was kept of it; `tidemark audit --repair` delivers a document that "
        "is missing, then discard the letter");
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
