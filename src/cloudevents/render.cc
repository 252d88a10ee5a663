#include "cloudevents/render.h"

#include <charconv>
#include <cmath>
#include <string_view>

#include "bson/json.h"
#include "cloudevents/binary.h"
#include "cloudevents/number.h"
#include "cloudevents/rules.h"

namespace tidemark::cloudevents {
namespace {

constexpr int kRenderDepthMax = 1000;  // a server stops at 200

void append_value(const bson::Element& element, int depth, std::string& out);

// What plain JSON would keep: names that are UTF-8, and items in order.
bool has_plain_names(bson::View document) {
  for (const bson::Element field : document)
    if (!is_utf8(field.key())) return false;
  return true;
}

bool has_plain_keys(bson::View array) {
  char text[24];
  size_t index = 0;
  for (const bson::Element item : array) {
    const auto end = std::to_chars(text, text + sizeof text, index++).ptr;
    if (item.key() != std::string_view(text, static_cast<size_t>(end - text))) return false;
  }
  return true;
}

void append_members(bson::View document, int depth, std::string& out) {
  out.push_back('{');
  bool first = true;
  for (const bson::Element field : document) {
    if (!first) out.push_back(',');
    first = false;
    bson::append_json_string(field.key(), out);
    out.push_back(':');
    append_value(field, depth, out);
  }
  out.push_back('}');
}

void append_items(bson::View array, int depth, std::string& out) {
  out.push_back('[');
  bool first = true;
  for (const bson::Element item : array) {
    if (!first) out.push_back(',');
    first = false;
    append_value(item, depth, out);
  }
  out.push_back(']');
}

void append_double(double value, std::string& out) {
  char text[40];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  const std::string_view digits(text, static_cast<size_t>(end - text));
  out.append(digits);
  // So that it reads back as a double.
  if (digits.find_first_of(".e") == std::string_view::npos) out.append(".0");
}

bool reads_back(std::string_view text, const bson_decimal128_t& decimal) {
  if (!is_number(text)) return false;
  const auto number = exact_number(text);
  const auto* same = number ? std::get_if<bson_decimal128_t>(&*number) : nullptr;
  return same != nullptr && same->high == decimal.high && same->low == decimal.low;
}

void append_date(const bson::Element& element, std::string& out) {
  constexpr int64_t kYear0 = -62167219200000, kYear10000 = 253402300800000;
  const int64_t ms = bson_iter_date_time(&element.iter());
  if (ms < kYear0 || ms >= kYear10000) return bson::append_json_value(element, bson::JsonMode::kRelaxed, out);
  out.push_back('"');
  bson::append_rfc3339(ms, out);
  out.push_back('"');
}

void append_value(const bson::Element& element, int depth, std::string& out) {
  // What plain JSON has no word for is carried in the words of Extended JSON.
  const auto as_extended = [&] { bson::append_json_value(element, bson::JsonMode::kRelaxed, out); };
  if (depth >= kRenderDepthMax) return as_extended();
  switch (element.type()) {
    case BSON_TYPE_DOCUMENT:
      if (!has_plain_names(element.document())) return as_extended();
      return append_members(element.document(), depth + 1, out);
    case BSON_TYPE_ARRAY:
      if (!has_plain_keys(element.document())) return as_extended();
      return append_items(element.document(), depth + 1, out);
    case BSON_TYPE_DOUBLE:
      if (!std::isfinite(bson_iter_double(&element.iter()))) return as_extended();
      return append_double(bson_iter_double(&element.iter()), out);
    case BSON_TYPE_DATE_TIME:
      return append_date(element, out);
    case BSON_TYPE_OID: {
      char text[25];
      bson_oid_to_string(bson_iter_oid(&element.iter()), text);
      return bson::append_json_string(text, out);
    }
    case BSON_TYPE_DECIMAL128: {
      bson_decimal128_t decimal;
      char text[BSON_DECIMAL128_STRING] = "";
      if (bson_iter_decimal128(&element.iter(), &decimal)) bson_decimal128_to_string(&decimal, text);
      // Bare where it reads back as the very same: what came in as a number goes out as one.
      if (!reads_back(text, decimal)) return bson::append_json_string(text, out);
      out.append(text);
      return;
    }
    case BSON_TYPE_BINARY: {
      const std::span<const uint8_t> bytes = element.binary().bytes;
      out.push_back('"');
      append_base64({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, out);
      out.push_back('"');
      return;
    }
    case BSON_TYPE_INT64:
    case BSON_TYPE_INT32: {
      char text[24];
      const auto end = std::to_chars(text, text + sizeof text, *element.integer()).ptr;
      out.append(text, end);
      return;
    }
    default:  // strings, booleans and null are the same in Extended JSON; what is left has no other form
      return bson::append_json_value(element, bson::JsonMode::kRelaxed, out);
  }
}

bool has_text(bson::View document, std::string_view name) {
  const auto field = document.find(name);
  return field && field->is_string() && !field->string().empty() && is_utf8(field->string());
}

// A name as a segment of a URI's path (RFC 3986: unreserved characters stay).
void append_segment(std::string_view name, std::string& out) {
  constexpr char kHex[] = "0123456789ABCDEF";
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    const bool stays = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       (c != '\0' && std::string_view("-._~").find(c) != std::string_view::npos);
    if (stays) {
      out.push_back(c);
    } else {
      out.push_back('%');
      out.push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 15]);
    }
  }
}

