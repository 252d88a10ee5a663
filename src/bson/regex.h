// Regular expressions in filters, by RE2: linear in the text, bounded memory, no recursion over input, so
// that neither a pattern nor a document can hold a pipeline up. RE2 has PCRE's syntax but for look-around and
// back references, which are refused, and `$` without the option m, which here means the very end (PCRE also
// takes the place before a last line feed). Immutable: any thread may use one.
#pragma once

#include <memory>
#include <string_view>

#include "base/result.h"

namespace re2 {
class RE2;
}

namespace tidemark::bson {

class Regex {
 public:
  // `options`: i, m, s, x in any order. Errors carry the server's codes: 51091 for the pattern, 51108 for an
  // option.
  static Result<Regex> parse(std::string_view pattern, std::string_view options);

  // True when the pattern occurs anywhere in `text`.
  bool search(std::string_view text) const;

 private:
  explicit Regex(std::shared_ptr<const re2::RE2> compiled) : compiled_(std::move(compiled)) {}

  std::shared_ptr<const re2::RE2> compiled_;
};

}  // namespace tidemark::bson
