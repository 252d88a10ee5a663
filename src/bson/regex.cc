#include "bson/regex.h"

#include <algorithm>
#include <string>

#include <re2/re2.h>

namespace tidemark::bson {
namespace {

constexpr size_t kPatternBytesMax = 32764;  // the server's limit
constexpr int64_t kMemoryBytesMax = 8 << 20;

// The option x, which RE2 lacks: drops white space and #-comments outside of classes and escapes.
std::string strip_extended(std::string_view pattern) {
  std::string stripped;
  bool in_class = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size()) {
      stripped.append(pattern.substr(i++, 2));
    } else if (!in_class && (c == ' ' || (c >= '\t' && c <= '\r'))) {
      continue;
    } else if (!in_class && c == '#') {
      i = std::min(pattern.find('\n', i), pattern.size());
    } else {
      if (c == '[') in_class = true;
      if (c == ']') in_class = false;
      stripped.push_back(c);
    }
  }
  return stripped;
}

}  // namespace

Result<Regex> Regex::parse(std::string_view pattern, std::string_view options) {
  if (pattern.size() > kPatternBytesMax)
    return fail(React::kConfig, "Regular expression is invalid: regular expression is too large", {}, 51091);
  if (pattern.find('\0') != std::string_view::npos)
    return fail(React::kConfig, "Regular expression cannot contain an embedded null byte", {}, 51109);
  RE2::Options compile(RE2::Quiet);
  compile.set_max_mem(kMemoryBytesMax);
  std::string text(pattern);
  bool multi_line = false;
  for (char option : options) {
    switch (option) {
      case 'i':
        compile.set_case_sensitive(false);
        break;
      case 's':
        compile.set_dot_nl(true);
        break;
      case 'm':
        multi_line = true;
        break;
      case 'x':
        text = strip_extended(text);
        break;
      default:
        return fail(React::kConfig, std::string(" invalid flag in regex options: ") + option, {}, 51108);
    }
  }
  if (multi_line) text.insert(0, "(?m)");
  auto compiled = std::make_shared<const RE2>(text, compile);
  if (!compiled->ok())
    return fail(React::kConfig, "Regular expression is invalid: " + compiled->error(), {}, 51091);
  return Regex(std::move(compiled));
}

bool Regex::search(std::string_view text) const {
  return RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *compiled_);
}

}  // namespace tidemark::bson
