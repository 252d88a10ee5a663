// Document::from_json: Extended JSON as people write it, by libbson, but for one thing. To libbson `$type` is the second half of
// the legacy form of a binary, {"$binary": ..., "$type": ...}, wherever it stands; in a query it is an operator. So where an
// object has no `$binary`, the name is hidden from libbson and put back afterwards.
#include <algorithm>
#include <string>
#include <vector>

#include "bson/document.h"

namespace tidemark::bson {
namespace {

constexpr std::string_view kName = "\"$type\"";
constexpr std::string_view kBinary = "\"$binary\"";
constexpr std::string_view kHidden = "\xef\xa3\xbftype";  // U+F8FF, for private use, in place of the `$`

// Where the string that begins at `at` ends, behind its quote.
size_t string_end(std::string_view json, size_t at) {
  for (size_t i = at + 1; i < json.size(); ++i) {
    if (json[i] == '\\')
      ++i;
    else if (json[i] == '"')
      return i + 1;
  }
  return json.size();
}

bool is_name(std::string_view json, size_t end) {
  const size_t next = json.find_first_not_of(" \t\r\n", end);
  return next != std::string_view::npos && json[next] == ':';
}

// Where names `$type` stand in objects that have no `$binary`, in order.
std::vector<size_t> operators_in(std::string_view json) {
  struct Object {
    std::vector<size_t> types;
    bool binary = false;
  };
  std::vector<Object> open;
  std::vector<size_t> found;
  for (size_t i = 0; i < json.size();) {
    if (json[i] == '"') {
      const size_t end = string_end(json, i);
      const std::string_view text = json.substr(i, end - i);
      if (!open.empty() && (text == kName || text == kBinary) && is_name(json, end)) {
        if (text == kBinary)
          open.back().binary = true;
        else
          open.back().types.push_back(i);
      }
      i = end;
      continue;
    }
    if (json[i] == '{') open.emplace_back();
    if (json[i] == '}' && !open.empty()) {
      if (!open.back().binary) found.insert(found.end(), open.back().types.begin(), open.back().types.end());
      open.pop_back();
    }
    ++i;
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::string with_hidden(std::string_view json, const std::vector<size_t>& places) {
  std::string text;
  size_t done = 0;
  for (const size_t at : places) {
    text.append(json.substr(done, at - done)).append("\"").append(kHidden).append("\"");
    done = at + kName.size();
  }
  return text.append(json.substr(done));
}

void show_again(View from, bool array, Builder& to) {
  for (const Element field : from) {
    const std::string_view name = !array && field.key() == kHidden ? std::string_view("$type") : field.key();
    if (!field.is_document() && !field.is_array()) {
      to.append(name, field);
      continue;
    }
    Builder inner;
    show_again(field.document(), field.is_array(), inner);
    if (field.is_array())
      to.append_array(name, inner.view());
    else
      to.append(name, inner.view());
  }
}

Result<Document> parse(std::string_view json) {
  bson_error_t error;
  bson_t doc;
  if (!bson_init_from_json(&doc, json.data(), static_cast<ssize_t>(json.size()), &error))
    return fail(React::kReject, std::string("not Extended JSON: ") + error.message);
  Document result(&doc);
  bson_destroy(&doc);
  return result;
}

}  // namespace

Result<Document> Document::from_json(std::string_view json) {
  // An empty text has no document, yet libbson would take a zero length for "until the terminator".
  if (json.empty()) return fail(React::kReject, "not Extended JSON: the text is empty");
  if (json.find(kName) == std::string_view::npos || json.find(kHidden) != std::string_view::npos)
    return parse(json);
  const std::vector<size_t> places = operators_in(json);
  if (places.empty()) return parse(json);
  TIDEMARK_ASSIGN(const Document hidden, parse(with_hidden(json, places)));
  Builder shown;
  show_again(hidden.view(), false, shown);
  return shown.finish();
}

}  // namespace tidemark::bson
