// How a Collection finds the documents that a filter may match: through _id or an index when the filter
// bounds one.
#include <algorithm>
#include <set>

#include "bson/compare.h"
#include "sandbox/store/collection.h"

namespace tidemark::sandbox {
namespace {

// Beyond every key: no bracket byte is 0xff.
const std::string& above_all() {
  static const std::string key(1, '\xff');
  return key;
}

// What a filter says about one field, as ranges of keys, ends included. It may let through more than the
// filter.
struct Bounds {
  std::vector<std::pair<std::string, std::string>> ranges;
  bool bounded = false;
};

bool is_operators(const bson::Element& value) {
  return value.is_document() && !value.document().empty() &&
         (*value.document().begin()).key().starts_with("$");
}

// Values that an index finds under their own key alone: not arrays, whose items are indexed, not null, which
// also means missing, not regular expressions, which are patterns.
bool is_plain(const bson::Element& value) {
  return !value.is_array() && value.type() != BSON_TYPE_NULL && value.type() != BSON_TYPE_UNDEFINED &&
         value.type() != BSON_TYPE_REGEX;
}

void add_equality(const bson::Element& value, Bounds& bounds) {
  const std::string key = bson::canonical_key(value);
  bounds.ranges.emplace_back(key, key);
  bounds.bounded = true;
}

Bounds condition_bounds(const bson::Element& condition) {
  Bounds bounds;
  if (!is_operators(condition)) {
    if (is_plain(condition)) add_equality(condition, bounds);
    return bounds;
  }
  std::string low;
  std::string high = above_all();
  for (const bson::Element item : condition.document()) {
    const std::string_view name = item.key();
    if (name == "$eq" && is_plain(item)) {
      add_equality(item, bounds);
      return bounds;
    }
    if (name == "$in" && item.is_array()) {
      Bounds list;
      for (const bson::Element value : item.document()) {
        if (!is_plain(value)) return {};
        add_equality(value, list);
      }
      list.bounded = true;
      std::sort(list.ranges.begin(), list.ranges.end());
      list.ranges.erase(std::unique(list.ranges.begin(), list.ranges.end()), list.ranges.end());
      return list;
    }
    if (!is_plain(item)) continue;
    if (name == "$gt" || name == "$gte") low = std::max(low, bson::canonical_key(item));
    if (name == "$lt" || name == "$lte") high = std::min(high, bson::canonical_key(item));
  }
  if (low.empty() && high == above_all()) return bounds;
  bounds.bounded = true;
  if (low <= high) bounds.ranges.emplace_back(std::move(low), std::move(high));
  return bounds;
}

// The bounds that the filter, or one of the branches of a $and, sets for `path`.
Bounds filter_bounds(bson::View filter, std::string_view path) {
  for (const bson::Element element : filter) {
    if (element.key() == path) {
      Bounds bounds = condition_bounds(element);
      if (bounds.bounded) return bounds;
    }
    if (element.key() != "$and" || !element.is_array()) continue;
    for (const bson::Element item : element.document()) {
      if (!item.is_document()) continue;
      Bounds bounds = filter_bounds(item.document(), path);
      if (bounds.bounded) return bounds;
    }
  }
  return {};
}

}  // namespace

void Collection::visit_ids(const std::string& low, const std::string& high, bool descending,
                           const Visit& visit) const {
  const auto begin = ids_.lower_bound(low);
  const auto end = ids_.upper_bound(high);
  if (!descending) {
    for (auto id = begin; id != end; ++id) {
      if (!visit(records_.at(id->second))) return;
    }
    return;
  }
  for (auto id = end; id != begin;) {
    --id;
    if (!visit(records_.at(id->second))) return;
  }
}

bool Collection::candidates_of_index(bson::View filter, const Visit& visit) const {
  for (const Index& index : indexes_) {
    if (index.partial()) continue;
    const Bounds bounds = filter_bounds(filter, index.paths()[0]);
    if (!bounds.bounded) continue;
    std::set<RecordId> records;  // an array may be found under several keys
    for (const auto& [low, high] : bounds.ranges) {
      for (auto entry = index.entries().lower_bound({low, 0}); entry != index.entries().end(); ++entry) {
        // A key of several fields begins with the first one's key.
        if (entry->first > high && !entry->first.starts_with(high)) break;
        records.insert(entry->second);
      }
    }
    for (const RecordId record : records) {
      if (!visit(records_.at(record))) break;
    }
    return true;
  }
  return false;
}

void Collection::candidates(bson::View filter, const SortOrder* by_id, const Visit& visit) const {
  const bool descending = by_id != nullptr && by_id->descending();
  Bounds bounds = filter_bounds(filter, "_id");
  if (!bounds.bounded && by_id != nullptr) {
    bounds.bounded = true;
    bounds.ranges.emplace_back(std::string(), above_all());
  }
  if (bounds.bounded) {
    if (descending) std::reverse(bounds.ranges.begin(), bounds.ranges.end());
    bool more = true;
    for (const auto& [low, high] : bounds.ranges) {
      visit_ids(low, high, descending,
                [&](const bson::Document& document) { return more = visit(document); });
      if (!more) return;
    }
    return;
  }
  if (!indexes_.empty() && candidates_of_index(filter, visit)) return;
  for_each(visit);
}

Reply<void> Collection::matching(const bson::Matcher& matcher, const SortOrder* by_id,
                                 const Visit& visit) const {
  std::optional<Error> error;
  candidates(matcher.filter(), by_id, [&](const bson::Document& document) {
    bson::MatchDetails details;
    if (matcher.matches(document, &details)) return visit(document);
    error = std::move(details.error);
    return !error.has_value();
  });
  if (error) return command_error(*error);
  return {};
}

}  // namespace tidemark::sandbox
