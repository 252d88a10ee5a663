#include "sandbox/store/sort.h"

#include <algorithm>

#include "bson/compare.h"
#include "sandbox/store/path_values.h"
#include "sandbox/store/shell_text.h"

namespace tidemark::sandbox {
namespace {

constexpr size_t kPartsMax = 32;

// The key of the least item along the path, or the greatest.
std::string extreme_key(bson::View document, std::string_view path, bool greatest) {
  std::string best;
  bool found = false;
  visit_path(document, path, true, [&](const bson::Element* value) {
    std::string key;
    if (value != nullptr)
      bson::canonical_key(*value, key);
    else
      bson::canonical_key_of_null(key);
    if (!found || (greatest ? best < key : key < best)) best = std::move(key);
    found = true;
  });
  // An empty array sorts below null, where undefined stands: its bracket byte alone.
  if (!found) best = std::string(1, static_cast<char>(bson::canonical_type(BSON_TYPE_UNDEFINED) + 2));
  return best;
}

}  // namespace

Reply<SortOrder> SortOrder::parse(bson::View spec) {
  SortOrder order;
  if (!spec) return order;
  for (const bson::Element field : spec) {
    if (field.is_document()) {
      const bool meta = field.document().find("$meta").has_value();
      return command_error(meta ? kNotImplemented : 15974,
                           meta ? "$meta sorts are not implemented by the sandbox"
                                : "Illegal key in $sort specification: " + std::string(field.key()) + ": " +
                                      shell_text(field));
    }
    const int64_t direction = field.is_number() ? field.integer().value_or(0) : 0;
    if (!field.is_number())
      return command_error(15974, "Illegal key in $sort specification: " + std::string(field.key()) + ": " +
                                      shell_text(field));
    if (direction != 1 && direction != -1)
      return command_error(15975, "$sort key ordering must be 1 (for ascending) or -1 (for descending)");
    if (field.key().empty()) return command_error(15976, "FieldPath cannot be constructed with empty string");
    order.parts_.push_back({std::string(field.key()), direction == -1});
  }
  if (order.parts_.size() > kPartsMax) return command_error(kBadValue, "too many compound keys");
  return order;
}

std::string SortOrder::key(bson::View document) const {
  std::string result;
  for (const Part& part : parts_) {
    std::string key = extreme_key(document, part.path, part.descending);
    // Keys are free of prefixes, therefore turning every bit round turns the order round.
    if (part.descending) {
      for (char& c : key) c = static_cast<char>(~c);
    }
    result += key;
  }
  return result;
}

bool SortOrder::less(bson::View a, bson::View b) const { return key(a) < key(b); }

void SortOrder::sort(std::vector<bson::Document>& documents, size_t limit) const {
  if (empty()) {
    if (limit > 0 && documents.size() > limit) documents.resize(limit);
    return;
  }
  std::vector<std::pair<std::string, size_t>> keys;
  keys.reserve(documents.size());
  for (size_t i = 0; i < documents.size(); ++i) keys.emplace_back(key(documents[i]), i);
  if (limit > 0 && limit < keys.size()) {
    std::partial_sort(keys.begin(), keys.begin() + static_cast<ptrdiff_t>(limit), keys.end());
    keys.resize(limit);
  } else {
    std::sort(keys.begin(), keys.end());  // by position among equals
  }
  std::vector<bson::Document> sorted;
  sorted.reserve(keys.size());
  for (const auto& [unused, position] : keys) sorted.push_back(documents[position]);
  documents = std::move(sorted);
}

}  // namespace tidemark::sandbox
