// What a batch of events does to rows: the part of an SQL sink that is the same for every database. Pure; one
// thread.
//
// In mode `current` a table holds one row per document: RowPlan folds a batch so that the last event of each
// row wins, and cuts it into steps at the events that touch a whole table (drop, rename, dropDatabase). In
// mode `log` a table holds one row per event, and only the texts of its columns are common: the log_*
// functions.
//
// Every statement made from a plan must be guarded by the token, so that a replay changes nothing: a row is
// written when absent or when its token is older, and removed when its token is older.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "core/audit.h"
#include "core/event.h"
#include "core/refused_names.h"
#include "core/sink.h"

namespace tidemark {

struct TableName {
  std::string schema;  // empty: the connection's own
  std::string name;

  std::string text() const { return schema.empty() ? name : schema + "." + name; }
  friend bool operator==(const TableName&, const TableName&) = default;
};

// The setting `table`: a name in which {database} and {collection} stand for the event's own.
class TablePattern {
 public:
  enum class Schema { kNone, kAllowed };  // kAllowed: a dot outside the braces parts the schema from the name

  // kConfig for an empty name, an unknown or unclosed placeholder, or U+0000.
  static Result<TablePattern> parse(std::string_view text, Schema schema);

  bool has_database() const { return schema_.database || name_.database; }
  bool has_collection() const { return schema_.collection || name_.collection; }
  bool fixed() const { return !has_database() && !has_collection(); }

  // Two collections of different databases that lead to the same name; none where no two can.
  std::optional<std::pair<CollectionName, CollectionName>> collision() const;
  // The collection of `database` whose events are written under `name`, if there is one.
  std::optional<std::string> collection_that_leads_to(const TableName& name, std::string_view database) const;

  // Into `out`, whose strings keep their memory.
  void expand(const Namespace& ns, TableName& out) const;

 private:
  struct Piece {
    enum class Kind { kText, kDatabase, kCollection } kind = Kind::kText;
    std::string text;
  };
  struct Part {
    std::vector<Piece> pieces;
    bool database = false;
    bool collection = false;
    void expand(const Namespace& ns, std::string& out) const;
    // Both placeholders stand in it, and nothing between them that a database's name can't hold.
    bool is_ambiguous() const;
  };
  static Result<Part> parse_part(std::string_view text);

  Part schema_;
  Part name_;
};

// What a drop, rename or dropDatabase does to a table of current rows: the setting `on_drop`.
enum class OnDrop { kApply, kIgnore, kStop };

// One change of a row after the fold.
struct RowChange {
  const Event* event = nullptr;  // the last one of this row in its step
  std::string_view id;           // canonical Extended JSON of `_id`; valid until the next plan()
  uint32_t table = 0;            // index into RowPlan::tables()
  bool remove = false;
  // Of a removal: the documentKey whose shard key the row's document must have to be removed (matches_shard_key, or
  // the one in its guard); none where that is known already, or there is no shard key.
  bson::View if_key;
  // The document may have had its `_id` in another form before (1, then NumberLong(1)): rows under other_forms() that
  // are older go as well.
  bool replaces_forms = false;
  // Of a removal: it is the row of a document that lives on under another form of its `_id`.
  bool old_form = false;
};

// What follows the changes of a step.
struct RowBarrier {
  enum class Kind {
    kNone,
    kClear,  // remove the rows of `table` that are older than the event
    kMove,   // clear `target` likewise, then move to it the rows of `table` that are older than the event,
             // with the event's token: with their own they would look older than the clearing of a replay
  };
  Kind kind = Kind::kNone;
  const Event* event = nullptr;
  uint32_t table = 0;
  uint32_t target = 0;
};

struct RowStep {
  // Those of one table stand together. Of one row there is at most one put, behind all of its removals.
  std::span<const RowChange> changes;
  RowBarrier barrier;
};

// The fold for mode `current`. A reused plan allocates nothing once its buffers have grown to the batches it
// sees.
//
// - insert, replace, and an update with its document: the row becomes the document.
// - An update whose lookup found null: the document was gone when the server looked, so its delete follows
// (or the
//   drop of its collection): the row is removed now. Keeping it would show a state that no longer exists, and
//   for good where a filter holds back the delete.
// - An update without the field fullDocument can't be applied, since only the changed fields are known:
// kReject.
// - delete: the row is removed, if its document has the shard key that the delete names: of a document that moves
//   between shards, the insert may come before the delete.
// - A replacement may change the type of `_id`: the row under the old form goes.
// - drop and dropDatabase clear a table, as `on_drop` says (kStop: kConfig). A dropDatabase comes after a drop of each of its
//   collections, so where a table holds one collection it has nothing left to do.
// - rename moves the rows to the table of its target; where it leaves what the pipeline watches, they go. The documents that
//   it brought follow as inserts made up by the source, and a rereadEnd, which removes every row older than them. So nothing
//   depends on which documents of the collection were seen here before, or on the rename itself where a transform drops it.
// - invalidate and what has no document and isn't one of these: nothing.
//
// A barrier makes no table: where there is none, there is nothing to clear or to move.
class RowPlan {
 public:
  RowPlan(TablePattern pattern, OnDrop on_drop) : pattern_(std::move(pattern)), on_drop_(on_drop) {}