void append_namespace(const Namespace& ns, std::string& out) {
  out.append("{\"db\":");
  bson::append_json_text(ns.database, out);
  if (!ns.collection.empty()) {
    out.append(",\"coll\":");
    bson::append_json_text(ns.collection, out);
  }
  out.push_back('}');
}

}  // namespace

bool is_cloudevent(bson::View document) {
  const auto version = document.find("specversion");
  return version && version->is_string() && version->string() == "1.0" && has_text(document, "id") &&
         has_text(document, "source") && has_text(document, "type") && has_plain_names(document);
}

void render(bson::View cloudevent, std::string& out) { append_members(cloudevent, 0, out); }

void render_change_event(const Event& event, std::string& out) {
  out.append("{\"specversion\":\"1.0\",\"id\":");
  bson::append_json_string(event.id, out);
  out.append(",\"source\":\"/mongodb/");
  append_segment(event.ns.database, out);
  if (!event.ns.collection.empty()) {
    out.push_back('/');
    append_segment(event.ns.collection, out);
  }
  out.append("\",\"type\":\"tidemark.");
  append_segment(event.op_name.empty() ? "other" : event.op_name, out);
  out.push_back('"');
  constexpr int64_t kYear10000 = 253402300800000;
  if (event.wall_time_ms > 0 && event.wall_time_ms < kYear10000) {
    out.append(",\"time\":\"");
    bson::append_rfc3339(event.wall_time_ms, out);
    out.push_back('"');
  }
  out.append(",\"datacontenttype\":\"application/json\",\"data\":{\"ns\":");
  append_namespace(event.ns, out);
  if (!event.to.database.empty()) {
    out.append(",\"to\":");
    append_namespace(event.to, out);
  }
  const auto part = [&out](std::string_view name, bson::View document) {
    if (!document) return;
    out.append(",\"").append(name).append("\":");
    bson::append_json(document, bson::JsonMode::kRelaxed, out);
  };
  part("key", event.key);
  part("document", event.after);
  part("update", event.update);
  out.append("}}");
}

void render_message(const Event& event, std::string& out) {
  if (!event.payload.empty() && !event.edited)
    out.append(event.payload);
  else if (event.after && is_cloudevent(event.after))
    render(event.after, out);
  else
    render_change_event(event, out);
}

}  // namespace tidemark::cloudevents
