#include "chaos/history.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace tidemark::chaos {
namespace {

constexpr size_t kExamplesMax = 6;

using Events = std::vector<LoggedEvent>;

void tell(LogFindings& findings, std::string example) {
  if (findings.examples.size() < kExamplesMax) findings.examples.push_back(std::move(example));
}

// The events of each document, first appearances only.
std::map<std::string, Events> by_document(const Events& events, bool keeps_order, LogFindings& findings) {
  std::map<std::string, Events> documents;
  std::set<std::string> seen;
  for (const LoggedEvent& event : events) {
    if (seen.insert(event.token).second) {
      documents[event.id].push_back(event);
    } else {
      ++findings.repeated;
    }
  }
  for (auto& [id, list] : documents) {
    const auto earlier = [](const LoggedEvent& a, const LoggedEvent& b) { return a.token < b.token; };
    if (keeps_order && !std::is_sorted(list.begin(), list.end(), earlier)) {
      ++findings.disordered;
      tell(findings, "the tokens of " + id + " are out of order");
    }
    std::stable_sort(list.begin(), list.end(), earlier);
  }
  return documents;
}

std::string describe(const Write& write) {
  return fmt::format("{} {}{}", to_string(write.op), write.n, write.known ? "" : " (unknown)");
}

// Deletes carry no number, so they are counted; everything else is known by its number.
void compare_sets(const std::string& id, const std::vector<Write>& writes, const Events& events,
                  LogFindings& findings) {
  std::map<int64_t, const Write*> expected;
  int64_t deletes_min = 0, deletes_max = 0, deletes = 0;
  for (const Write& write : writes) {
    if (write.op == Op::kDelete) {
      ++deletes_max;
      if (write.known) ++deletes_min;
    } else {
      expected[write.n] = &write;
    }
  }
  for (const LoggedEvent& event : events) {
    if (event.op == "delete") {
      ++deletes;
      continue;
    }
    const auto found = expected.find(event.n);
    if (found != expected.end() && to_string(found->second->op) == event.op) {
      expected.erase(found);
    } else {
      ++findings.invented;
      tell(findings, fmt::format("{} of {} with v = {} answers to no write", event.op, id, event.n));
    }
  }
  for (const auto& [n, write] : expected) {
    if (!write->known) continue;
    ++findings.lost;
    tell(findings, "lost: " + describe(*write) + " of " + id);
  }
  if (deletes < deletes_min) {
    findings.lost += static_cast<uint64_t>(deletes_min - deletes);
    tell(findings, fmt::format("lost: {} of {} deletes of {}", deletes_min - deletes, deletes_min, id));
  } else if (deletes > deletes_max) {
    findings.invented += static_cast<uint64_t>(deletes - deletes_max);
    tell(findings, fmt::format("{} deletes of {} and {} were written", deletes, id, deletes_max));
  }
}

// With nothing lost and nothing invented, the sequences must be the same, but for an unknown last write.
bool same_order(const std::vector<Write>& writes, const Events& events) {
  for (size_t i = 0; i < events.size(); ++i) {
    if (i >= writes.size() || to_string(writes[i].op) != events[i].op) return false;
    if (writes[i].op != Op::kDelete && writes[i].n != events[i].n) return false;
  }
  return true;
}

// Whether a document that is `there` shows `write`.
bool happened(const Write& write, std::optional<int64_t> there) {
  return write.op == Op::kDelete ? !there.has_value() : there.has_value() && *there == write.n;
}

}  // namespace

std::string_view to_string(Op op) {
  switch (op) {
    case Op::kInsert:
      return "insert";
    case Op::kUpdate:
      return "update";
    case Op::kReplace:
      return "replace";
    case Op::kDelete:
      return "delete";
  }
  return "";
}

History::State History::state_of(const std::vector<Write>& writes) {
  State state;
  for (const Write& write : writes) {
    if (!write.known) {
      state.certain = false;
    } else if (write.op == Op::kDelete) {
      state.now.reset();
    } else {
      state.now = write.n;
    }
  }
  return state;
}

std::vector<std::string> History::contradictions(const std::map<std::string, int64_t>& end) const {
  std::vector<std::string> found;
  const auto text = [](std::optional<int64_t> v) { return v ? "v = " + std::to_string(*v) : "no document"; };
  for (const auto& [id, writes] : documents_) {
    const State state = state_of(writes);
    const auto at = end.find(id);
    const std::optional<int64_t> there = at == end.end() ? std::nullopt : std::optional(at->second);
    if (there == state.now || (!state.certain && happened(writes.back(), there))) continue;
    found.push_back(
        fmt::format("{}: {} was acknowledged, and there is {}", id, text(state.now), text(there)));
  }
  for (const auto& [id, v] : end)
    if (documents_.count(id) == 0) found.push_back(fmt::format("{}: v = {} was never written", id, v));
  return found;
}

void History::settle(const std::map<std::string, int64_t>& end) {
  for (auto& [id, writes] : documents_) {
    if (writes.back().known) continue;
    Write last = writes.back();
    const auto at = end.find(id);
    const bool did = happened(last, at == end.end() ? std::nullopt : std::optional(at->second));
    writes.pop_back();
    last.known = true;
    if (did) writes.push_back(last);
  }
  std::erase_if(documents_, [](const auto& document) { return document.second.empty(); });
}

uint64_t History::acknowledged() const {
  uint64_t count = 0;
  for (const auto& [id, writes] : documents_)
    count += static_cast<uint64_t>(
        std::count_if(writes.begin(), writes.end(), [](const Write& w) { return w.known; }));
  return count;
}

LogFindings check_log(const History& history, const std::vector<LoggedEvent>& events, bool keeps_order) {
  LogFindings findings;
  const auto documents = by_document(events, keeps_order, findings);
  for (const auto& [id, writes] : history.documents()) {
    const auto at = documents.find(id);
    const Events& own = at == documents.end() ? Events() : at->second;
    const uint64_t before = findings.lost + findings.invented;
    compare_sets(id, writes, own, findings);
    if (findings.lost + findings.invented == before && !same_order(writes, own)) {
      ++findings.disordered;
      tell(findings, "the events of " + id + " are not in the order of its writes");
    }
  }
  for (const auto& [id, own] : documents) {
    if (history.documents().count(id) > 0) continue;
    findings.invented += own.size();
    tell(findings, own.front().op + " of " + id + ", which was never written");
  }
  return findings;
}

std::string normal_json(std::string_view text) {
  const auto parsed = nlohmann::json::parse(text, nullptr, false);
  return parsed.is_discarded() ? std::string(text) : parsed.dump();
}

}  // namespace tidemark::chaos
