#include "sinks/file/format.h"

#include <chrono>
#include <cstdio>

#include "bson/json.h"

namespace tidemark {
namespace {

using bson::JsonMode;

void append_string_field(std::string_view name, std::string_view value, std::string& out) {
  bson::append_json_string(name, out);
  out += ':';
  bson::append_json_string(value, out);
}

// A name of the user's, which need not be UTF-8: it reads back whatever it is.
void append_name_field(std::string_view name, std::string_view value, std::string& out) {
  bson::append_json_string(name, out);
  out += ':';
  bson::append_json_text(value, out);
}

void append_number_field(std::string_view name, int64_t value, std::string& out) {
  bson::append_json_string(name, out);
  out += ':';
  out += std::to_string(value);
}

// Debezium knows four operations; the others keep the server's name, because dropping them would hide a
// change.
std::string_view debezium_op(const Event& event) {
  switch (event.op) {
    case Op::kInsert:
      return "c";
    case Op::kUpdate:
    case Op::kReplace:
      return "u";
    case Op::kDelete:
      return "d";
    default:
      return event.op_name;
  }
}

// A path segment of a URI reference (RFC 3986): everything but the unreserved characters as %XX.
void append_uri_segment(std::string_view text, std::string& out) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      out += c;
    } else {
      out += '%';
      out += kDigits[static_cast<unsigned char>(c) >> 4];
      out += kDigits[static_cast<unsigned char>(c) & 15];
    }
  }
}

}  // namespace

std::string rfc3339(int64_t ms_since_epoch) {
  using std::chrono::days, std::chrono::floor, std::chrono::milliseconds, std::chrono::sys_time;
  const sys_time<milliseconds> time{milliseconds(ms_since_epoch)};
  constexpr int64_t kYear0 = -62'167'219'200'000, kYear10000 = 253'402'300'800'000;
  if (ms_since_epoch < kYear0 || ms_since_epoch >= kYear10000) return {};
  const auto day = floor<days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  return text;
}

LineFormatter::LineFormatter(FileFormat format, std::string pipeline, const Clock& clock)
    : format_(format), pipeline_(std::move(pipeline)), clock_(clock) {}

void LineFormatter::append(const Event& event, std::string& out) {
  switch (format_) {
    case FileFormat::kExtJson:
      bson::append_json(event.raw, JsonMode::kCanonical, out);
      break;
    case FileFormat::kDebezium:
      append_debezium(event, out);
      break;
    case FileFormat::kCloudEvents:
      append_cloud_event(event, out);
      break;
  }
  out += '\n';
}

void LineFormatter::append_quoted_document(bson::View document, std::string& out) {
  if (!document) {
    out += "null";
    return;
  }
  scratch_.clear();
  bson::append_json(document, JsonMode::kCanonical, scratch_);
  bson::append_json_string(scratch_, out);
}

void LineFormatter::append_debezium(const Event& event, std::string& out) {
  // Debezium puts the key beside the value, into the Kafka record; a line has no such place, and a delete
  // without a pre-image would name no document.
  out += "{\"key\":";
  append_quoted_document(event.key, out);
  out += ",\"before\":";
  append_quoted_document(event.before, out);
  out += ",\"after\":";
  append_quoted_document(event.after, out);
  out += ",\"updateDescription\":";
  append_debezium_update(event.update, out);
  out += ",\"source\":";
  append_debezium_source(event, out);
  out += ',';
  append_string_field("op", debezium_op(event), out);
  out += ',';
  append_number_field("ts_ms", clock_.wall_ms(), out);
  if (!event.has_document()) {
    // A rename's target, an index's keys: what no field of the envelope can say.
    out += ",\"event\":";
    append_quoted_document(event.raw, out);
  }
  out += ",\"transaction\":null}";
}

void LineFormatter::append_debezium_update(bson::View update, std::string& out) {
  if (!update) {
    out += "null";
    return;
  }
  const auto array = [&](std::string_view name) {
    const auto found = update.find(name);
    if (found && found->is_array())
      bson::append_json_array(found->document(), JsonMode::kCanonical, out);
    else
      out += "null";
  };
  out += "{\"removedFields\":";
  array("removedFields");
  out += ",\"updatedFields\":";
  const auto updated = update.find("updatedFields");
  append_quoted_document(updated && updated->is_document() ? updated->document() : bson::View(), out);
  out += ",\"truncatedArrays\":[";
  if (const auto truncated = update.find("truncatedArrays"); truncated && truncated->is_array()) {
    bool first = true;
    for (const bson::Element item : truncated->document()) {
      const auto field = item.is_document() ? item.document().find("field") : std::nullopt;
      const auto size = item.is_document() ? item.document().find("newSize") : std::nullopt;
      if (!field || !field->is_string() || !size) continue;
      out += first ? "{" : ",{";
      append_name_field("field", field->string(), out);
      out += ',';
      append_number_field("size", size->integer().value_or(0), out);
      out += '}';
      first = false;
    }
  }
  out += "]}";
}

void LineFormatter::append_debezium_source(const Event& event, std::string& out) {
  out += "{";
  append_string_field("version", TIDEMARK_VERSION, out);
  out += ",\"connector\":\"mongodb\",";
  append_string_field("name", pipeline_, out);
  out += ',';
  append_number_field("ts_ms", int64_t{event.cluster_time.seconds} * 1000, out);
  out += ",\"snapshot\":\"false\",";
  append_name_field("db", event.ns.database, out);
  out += ",\"sequence\":null,";
  append_name_field("collection", event.ns.collection, out);
  out += ',';
  append_number_field("ord", event.cluster_time.increment, out);
  out += ",\"lsid\":null,\"txnNumber\":null,";
  append_number_field("wallTime", event.wall_time_ms, out);
  out += ',';
  append_string_field("resume_token", event.id, out);
  out += '}';
}

void LineFormatter::append_cloud_event(const Event& event, std::string& out) {
  out += "{\"specversion\":\"1.0\",";
  append_string_field("id", event.id, out);
  scratch_ = "/tidemark/";
  append_uri_segment(pipeline_, scratch_);
  for (const std::string_view part : {event.ns.database, event.ns.collection}) {
    if (part.empty()) break;
    scratch_ += '/';
    append_uri_segment(part, scratch_);
  }
  out += ',';
  append_string_field("source", scratch_, out);
  scratch_ = "tidemark.change.";
  scratch_ += event.op_name.empty() ? std::string_view("unknown") : event.op_name;
  out += ',';
  append_string_field("type", scratch_, out);
  if (const auto id = event.key.find("_id")) {
    scratch_.clear();
    bson::append_json_value(*id, JsonMode::kCanonical, scratch_);
    out += ',';
    append_string_field("subject", scratch_, out);
  }
  if (const std::string time = rfc3339(event.wall_time_ms); !time.empty()) {
    out += ',';
    append_string_field("time", time, out);
  }
  out += ",\"datacontenttype\":\"application/json\",\"data\":";
  bson::append_json(event.raw, JsonMode::kCanonical, out);
  out += '}';
}

}  // namespace tidemark
