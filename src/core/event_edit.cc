#include "core/event_edit.h"

namespace tidemark {
namespace {

// What stands in for the field of this name; "no document" when it stays.
bson::View replacement(const EventEdit& edit, std::string_view key) {
  if (key == "documentKey") return edit.key;
  if (key == "fullDocumentBeforeChange") return edit.before;
  if (key == "fullDocument") return edit.after;
  if (key == "updateDescription") return edit.update;
  return {};
}

}  // namespace

Status apply_edit(Event& event, const EventEdit& edit, EventBatch& batch) {
  if (edit.empty()) return {};
  bson::Builder raw;
  for (const bson::Element field : event.raw) {
    const bson::View changed = field.is_document() ? replacement(edit, field.key()) : bson::View();
    if (changed)
      raw.append(field.key(), changed);
    else
      raw.append(field.key(), field);
  }
  TIDEMARK_ASSIGN(Event rebuilt, parse_change_event(batch.store(raw.view())));
  rebuilt.after_extra = event.after_extra + event.raw.size();
  rebuilt.reject_reason = event.reject_reason;
  rebuilt.payload = event.payload;
  rebuilt.attempts = event.attempts;
  rebuilt.malformed = event.malformed;
  rebuilt.edited = true;
  rebuilt.received = event.received ? event.received : event.raw;
  rebuilt.hidden = event.hidden;
  event = rebuilt;
  return {};
}

}  // namespace tidemark
