// The text that PostgreSQL prints for a jsonb value, made here, so that what a row must hold can be compared with what it
// holds without asking the server. jsonb keeps of an object each key once (the last one wins), ordered by the key's length
// and then its bytes; arrays keep their order; numbers and strings are what they were. Pure; an object belongs to one thread
// and reuses its memory.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace tidemark::postgres {

class JsonbText {
 public:
  // Appends the text for `json`. REQUIRES JSON as bson::append_json renders it: no white space, strings escaped exactly
  // where they must be, numbers that are whole, no U+0000.
  void append(std::string_view json, std::string& out);

 private:
  struct Member {
    std::string_view raw;  // the key as it stands in the text, quotes included
    std::string_view key;  // what is compared: without escapes
    const char* value;
  };

  void append_value(const char*& at, const char* end, std::string& out);
  void append_object(const char*& at, const char* end, std::string& out);
  void append_array(const char*& at, const char* end, std::string& out);
  std::string_view unescaped(std::string_view raw);

  std::vector<Member> members_;        // of the objects under way, the outermost first
  std::deque<std::string> unescaped_;  // keys that have escapes; they stay where they are
  size_t unescaped_count_ = 0;
};

}  // namespace tidemark::postgres
