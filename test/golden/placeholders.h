// The templates of recorded.jsonl: documents in which what varies from run to run is a text that begins with
// '%'.
//
//   %str %int %long %double %date %ts %oid %bin   any value of this type
//   %c1     a cursor's id: bound at its first occurrence in a reply, the same value everywhere after
//   %t1     a clusterTime, likewise
//   %E1 %I1 %H1   the text of a resume token, likewise: of an event, of an invalidate, a high-water mark
//   %S0     in commands: the id of a session       %x9  in commands: a text of 9 letters       %future  a
//   time in the future
//
// In errmsg, '*' stands for any text. Owned and used by one test.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "bson/document.h"

namespace tidemark::golden {

// One thing in which a reply isn't as it was recorded: where, as `cursor.nextBatch[0].ns`, and what.
struct Difference {
  std::string path;
  std::string what;
};

class Bindings {
 public:
  // `command` with its placeholders filled in. Unbound ones are an assertion of the test: they come back as
  // they are.
  bson::Document fill(bson::View command) const;
  // Compares names, order, types and values; `expected` may hold placeholders, which are bound or compared.
  // `ordered` false: the order of the outermost fields doesn't count.
  std::vector<Difference> compare(bson::View expected, bson::View actual, bool ordered = true);

 private:
  void fill_value(std::string_view name, const bson::Element& value, bson_t* out) const;
  void fill_fields(bson::View from, bson_t* out) const;
  void compare_fields(const std::string& path, bson::View expected, bson::View actual, bool ordered);
  void compare_value(const std::string& path, const bson::Element& expected, const bson::Element& actual);
  void compare_placeholder(const std::string& path, const std::string& name, const bson::Element& actual);
  void differ(const std::string& path, std::string what) { differences_.push_back({path, std::move(what)}); }

  std::map<std::string, bson::Document, std::less<>> bound_;  // {"": value}
  std::vector<Difference> differences_;
};

// '*' in `pattern` stands for any text.
bool matches_glob(std::string_view pattern, std::string_view text);

}  // namespace tidemark::golden
