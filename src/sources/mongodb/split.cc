#include "sources/mongodb/split.h"

namespace tidemark::mongodb {
namespace {

constexpr std::string_view kSplitEvent = "splitEvent";

// 0 for a field that is missing or no number: fragments are counted from 1.
int64_t number(const std::optional<bson::Element>& split, std::string_view name) {
  if (!split || !split->is_document()) return 0;
  const auto field = split->document().find(name);
  return field ? field->integer().value_or(0) : 0;
}

}  // namespace

bool SplitMerger::is_fragment(bson::View event) {
  // The server writes it second, right after `_id`; a filter's stage may have put other fields before it.
  const auto field = event.find(kSplitEvent);
  return field && field->is_document();
}

Result<bson::Document> SplitMerger::add(bson::View fragment) {
  const auto split = fragment.find(kSplitEvent);
  const int64_t index = number(split, "fragment");
  const int64_t count = number(split, "of");
  const auto expected = static_cast<int64_t>(fragments_.size()) + 1;
  if (index != expected || index > count) {
    reset();
    return fail(React::kRetry, "the fragments of a split event came out of order: expected fragment " +
                                   std::to_string(expected) + ", got " + std::to_string(index) + " of " +
                                   std::to_string(count));
  }
  fragments_.emplace_back(fragment);
  if (index < count) return bson::Document();
  bson::Document whole = merge();
  reset();
  return whole;
}

bson::Document SplitMerger::merge() const {
  bson::Builder whole;
  if (const auto id = fragments_.back().view().find("_id")) whole.append("_id", *id);
  for (const bson::Document& fragment : fragments_) {
    for (const bson::Element field : fragment.view()) {
      if (field.key() != "_id" && field.key() != kSplitEvent) whole.append(field.key(), field);
    }
  }
  return whole.finish();
}

}  // namespace tidemark::mongodb
