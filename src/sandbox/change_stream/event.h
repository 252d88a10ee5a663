// Change events as documents: field by field, in the order and with the types of a real server of either
// version. One renderer per stream, used by one thread at a time; it writes straight into the caller's
// bson_t.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "sandbox/change_stream/spec.h"
#include "sandbox/replication/oplog.h"

namespace tidemark::sandbox {

// The current majority-committed document of this key, or no document.
using PostImageLookup = std::function<bson::Document(const Uuid& collection, bson::View document_key)>;

// One change: an entry, or one of the operations of a transaction's entry.
struct Change {
  const OplogEntry* entry = nullptr;
  const OplogEntry* op = nullptr;  // `entry` itself unless it is a transaction
  int64_t txn_op_index = 0;
};

// "insert", "drop", ...; empty for what never is an event.
std::string_view operation_name(OpKind kind);
// Events that only showExpandedEvents shows.
bool is_expanded_only(OpKind kind);
// What expanded events and version 2 tokens tell of a command; no document where there is nothing.
bson::Document operation_description(const OplogEntry& op);
// Whether `change` belongs to the stream's namespace.
bool in_scope(const StreamSpec& spec, const OplogEntry& op);
// Whether it ends the stream.
bool invalidates(const StreamSpec& spec, OpKind kind);

class EventRenderer {
 public:
  // `spec` must outlive the renderer.
  EventRenderer(const StreamSpec& spec, PostImageLookup lookup);
  ~EventRenderer();
  EventRenderer(const EventRenderer&) = delete;
  EventRenderer& operator=(const EventRenderer&) = delete;

  // Replaces the contents of `out`. When an image that the stream requires is missing, it is rendered as null
  // and missing_image() is the error to raise, unless the user's filter hides the event.
  void render(const Change& change, const TokenWriter& token, bson_t* out);
  void render_invalidate(const OplogEntry& entry, const TokenWriter& token, bson_t* out);
  const std::optional<CommandError>& missing_image() const { return missing_image_; }

 private:
  void append_transaction(const OplogEntry& entry, bson_t* out) const;
  void append_full_document(const Change& change, bson_t* out);
  void append_namespace(const OplogEntry& op, bson_t* out);
  void append_update_description(const OplogEntry& op, bson_t* out) const;
  void append_image_before(const Change& change, bson_t* out);
  void miss(const Change& change, std::string_view which);

  const StreamSpec& spec_;
  const PostImageLookup lookup_;
  std::optional<CommandError> missing_image_;
  // The `ns` of the last event: it rarely changes.
  bson_t ns_;
  std::string ns_db_;
  std::string ns_coll_;
};

}  // namespace tidemark::sandbox
