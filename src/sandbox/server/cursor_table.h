// The open cursors of one member. A cursor is used by one getMore at a time; whoever takes one gives it back.
//
// Thread-safe. Cursors that nobody asks for within ten minutes are dropped, and there is a bound on their number.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "bson/matcher.h"
#include "env/clock.h"
#include "sandbox/change_stream/change_stream.h"
#include "sandbox/store/projection.h"

namespace tidemark::sandbox {

struct Cursor {
  int64_t id = 0;
  std::string ns;       // "db.collection"
  bson::Document lsid;  // the session it was opened in; absent for none
  int64_t txn_number = -1;
  // A cursor over results: documents left, from `next` on.
  std::vector<bson::Document> documents;
  size_t next = 0;
  std::optional<Projection> projection;
  std::optional<bson::Matcher> query;  // for a positional projection
  // A change stream instead.
  std::unique_ptr<ChangeStream> stream;
};

enum class CursorFate { kAlive, kKilled, kInterrupted, kGone };

class CursorTable {
 public:
  static constexpr size_t kCursorsMax = 10'000;

  explicit CursorTable(Clock& clock) : clock_(clock) {}

  // Takes the cursor in and returns its id.
  Reply<int64_t> add(std::unique_ptr<Cursor> cursor, int64_t id) EXCLUDES(mutex_);
  // Checks it out. 43 when there is none, 292 (CursorInUse) when another getMore has it.
  Reply<Cursor*> take(int64_t id) EXCLUDES(mutex_);
  // Gives it back; `finished` drops it.
  void give_back(int64_t id, bool finished) EXCLUDES(mutex_);
  // What happened to a cursor that is checked out.
  CursorFate fate(int64_t id) const EXCLUDES(mutex_);
  bool kill(int64_t id) EXCLUDES(mutex_);
  // The session of a cursor: for the check that a getMore comes from the session that opened it.
  size_t kill_streams(CursorFate fate) EXCLUDES(mutex_);
  void kill_session(bson::View lsid) EXCLUDES(mutex_);
  void clear() EXCLUDES(mutex_);
  size_t size() const EXCLUDES(mutex_);

 private:
  struct Slot {
    std::unique_ptr<Cursor> cursor;
    bool in_use = false;
    CursorFate fate = CursorFate::kAlive;
    Mono used{};
  };
  void drop_idle() REQUIRES(mutex_);

  Clock& clock_;
  mutable Mutex mutex_;
  std::unordered_map<int64_t, Slot> slots_ GUARDED_BY(mutex_);
};

}  // namespace tidemark::sandbox
