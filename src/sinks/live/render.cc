#include "sinks/live/render.h"

#include <charconv>

#include "bson/json.h"
#include "core/row_plan.h"

namespace tidemark {
namespace {

void append_integer(int64_t value, std::string& out) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out.append(digits, end);
}

// True when it had to be left out.
bool append_bounded(bson::View document, size_t bytes_max, std::string& out) {
  if (!document) {
    out += "null";
    return false;
  }
  const size_t start = out.size();
  if (document.size() <= bytes_max) {
    bson::append_json(document, bson::JsonMode::kRelaxed, out);
    if (out.size() - start <= bytes_max) return false;
  }
  out.resize(start);
  out += "null";
  return true;
}

}  // namespace

void render_feed_event(const Event& event, int64_t sent_ms, size_t document_bytes_max, std::string& out) {
  out += R"({"id":)";
  bson::append_json_string(event.id, out);
  out += R"(,"op":)";
  bson::append_json_string(event.op_name, out);
  out += R"(,"ns":)";
  std::string ns;
  append_ns(event.ns, ns);
  bson::append_json_string(ns, out);
  out += R"(,"time_ms":)";
  append_integer(event.wall_time_ms, out);
  out += R"(,"cluster_time":[)";
  append_integer(event.cluster_time.seconds, out);
  out += ',';
  append_integer(event.cluster_time.increment, out);
  out += R"(],"sent_ms":)";
  append_integer(sent_ms, out);
  out += R"(,"key":)";
  const bool key_left_out = append_bounded(event.key, document_bytes_max, out);
  out += R"(,"doc":)";
  const bool document_left_out = append_bounded(event.after, document_bytes_max, out);
  out += R"(,"truncated":)";
  out += key_left_out || document_left_out ? "true}" : "false}";
}

}  // namespace tidemark
