// What the writer knows about its writes, and what a log of events must then hold: every acknowledged write once and in the
// order of its document, the unknown ones at most once, nothing else. Pure; one thread.
//
// The writer never touches a document again after a write to it whose outcome it doesn't know, so that only a document's last
// write can be unknown, and a late one can't come after a newer. Behind it the whole collection may still be replaced.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidemark::chaos {

// The last two are of the whole collection, and no event of a document: it was replaced or renamed away, or came by a rename.
enum class Op { kInsert, kUpdate, kReplace, kDelete, kGone, kBrought };
std::string_view to_string(Op op);  // as change events call it, where there are any
inline bool has_event(Op op) { return op != Op::kGone && op != Op::kBrought; }

struct Write {
  int64_t n = 0;  // the document carries it as `v`
  Op op = Op::kInsert;
  bool known = true;
  bool doubled = false;  // the document has a name twice
  std::string id = {};   // of the event; set by History::add()
};

// An event as a destination holds it.
struct LoggedEvent {
  std::string token;
  std::string op;
  std::string id;       // normal_json of `_id`; empty: of the collection
  int64_t n = -1;       // `v` of the document or of the update; -1 where there is none
  bool letter = false;  // rejected, and kept as a dead letter
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
  // `id` is normal_json of the document's `_id`, in the type that its event names.
  void add(const std::string& id, Write write);
  // Every document is gone, without an event of its own.
  void gone();
  // The collection was replaced by another, or renamed away, so often at least and at most; or dropped.
  void renamed(int min, int max) { renames_.min += min, renames_.max += max; }
  void dropped(int min, int max) { drops_.min += min, drops_.max += max; }
  // Writes to each document in order, by identity_of() its `_id`.
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

  struct Times {
    int min = 0, max = 0;
  };
  Times renames() const { return renames_; }
  Times drops() const { return drops_; }
  // Whether a sink that takes no doubled name may have rejected this event: its document had one, or could have had one when
  // it was looked up.
  bool may_be_rejected(const LoggedEvent& event) const;

 private:
  std::map<std::string, std::vector<Write>> documents_;
  Times renames_, drops_;
};

struct LogRules {
  bool keeps_order = true;       // else events are put in the order of their tokens
  bool rejects_doubled = false;  // a document with a doubled name must be a letter
};
LogFindings check_log(const History& history, const std::vector<LoggedEvent>& events, LogRules rules);

// The same for every text of an `_id` that is one document's to a server: 1, NumberLong(1), 1.0. Of normal_json.
std::string identity_of(const std::string& id);

// JSON text with the spacing and the order of keys of its parsed form, so that any two writers of the same value agree.
std::string normal_json(std::string_view text);

}  // namespace tidemark::chaos
