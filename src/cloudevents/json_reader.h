// JSON text into BSON builders, strictly: the part of the parser that knows simdjson. One object, one thread, reused
// from text to text.
//
// Strict means: RFC 8259 and UTF-8 to the byte, no name twice in an object, no U+0000 in a name, no more than
// kDepthMax levels, no number that no type of BSON holds exactly (number.h).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <bson/bson.h>
#include <simdjson.h>

namespace tidemark::cloudevents {

namespace ondemand = simdjson::ondemand;

class JsonReader {
 public:
  // Why the last call failed: `where` "" for the whole text, else "a.b[2]" below the place that was read.
  struct Failure {
    std::string where;
    std::string what;
  };

  // Copies the text beside the room that simdjson wants behind it, and finds its structure. False = failure(). The
  // document is valid until the next call.
  bool open(std::string_view json);
  ondemand::document& document() { return document_; }
  // The text as copied; offsets in it are offsets in the caller's.
  std::string_view text() const { return {text_.data(), size_}; }
  // Where reading stands, as an offset.
  size_t offset();
  // Nothing but blanks follows the root value. REQUIRES that it was read to its end.
  bool at_end();
  // Drops memory that only an unusually large text needed.
  void shrink();

  // Appends one value under `key`; `depth` is the level of the object it is a member of, the root being 1. False =
  // failure(), its place below this value: the caller puts the value's own name in front.
  bool append(ondemand::value value, std::string_view key, bson_t* out, size_t depth);
  // Puts a step in front of the failure's place while reading unwinds. Always false.
  bool below_name(std::string_view name);
  bool below_index(uint32_t index);
  // `names` of one object: false when one is there twice. Sorts a copy when there are many.
  bool all_different(size_t first);
  std::vector<std::string_view>& names() { return names_; }

  const Failure& failure() const { return failure_; }
  bool fail_syntax(simdjson::error_code error);
  bool fail_value(std::string what);

 private:
  bool append_object(ondemand::value value, std::string_view key, bson_t* out, size_t depth);
  bool append_members(ondemand::object object, bson_t* out, size_t depth);
  bool append_array(ondemand::value value, std::string_view key, bson_t* out, size_t depth);
  bool append_items(ondemand::array array, bson_t* out, size_t depth);
  bool append_number(ondemand::value value, std::string_view key, bson_t* out);
  bool appended(bool ok);

  ondemand::parser parser_;
  ondemand::document document_;
  std::string text_;
  size_t size_ = 0;
  std::vector<std::string_view> names_;  // of the objects being read, the innermost last
  bool syntax_ = false;
  Failure failure_;
};

}  // namespace tidemark::cloudevents
