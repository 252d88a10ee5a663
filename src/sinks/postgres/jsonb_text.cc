#include "sinks/postgres/jsonb_text.h"

#include <algorithm>
#include <cstddef>

namespace tidemark::postgres {
namespace {

// Behind the string that begins at `at`.
const char* after_string(const char* at, const char* end) {
  for (++at; at < end && *at != '"'; ++at)
    if (*at == '\\') ++at;
  return at < end ? at + 1 : end;
}

// Behind the value that begins at `at`.
const char* after_value(const char* at, const char* end) {
  int depth = 0;
  while (at < end) {
    const char c = *at;
    if (c == '"') {
      at = after_string(at, end);
      if (depth == 0) return at;
      continue;
    }
    if (depth == 0 && (c == ',' || c == '}' || c == ']')) return at;
    ++at;
    if (c == '{' || c == '[') ++depth;
    if ((c == '}' || c == ']') && --depth == 0) return at;
  }
  return end;
}

int hex_digit(char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; }

}  // namespace

void JsonbText::append(std::string_view json, std::string& out) {
  members_.clear();
  unescaped_count_ = 0;
  const char* at = json.data();
  append_value(at, json.data() + json.size(), out);
}

void JsonbText::append_value(const char*& at, const char* end, std::string& out) {
  if (at < end && *at == '{') return append_object(at, end, out);
  if (at < end && *at == '[') return append_array(at, end, out);
  const char* start = at;
  at = after_value(at, end);
  out.append(start, at);
}

void JsonbText::append_array(const char*& at, const char* end, std::string& out) {
  ++at;
  out.push_back('[');
  for (bool first = true; at < end && *at != ']'; first = false) {
    if (!first) out.append(", ");
    append_value(at, end, out);
    if (at < end && *at == ',') ++at;
  }
  ++at;
  out.push_back(']');
}

void JsonbText::append_object(const char*& at, const char* end, std::string& out) {
  const size_t base = members_.size();
  ++at;
  while (at < end && *at != '}') {
    const char* key_end = after_string(at, end);
    const std::string_view raw(at, static_cast<size_t>(key_end - at));
    const char* value = std::min(key_end + 1, end);
    members_.push_back({raw, unescaped(raw), value});
    at = after_value(value, end);
    if (at < end && *at == ',') ++at;
  }
  at = std::min(at + 1, end);
  if (members_.size() - base > 1) {
    std::sort(members_.begin() + static_cast<ptrdiff_t>(base), members_.end(),
              [](const Member& a, const Member& b) {
                if (a.key.size() != b.key.size()) return a.key.size() < b.key.size();
                const int order = a.key.compare(b.key);
                return order != 0 ? order < 0 : a.value < b.value;
              });
  }
  out.push_back('{');
  const size_t count = members_.size();
  bool first = true;
  for (size_t i = base; i < count; ++i) {
    if (i + 1 < count && members_[i].key == members_[i + 1].key) continue;
    if (!first) out.append(", ");
    first = false;
    out.append(members_[i].raw).append(": ");
    const char* value = members_[i].value;
    append_value(value, end, out);
  }
  out.push_back('}');
  members_.resize(base);
}

std::string_view JsonbText::unescaped(std::string_view raw) {
  const std::string_view inner = raw.size() < 2 ? std::string_view() : raw.substr(1, raw.size() - 2);
  if (inner.find('\\') == std::string_view::npos) return inner;
  if (unescaped_.size() == unescaped_count_) unescaped_.emplace_back();
  std::string& key = unescaped_[unescaped_count_++];
  key.clear();
  for (size_t i = 0; i < inner.size(); ++i) {
    if (inner[i] != '\\' || i + 1 >= inner.size()) {
      key.push_back(inner[i]);
      continue;
    }
    switch (const char c = inner[++i]) {
      case 'b':
        key.push_back('\b');
        break;
      case 'f':
        key.push_back('\f');
        break;
      case 'n':
        key.push_back('\n');
        break;
      case 'r':
        key.push_back('\r');
        break;
      case 't':
        key.push_back('\t');
        break;
      case 'u':  // of a control character: \u00XX
        if (i + 4 < inner.size())
          key.push_back(static_cast<char>(hex_digit(inner[i + 3]) << 4 | hex_digit(inner[i + 4])));
        i += 4;
        break;
      default:
        key.push_back(c);
    }
  }
  return key;
}

}  // namespace tidemark::postgres
