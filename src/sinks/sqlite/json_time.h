// The time at a dotted path of a document that is canonical Extended JSON, found in the text itself: building the document
// for it would cost more than everything else an audit does with a row. The same as time_in() says of the document the text
// was made from, but for two things that its text doesn't tell apart: an embedded document {"$date": ...} counts as a date,
// and the like. Pure; one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidemark::sqlite {

class JsonTime {
 public:
  explicit JsonTime(std::string_view path);

  // Empty for what is no canonical Extended JSON as well.
  std::optional<int64_t> in(std::string_view json) const;

 private:
  struct Step {
    std::string key;  // as it stands in the text, quotes included
    std::string name;
  };
  std::vector<Step> steps_;
};

}  // namespace tidemark::sqlite
