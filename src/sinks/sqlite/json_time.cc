#include "sinks/sqlite/json_time.h"

#include <charconv>
#include <cstring>

#include "bson/json.h"

namespace tidemark::sqlite {
namespace {

// A place in a text that is taken for well-formed JSON without white space; what isn't ends at the text's end.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  bool take(char c) {
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }
  bool take(std::string_view text) {
    if (static_cast<size_t>(end_ - at_) < text.size() || std::memcmp(at_, text.data(), text.size()) != 0)
      return false;
    at_ += text.size();
    return true;
  }
  // A string, with its quotes; empty when there is none.
  std::string_view string() {
    const char* start = at_;
    if (!take('"')) return {};
    // Most strings have no escapes, and most of a document is strings: looked for by the C library, many bytes at a time.
    for (const char* quote = find('"', end_); quote != end_;) {
      const char* escape = find('\\', quote);
      if (escape == quote) {
        at_ = quote + 1;
        return {start, static_cast<size_t>(at_ - start)};
      }
      if (end_ - escape <= 2) break;
      at_ = escape + 2;
      if (at_ > quote) quote = find('"', end_);
    }
    at_ = end_;
    return {};
  }
  void skip_value() {
    int depth = 0;
    while (at_ < end_) {
      const char c = *at_;
      if (c == '"') {
        string();
        if (depth == 0) return;
        continue;
      }
      if (depth == 0 && (c == ',' || c == '}' || c == ']')) return;
      ++at_;
      if (c == '{' || c == '[') ++depth;
      if ((c == '}' || c == ']') && --depth == 0) return;
    }
  }
  template <class Number>
  std::optional<Number> number() {
    Number value = 0;
    const auto [end, error] = std::from_chars(at_, end_, value);
    if (error != std::errc()) return std::nullopt;
    at_ = end;
    return value;
  }

 private:
  // `end` when there is none.
  const char* find(char c, const char* end) const {
    const void* found = std::memchr(at_, c, static_cast<size_t>(end - at_));
    return found == nullptr ? end : static_cast<const char*>(found);
  }

  const char* at_;
  const char* end_;
};

// Puts the cursor at the value of the member or item of this name.
bool enter(Cursor& at, const std::string& key, const std::string& name) {
  if (at.take('{')) {
    if (at.take('}')) return false;
    do {
      const std::string_view found = at.string();
      if (found.empty() || !at.take(':')) return false;
      if (found == key) return true;
      at.skip_value();
    } while (at.take(','));
    return false;
  }
  if (!at.take('[') || at.take(']')) return false;
  size_t index = 0;
  do {
    if (std::to_string(index++) == name) return true;
    at.skip_value();
  } while (at.take(','));
  return false;
}

std::optional<int64_t> time_of(Cursor at) {
  if (at.take(R"({"$date":{"$numberLong":")")) {
    const auto ms = at.number<int64_t>();
    return ms && at.take("\"}}") ? ms : std::nullopt;
  }
  if (at.take(R"({"$timestamp":{"t":)")) {
    const auto seconds = at.number<uint32_t>();
    if (!seconds || !at.take(",\"i\":") || !at.number<uint32_t>() || !at.take("}}")) return std::nullopt;
    return int64_t{*seconds} * 1000;
  }
  if (!at.take(R"({"$oid":)")) return std::nullopt;
  const std::string_view oid = at.string();
  constexpr size_t kQuoted = 26;
  if (oid.size() != kQuoted || !at.take('}')) return std::nullopt;
  uint32_t seconds = 0;
  const auto [end, error] = std::from_chars(oid.data() + 1, oid.data() + 9, seconds, 16);
  if (error != std::errc() || end != oid.data() + 9) return std::nullopt;
  return int64_t{seconds} * 1000;
}

}  // namespace

JsonTime::JsonTime(std::string_view path) {
  while (true) {
    const size_t dot = path.find('.');
    Step step;
    step.name = path.substr(0, dot);
    bson::append_json_string(step.name, step.key);
    steps_.push_back(std::move(step));
    if (dot == std::string_view::npos) return;
    path.remove_prefix(dot + 1);
  }
}

std::optional<int64_t> JsonTime::in(std::string_view json) const {
  Cursor at(json);
  for (const Step& step : steps_)
    if (!enter(at, step.key, step.name)) return std::nullopt;
  return time_of(at);
}

}  // namespace tidemark::sqlite
