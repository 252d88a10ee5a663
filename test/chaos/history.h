// What the writer knows about its writes, and what a log of events must then hold: every acknowledged write once and in the
// order of its document, the unknown ones at most once, nothing else. Pure; one thread.
//
// The writer never touches a document again after a write to it whose outcome it doesn't know, so that only a document's
// last write can be unknown, and a late one can't come after a newer.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidemark::chaos {

enum class Op { kInsert, kUpdate, kReplace, kDelete };
std::string_view to_string(Op op);  // as change events call it

struct Write {
  int64_t n = 0;  // the document carries it as `v`
  Op op = Op::kInsert;
  bool known = true;
};

// An event as a destination holds it.
struct LoggedEvent {
  std::string token;
  std::string op;
  std::string id;  // normal_json of `_id`
  int64_t n = -1;  // `v` of the document or of the update; -1 where there is none
};

struct LogFindings {
  uint64_t lost = 0;                       // acknowledged, and no event
  uint64_t invented = 0;                   // an event of no write
  uint64_t repeated = 0;                   // the same token again
  uint64_t disordered = 0;                 // documents whose events are out of order
  std::vector<std::string> examples = {};  // the first few of each, in words

  bool clean() const { return lost == 0 && invented == 0 && disordered == 0; }
};

class History {
 public:
  void add(const std::string& id, Write write) { documents_[id].push_back(write); }
  // Writes to `id` in order.
  const std::map<std::string, std::vector<Write>>& documents() const { return documents_; }

  struct State {
    bool certain = true;         // false: the last write is unknown
    std::optional<int64_t> now;  // the `v` that the document has; empty: there is none
  };
  // What the acknowledgements say about the document now.
  static State state_of(const std::vector<Write>& writes);

  // An end as id to `v`, against what was acknowledged: a line for each contradiction.
  std::vector<std::string> contradictions(const std::map<std::string, int64_t>& end) const;
  // Settles the unknown writes by what the source holds in the end.
  void settle(const std::map<std::string, int64_t>& end);

  uint64_t acknowledged() const;

 private:
  std::map<std::string, std::vector<Write>> documents_;
};

// `keeps_order`: the events stand in the order in which they were written; else they are put in the order of their tokens.
LogFindings check_log(const History& history, const std::vector<LoggedEvent>& events, bool keeps_order);

// JSON text with the spacing and the order of keys of its parsed form, so that any two writers of the same value agree.
std::string normal_json(std::string_view text);

}  // namespace tidemark::chaos
