// The simulated source: a log of entries that a writer goes on adding to, a cursor over it, elections, and a window that old
// entries fall out of. What is true about each entry stands here and nowhere else. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/source.h"
#include "sim/choices.h"
#include "sim/places.h"

namespace tidemark::sim {

struct Entry {
  enum class Kind : uint8_t {
    kDocument,
    kTable,       // a drop: touches every document
    kInvalidate,  // ends the cursor
    kNoop,        // no event: it moves the mark alone
    kFiltered,    // an event that a transform leaves out
    kUnreadable,  // a transform can't hand it on: rejected before any sink sees it
  };
  Kind kind = Kind::kDocument;
  uint8_t key = 0;
  bool poison = false;  // no sink can take it
  uint16_t bytes = 0;
  uint16_t attempts = 0;

  bool is_event() const { return kind != Kind::kNoop && kind != Kind::kFiltered; }
  bool is_barrier() const { return kind == Kind::kTable || kind == Kind::kInvalidate; }
};

class Server {
 public:
  explicit Server(Choices& choices) : choices_(choices) {}

  // --- the writer
  void append(Entry entry) { entries_.push_back(entry); }
  void append_random(int on_reject_weight);
  Index newest() const { return static_cast<Index>(entries_.size()); }
  const Entry& at(Index index) const { return entries_[index - 1]; }
  // An operator has mended what made the event impossible.
  void mend(Index index) {
    entries_[index - 1].poison = false;
    if (at(index).kind == Entry::Kind::kUnreadable) entries_[index - 1].kind = Entry::Kind::kDocument;
  }

  // --- elections
  bool has_primary() const { return has_primary_; }
  void lose_primary() { has_primary_ = false; }
  void elect() { has_primary_ = true; }

  // --- the window
  Index oldest() const { return oldest_; }  // entries before it are gone
  void forget_before(Index index) { oldest_ = index; }

  // --- the cursor
  // The place opened at: `from`, or later with no event between.
  Result<Index> open(Index from);
  // Up to a few entries; empty when there are none.
  SourceBatch read();
  Index cursor() const { return cursor_; }

 private:
  void add_event(EventBatch& batch, Index index) const;

  Choices& choices_;
  std::vector<Entry> entries_;
  Index cursor_ = 0;
  Index oldest_ = 1;
  bool has_primary_ = true;
};

}  // namespace tidemark::sim
