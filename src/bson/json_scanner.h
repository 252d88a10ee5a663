// The tokens of a JSON text, strictly (RFC 8259, UTF-8 to the byte), decoded to the end of a buffer. The lower half of
// bson/json_reader.cc, private to it. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidemark::bson {

// Every function that returns bool is false where it failed; error() then says why, and near which byte.
class JsonScanner {
 public:
  JsonScanner(std::string_view json, std::string& out) : json_(json), out_(out) {}

  Error error() const;

 protected:
  bool fail(const char* why) {
    why_ = why;
    return false;
  }
  bool at_end() {
    skip_blanks();
    return at_ == json_.size();
  }
  // What stands next, blanks left out. REQUIRES !at_end().
  char peek() const { return json_[at_]; }
  void skip_blanks() {
    while (at_ < json_.size() &&
           (json_[at_] == ' ' || json_[at_] == '\n' || json_[at_] == '\r' || json_[at_] == '\t'))
      ++at_;
  }
  // Takes `c`, and the blanks before it, when it is next; no failure otherwise.
  bool take(char c) {
    if (at_end() || json_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool take_word(std::string_view word);
  // The digits that stand next; empty when there are none.
  std::string_view take_digits();

  // Appends what a string says.
  bool string();
  // The bytes of a string of twice `count` hexadecimal digits.
  bool hex(size_t count);
  // The bytes of a string in canonical base64 (RFC 4648: padded, unused bits zero).
  bool base64();

  std::string_view json_;
  std::string& out_;

 private:
  bool escape();
  bool code_point();
  std::optional<uint32_t> four_digits();

  size_t at_ = 0;
  const char* why_ = "";
};

}  // namespace tidemark::bson
