#include "core/event_name.h"

#include "base/human.h"
#include "bson/json.h"
#include "core/row_plan.h"

namespace tidemark {

std::string name_of_document(const Event& event) {
  if (event.ns.database.empty()) return {};
  std::string name(event.op_name.empty() ? std::string_view("event") : event.op_name);
  name.append(" of ");
  std::string place;
  append_ns(event.ns, place);
  name.append(printable(place));
  const auto id = event.key.find("_id");
  if (!id) return name;
  std::string text;
  bson::append_json_value(*id, bson::JsonMode::kCanonical, text);
  if (text.size() > kShownIdBytesMax) {
    size_t end = kShownIdBytesMax;
    // Not in the middle of a character.
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    text.resize(end);
    text.append("...");
  }
  return name.append(", _id ").append(text);
}

std::string undeliverable(const Event& event, std::string_view reason) {
  std::string text = "event " + std::string(event.id);
  if (const std::string name = name_of_document(event); !name.empty())
    text.append(" (").append(name).append(")");
  return text.append(" can't be delivered: ").append(reason);
}

std::string reason_of_letter(const Event& event, std::string_view reason) {
  std::string text = name_of_document(event);
  if (!text.empty()) text.append(": ");
  return text.append(reason);
}

}  // namespace tidemark
