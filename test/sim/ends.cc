#include "sim/ends.h"

#include <string>

namespace tidemark::sim {

void Ends::apply(Index index) {
  if (is_applied(index)) return;
  const Entry& entry = server_.at(index);
  set(index, kApplied);
  SIM_CHECK(verdict_, !entry.poison && entry.kind != Entry::Kind::kUnreadable, rule::kRejectedEvents,
            "entry " + std::to_string(index) + ", which no sink can take, was written");
  if (newest_of_key_.size() <= entry.key) newest_of_key_.resize(entry.key + 1u);
  Index& newest = newest_of_key_[entry.key];
  SIM_CHECK(
      verdict_, index > newest || entry.is_barrier(), rule::kOrder,
      "entry " + std::to_string(index) + " arrived after " + std::to_string(newest) + " of its own document");
  SIM_CHECK(
      verdict_, index > newest_barrier_, rule::kOrder,
      "entry " + std::to_string(index) + " was overtaken by the drop " + std::to_string(newest_barrier_));
  if (entry.is_barrier()) {
    SIM_CHECK(verdict_, index > newest_applied_, rule::kOrder,
              "the drop " + std::to_string(index) + " was overtaken by " + std::to_string(newest_applied_));
    newest_barrier_ = index;
  } else {
    newest = index;
  }
  newest_applied_ = std::max(newest_applied_, index);
}

Index Ends::safe_prefix() {
  while (safe_prefix_ < server_.newest() && is_safe(safe_prefix_ + 1)) ++safe_prefix_;
  return safe_prefix_;
}

}  // namespace tidemark::sim
