#include "chaos/history.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
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
      documents[identity_of(event.id)].push_back(event);
    } else if (!event.letter) {
      // An update that was rejected may be delivered after a crash: its document is looked up again.
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
  std::set<std::string> deleted;
  int64_t deletes_min = 0, deletes_max = 0, deletes = 0;
  for (const Write& write : writes) {
    if (write.op == Op::kDelete) {
      ++deletes_max;
      deleted.insert(write.id);
      if (write.known) ++deletes_min;
    } else {
      expected[write.n] = &write;
    }
  }
  for (const LoggedEvent& event : events) {
    if (event.op == "delete" && deleted.contains(event.id)) {
      ++deletes;
      continue;
    }
    const auto found = expected.find(event.n);
    if (found != expected.end() && to_string(found->second->op) == event.op &&
        found->second->id == event.id) {
      expected.erase(found);
    } else {
      ++findings.invented;
      tell(findings, fmt::format("{} of {} with v = {} answers to no write", event.op, event.id, event.n));
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

// With nothing lost and nothing invented, the sequences must be the same, but for unknown writes.
bool same_order(const std::vector<Write>& writes, const Events& events) {
  const auto answers = [](const Write& write, const LoggedEvent& event) {
    return to_string(write.op) == event.op && write.id == event.id &&
           (write.op == Op::kDelete || write.n == event.n);
  };
  size_t i = 0;
  for (const LoggedEvent& event : events) {
    while (i < writes.size() && !writes[i].known && !answers(writes[i], event)) ++i;
    if (i >= writes.size() || !answers(writes[i++], event)) return false;
  }
  return true;
}

std::vector<Write> with_events(const std::vector<Write>& writes) {
  std::vector<Write> all;
  for (const Write& write : writes)
    if (has_event(write.op)) all.push_back(write);
  return all;
}

void compare_collection_events(const History& history, const Events& events, LogFindings& findings) {
  const auto compare = [&](std::string_view op, History::Times times) {
    const auto count = static_cast<int>(std::count_if(
        events.begin(), events.end(), [op](const LoggedEvent& event) { return event.op == op; }));
    if (count >= times.min && count <= times.max) return;
    ++(count < times.min ? findings.lost : findings.invented);
    tell(findings, fmt::format("{} events {}, and there were {} to {}", count, op, times.min, times.max));
  };
  compare("rename", history.renames());
  compare("drop", history.drops());
}

void compare_rejects(const History& history, const Events& events, LogFindings& findings) {
  for (const LoggedEvent& event : events) {
    if (event.letter && !history.may_be_rejected(event)) {
      ++findings.lost;
      tell(findings,
           fmt::format("{} of {} with v = {} was rejected without need", event.op, event.id, event.n));
    } else if (!event.letter && (event.op == "insert" || event.op == "replace") &&
               history.may_be_rejected(event)) {
      ++findings.invented;
      tell(findings, fmt::format("{} of {} with v = {} has a name twice, and was not rejected", event.op,
                                 event.id, event.n));
    }
  }
}

// By identity and not by text.
std::map<std::string, int64_t> by_identity(const std::map<std::string, int64_t>& end) {
  std::map<std::string, int64_t> all;
  for (const auto& [id, v] : end) all.emplace(identity_of(id), v);
  return all;
}

// Whether a document that is `there` shows `write`.
bool happened(const Write& write, std::optional<int64_t> there) {
  return write.op == Op::kDelete || write.op == Op::kGone ? !there.has_value()
                                                          : there.has_value() && *there == write.n;
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
    case Op::kGone:
      return "(gone)";
    case Op::kBrought:
      return "(brought)";
  }
  return "";
}

void History::add(const std::string& id, Write write) {
  write.id = id;
  documents_[identity_of(id)].push_back(std::move(write));
}

void History::gone() {
  for (auto& [id, writes] : documents_)
    if (writes.back().op != Op::kGone) writes.push_back({.n = 0, .op = Op::kGone, .id = writes.back().id});
}

History::State History::state_of(const std::vector<Write>& writes) {
  State state;
  for (const Write& write : writes) {
    if (!write.known) {
      state.certain = false;
      continue;
    }
    // What was unknown of a collection that is gone doesn't matter any more.
    if (write.op == Op::kGone || write.op == Op::kBrought) state.certain = true;
    if (write.op == Op::kDelete || write.op == Op::kGone) {
      state.now.reset();
    } else {
      state.now = write.n;
    }
  }
  return state;
}

std::vector<std::string> History::contradictions(const std::map<std::string, int64_t>& at_end) const {
  const auto end = by_identity(at_end);
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

void History::settle(const std::map<std::string, int64_t>& at_end) {
  const auto end = by_identity(at_end);
  const bool replaced = renames_.max + drops_.max > 0;
  for (auto& [id, writes] : documents_) {
    if (writes.back().known) continue;
    Write last = writes.back();
    const auto at = end.find(id);
    const bool did = happened(last, at == end.end() ? std::nullopt : std::optional(at->second));
    // It may have been there before the collection was replaced: it stays unknown.
    if (replaced && (!did || last.op == Op::kDelete)) continue;
    writes.pop_back();
    last.known = true;
    if (did) writes.push_back(last);
  }
  std::erase_if(documents_, [](const auto& document) { return document.second.empty(); });
}

uint64_t History::acknowledged() const {
  uint64_t count = 0;
  for (const auto& [id, writes] : documents_)
    count += static_cast<uint64_t>(std::count_if(
        writes.begin(), writes.end(), [](const Write& w) { return w.known && w.op != Op::kGone; }));
  return count;
}

bool History::may_be_rejected(const LoggedEvent& event) const {
  const auto found = documents_.find(identity_of(event.id));
  if (found == documents_.end()) return false;
  const std::vector<Write>& writes = found->second;
  const auto write =
      std::find_if(writes.begin(), writes.end(), [&](const Write& w) { return w.n == event.n; });
  if (write == writes.end()) return false;
  return write->op == Op::kUpdate
             ? std::any_of(writes.begin(), writes.end(), [](const Write& w) { return w.doubled; })
             : write->doubled;
}

LogFindings check_log(const History& history, const std::vector<LoggedEvent>& events, LogRules rules) {
  LogFindings findings;
  auto documents = by_document(events, rules.keeps_order, findings);
  compare_collection_events(history, documents[""], findings);
  documents.erase("");
  if (rules.rejects_doubled)
    for (const auto& [id, own] : documents) compare_rejects(history, own, findings);
  for (const auto& [id, all_writes] : history.documents()) {
    const std::vector<Write> writes = with_events(all_writes);
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

std::string identity_of(const std::string& id) {
  constexpr double kExact = 9'007'199'254'740'992.0;
  if (!id.starts_with("{\"$number")) return id;
  const auto parsed = nlohmann::json::parse(id, nullptr, false);
  if (!parsed.is_object() || parsed.size() != 1 || !parsed.begin()->is_string()) return id;
  const std::string text = parsed.begin()->get<std::string>();
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (*end != '\0' || std::abs(value) >= kExact || value != std::floor(value)) return id;
  return fmt::format("number {}", static_cast<int64_t>(value));
}

std::string normal_json(std::string_view text) {
  const auto parsed = nlohmann::json::parse(text, nullptr, false);
  return parsed.is_discarded() ? std::string(text) : parsed.dump();
}

}  // namespace tidemark::chaos