  // Replaces the plan with that of `events`, which must outlive it; those of `refused` collections are left out. On an error
  // the plan is empty and `culprit` names the event.
  WriteResult plan(std::span<const Event> events, const RefusedNames* refused = nullptr);

  std::span<const RowStep> steps() const { return steps_; }
  // One for each collection (for each database, where the name is made of that alone), also where two of them lead to the
  // same name: what the sink does about that, it must know of both.
  std::span<const TableName> tables() const { return {tables_.data(), table_count_}; }
  // The event by which rows are first put into the table; null for a table that is only cleared.
  const Event* first_put(uint32_t table) const { return first_puts_[table]; }

 private:
  struct Slot {
    uint64_t generation = 0;
    uint64_t hash = 0;  // of `_id`, whatever its form
    uint32_t change = 0;
  };
  struct Cut {
    size_t changes_end;
    RowBarrier barrier;
  };

  void clear();
  Status add(const Event& event);
  Status put(const Event& event);
  Status remove(const Event& event);
  RowChange& last_change(const Event& event, const bson::Element& id, bool& fresh);
  RowChange& push_change(const Event& event, uint32_t table, std::string_view id, uint64_t hash);
  void remove_form(const Event& event, const bson::Element& old_form);
  void remove_other_forms(const RowChange& put, const bson::Element& id);
  Status add_rename(const Event& event);
  Status add_clear(const Event& event);
  Status add_reread_end(const Event& event);
  Status stop_error(const Event& event) const;
  uint32_t table_of(const Namespace& ns);
  Namespace key_of(const Namespace& ns) const;
  Slot& slot_of(uint32_t table, uint64_t hash, std::string_view id);
  std::string_view id_of(uint32_t change) const;
  void grow_slots();
  void cut(RowBarrier barrier);
  void finish();
  void note_put(uint32_t table, const Event& event);

  TablePattern pattern_;
  OnDrop on_drop_;
  const RefusedNames* refused_ = nullptr;  // of the plan being made

  std::vector<TableName> tables_;  // [0, table_count_) are this batch's; the rest keep their memory
  size_t table_count_ = 0;
  std::vector<Namespace> keys_;           // of each table: what of the namespace its name is made of
  std::vector<const Event*> first_puts_;  // of each table
  Namespace last_ns_;
  uint32_t last_table_ = 0;

  std::string ids_;                // the ids of all changes, one after the other
  std::vector<uint32_t> id_ends_;  // of change i: ids_[id_ends_[i - 1], id_ends_[i])
  std::vector<RowChange> changes_;
  // Open addressing over (table, hash of `_id`); a slot of an older generation is free. The last change of each row.
  std::vector<Slot> slots_;
  size_t slots_used_ = 0;
  uint64_t generation_ = 0;
  std::vector<Cut> cuts_;
  std::vector<RowStep> steps_;
};

// The `_id` that the event's row is keyed by: the document's own, where that is the documentKey's in another form, else
// the documentKey's.
std::optional<bson::Element> row_id(const Event& event);

// --- texts of the columns

// Canonical Extended JSON of the document key's `_id`; false when there is none (events of a whole
// collection).
bool append_row_id(const Event& event, std::string& out);
// "shop.orders", or "shop" for events of a whole database. A name that is not UTF-8 is the $bson of such a text (bson/json.h),
// which no database can be called: the name can be read back from it.
void append_ns(const Namespace& ns, std::string& out);
// Where a log that keeps collections apart keeps the event.
const Namespace& log_place(const Event& event);
// The column `update` of a log row: updateDescription; of a rename {"to":{"db":..,"coll":..}}; of other
// events of a whole collection operationDescription. False when there is nothing.
bool append_log_update(const Event& event, std::string& out);
// An event whose `fullDocument` is there and null: the server looked the document up and it was gone.
bool is_null_lookup(const Event& event);

}  // namespace tidemark
