// One change event, as views into the batch that carries it, and the batch itself.
//
// A batch owns every byte its events point to: the server's reply as it came, and an arena for what
// transforms build. Reading a batch therefore allocates per batch, never per event. Batches are shared as
// const once read; the thread that builds one owns it alone until then.
#pragma once

#include <cstdint>
#include <memory>
#include <memory_resource>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bson/document.h"

namespace tidemark {

// operationType. The manual's list: https://www.mongodb.com/docs/manual/reference/change-events/
// What isn't named here is passed on as kOther with its name in Event::op_name: an unknown type is never an
// error.
enum class Op : uint8_t {
  kInsert,
  kUpdate,
  kReplace,
  kDelete,
  kDrop,
  kRename,
  kDropDatabase,
  kInvalidate,
  // Made up by the source, never sent by a server: a collection that a rename brought was read again, and these events
  // were what it holds. Rows of it that are older are none of its documents. Passes every transform.
  kRereadEnd,
  kOther,
};

Op op_from_name(std::string_view name);

struct Namespace {
  std::string_view database;
  std::string_view collection;  // empty for events of a whole database

  friend bool operator==(const Namespace&, const Namespace&) = default;
};

struct Event {
  // Stable across redelivery and sortable in stream order: the resume token's hex string (`_id._data`). It
  // guards rows against older events; it never resumes anything.
  std::string_view id;
  Op op = Op::kOther;
  std::string_view op_name;
  Namespace ns;
  Namespace to;  // of a rename: the new name
  // Of a rename: `to` is no collection of this pipeline's, so that for it the rename is the collection's end.
  bool leaves = false;
  // Of a rename: `ns` is none of this pipeline's, so that the event has its place under `to`.
  bool enters = false;
  bson::View key;     // documentKey: `_id`, on sharded collections the shard key too; none for DDL events
  bson::View before;  // fullDocumentBeforeChange; none when not asked for or not kept
  bson::View after;   // fullDocument; none when absent or null (an update whose document is gone)
  bson::View update;  // updateDescription
  bson::View raw;     // the whole change event as the server sent it; after a split, put together again
  bson::Timestamp cluster_time;
  int64_t wall_time_ms = 0;  // wallTime (6.0+), else the cluster time's seconds
  uint64_t key_hash = 0;     // of ns and `_id`, in whatever form: which lane the event goes to
  // Set by a source or transform that can't hand the event on whole: the pipeline applies `on_reject` to it
  // and no sink sees it. Points into the batch.
  std::string_view reject_reason;
  // The message as a broker or a client sent it (a CloudEvent in structured JSON); empty for change streams. It stays
  // what was received, whatever transforms make of the event: `edited` says that the two differ.
  std::string_view payload;
  uint16_t attempts = 0;   // how often it was tried before, as the broker's message says
  bool edited = false;     // set by apply_edit
  bson::View received;     // `raw` as the source handed it out; none while no transform has changed it
  bool hidden = false;     // it comes from a dead letter: what redactions hide is hidden in it already
  bool malformed = false;  // with reject_reason: it can't even be read, so that trying again is pointless

  bool has_document() const {
    return op == Op::kInsert || op == Op::kUpdate || op == Op::kReplace || op == Op::kDelete;
  }
  // The bytes this event is charged with against `in_flight_bytes_max`.
  size_t size_bytes() const { return raw.size() + payload.size() + after_extra; }
  uint32_t after_extra = 0;  // bytes a transform added in the batch's arena
};

// Fills an Event from a change event as the server sends it. `raw` must outlive the event. Fields that are
// missing or of the wrong type stay empty; only a missing `_id._data` is an error (kFatal: without a token
// nothing can resume).
Result<Event> parse_change_event(bson::View raw);

// Recomputes key_hash from ns and the key's `_id`.
uint64_t hash_key(const Event& event);

class EventBatch {
 public:
  EventBatch() = default;
  EventBatch(const EventBatch&) = delete;
  EventBatch& operator=(const EventBatch&) = delete;

  std::vector<Event>& events() { return events_; }
  const std::vector<Event>& events() const { return events_; }

  // Keeps `owner` (a server's reply) alive as long as the batch.
  void own(std::shared_ptr<const void> owner) { owners_.push_back(std::move(owner)); }
  // Copies bytes that must live as long as the batch.
  bson::View store(bson::View document);
  std::string_view store(std::string_view text);

  size_t size_bytes() const;

  // Empties the batch for reuse; the arena and the vectors keep their memory.
  void clear();

 private:
  std::vector<Event> events_;
  std::vector<std::shared_ptr<const void>> owners_;
  std::pmr::monotonic_buffer_resource arena_{4096};
};

}  // namespace tidemark
