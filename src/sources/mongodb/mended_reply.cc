#include "sources/mongodb/mended_reply.h"

namespace tidemark::mongodb {
namespace {

using Fields = std::optional<std::vector<bson::OuterField>>;

// Levels that the values of an event, and an event itself, may have: the reply, the cursor and the array lie above.
constexpr int kEventLevels = bson::kDepthMax - 3, kValueLevels = kEventLevels - 1;

void append_binary(bson::Builder& out, std::string_view key, std::span<const uint8_t> bytes) {
  bson_append_binary(out.raw(), key.data(), static_cast<int>(key.size()), BSON_SUBTYPE_USER, bytes.data(),
                     static_cast<uint32_t>(bytes.size()));
}

// An event without fields when not even its outermost level can be told: it has no token then, and that is said.
bson::Document mend_event(std::span<const uint8_t> bytes) {
  bson::Builder event;
  const Fields fields = bson::outer_fields(bytes);
  if (!fields) return event.finish();
  for (const bson::OuterField& field : *fields) {
    if (bson::is_framed_value(field.type, field.value, kValueLevels))
      event.append_raw(field.key, field.type, field.value);
    else
      append_binary(event, field.key, field.value);
  }
  return event.finish();
}

bool mend_batch(std::span<const uint8_t> bytes, bson::Builder& out, std::vector<std::string>& flaws) {
  const Fields items = bson::outer_fields(bytes);
  if (!items) return false;
  for (const bson::OuterField& item : *items) {
    flaws.emplace_back();
    if (bson::is_framed_value(item.type, item.value, kEventLevels)) {
      out.append_raw(item.key, item.type, item.value);
      continue;
    }
    if (item.type != BSON_TYPE_DOCUMENT) return false;
    const auto flaw = bson::find_framing_flaw(item.value, kEventLevels);
    flaws.back() = "the event can't be read";
    if (flaw && !flaw->path.empty()) flaws.back() += ": in its field \"" + flaw->path + "\", " + flaw->what;
    out.append(item.key, mend_event(item.value));
  }
  return true;
}

bool mend_cursor(std::span<const uint8_t> bytes, bson::Builder& out, std::vector<std::string>& flaws) {
  const Fields parts = bson::outer_fields(bytes);
  if (!parts) return false;
  for (const bson::OuterField& part : *parts) {
    const bool batch = part.key == "nextBatch" || part.key == "firstBatch";
    if (batch && part.type == BSON_TYPE_ARRAY) {
      bson::Builder events;
      if (!mend_batch(part.value, events, flaws)) return false;
      out.append_array(part.key, events.view());
    } else if (bson::is_framed_value(part.type, part.value, kEventLevels)) {
      out.append_raw(part.key, part.type, part.value);
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace

std::optional<MendedReply> mend_reply(std::span<const uint8_t> bytes) {
  const Fields fields = bson::outer_fields(bytes);
  if (!fields) return std::nullopt;
  MendedReply mended;
  bson::Builder reply;
  for (const bson::OuterField& field : *fields) {
    if (field.key == "cursor" && field.type == BSON_TYPE_DOCUMENT) {
      bson::Builder cursor;
      if (!mend_cursor(field.value, cursor, mended.flaws)) return std::nullopt;
      reply.append(field.key, cursor.view());
    } else if (bson::is_framed_value(field.type, field.value, kEventLevels)) {
      reply.append_raw(field.key, field.type, field.value);
    } else {
      return std::nullopt;
    }
  }
  mended.reply = reply.finish();
  return mended;
}

}  // namespace tidemark::mongodb
