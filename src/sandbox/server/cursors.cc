// getMore and killCursors: the rest of a result, or the next events of a change stream.
#include "base/digest.h"
#include "sandbox/server/documents.h"

namespace tidemark::sandbox {
namespace {

constexpr int kCursorKilled = 237;
constexpr int64_t kAwaitMs = 1'000;

// Gives the cursor back however the getMore ends.
class Checkout {
 public:
  Checkout(CursorTable& table, int64_t id) : table_(table), id_(id) {}
  ~Checkout() { table_.give_back(id_, finished_); }
  Checkout(const Checkout&) = delete;
  Checkout& operator=(const Checkout&) = delete;
  void finish() { finished_ = true; }

 private:
  CursorTable& table_;
  const int64_t id_;
  bool finished_ = false;
};

std::string session_text(bson::View lsid) {
  const auto id = lsid.find("id");
  if (!id || id->type() != BSON_TYPE_BINARY) return "none";
  std::string hex = to_hex(id->binary().bytes);
  for (const size_t at : {size_t{20}, size_t{16}, size_t{12}, size_t{8}})
    if (at < hex.size()) hex.insert(at, "-");
  return hex;
}

Reply<void> check_cursor(const Invocation& inv, const Cursor& cursor, std::string_view ns) {
  const std::string number = std::to_string(cursor.id);
  if (cursor.ns != ns)
    return command_error(kUnauthorized, "Requested getMore on namespace '" + std::string(ns) +
                                            "', but cursor belongs to a different namespace " + cursor.ns);
  if (cursor.lsid && !inv.lsid)
    return command_error(50737, "Cannot run getMore on cursor " + number + ", which was created in session " +
                                    session_text(cursor.lsid) + ", without an lsid");
  if (!cursor.lsid && inv.lsid)
    return command_error(50736, "Cannot run getMore on cursor " + number +
                                    ", which was not created in a session, in session " +
                                    session_text(inv.lsid));
  if (!(cursor.lsid.view() == inv.lsid.view()))
    return command_error(50738, "Cannot run getMore on cursor " + number + ", which was created in session " +
                                    session_text(cursor.lsid) + ", in session " + session_text(inv.lsid));
  return {};
}

Reply<void> check_fate(const Invocation& inv, int64_t id) {
  switch (inv.node.cursors.fate(id)) {
    case CursorFate::kAlive:
      return {};
    case CursorFate::kKilled:
      return command_error(kCursorKilled, "operation was interrupted because a client issued killCursors");
    case CursorFate::kInterrupted:
      return command_error(kInterruptedDueToReplStateChange, "operation was interrupted");
    case CursorFate::kGone:
      return command_error(kCursorNotFound, "cursor id " + std::to_string(id) + " not found");
  }
  return {};
}

// Pulls until there is an event, the stream ends, or the time is over. `array` stays open, and empty, while it waits.
Reply<BatchInfo> pull(Invocation& inv, Cursor& cursor, const BatchLimits& limits, bson_t* array) {
  const Oplog& oplog = inv.member().oplog;
  const int64_t wait_ms = inv.body.find("maxTimeMS") ? inv.max_time_ms : kAwaitMs;
  const Mono end = inv.cluster.clock.now() + std::chrono::milliseconds(wait_ms);
  while (true) {
    const uint64_t wakeups = oplog.wakeups();
    SANDBOX_TRY(check_fate(inv, cursor.id));
    SANDBOX_ASSIGN(const BatchInfo info, cursor.stream->next(limits, array));
    if (info.events > 0 || info.closed) return info;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - inv.cluster.clock.now());
    if (left.count() <= 0) return info;
    if (inv.stop.stop_requested()) return command_error(11600, "interrupted at shutdown");
    oplog.wait_committed(cursor.stream->position(), left, inv.stop, wakeups);
  }
}

// Appends the fields of `cursor`; the array is closed whatever happens, so that the reply can be built anew.
Reply<BatchInfo> append_events(Invocation& inv, Cursor& cursor, const BatchLimits& limits, bson_t* body) {
  bson_t array;
  bson_append_array_begin(body, "nextBatch", 9, &array);
  auto info = pull(inv, cursor, limits, &array);
  bson_append_array_end(body, &array);
  return info;
}

Reply<void> more_events(Invocation& inv, Cursor& cursor, Checkout& checkout, int64_t batch_size) {
  inv.stream_cursor = true;
  const Injection fault = inv.cluster.stream_faults.inject("getMore", "", cursor.ns);
  if (fault.error) {
    checkout.finish();
    return tl::unexpected<CommandError>(*fault.error);
  }
  const BatchLimits limits{static_cast<size_t>(std::max<int64_t>(batch_size, 0)), kBatchBytesMax, true};
  bson_t body;
  bson_append_document_begin(inv.reply.raw(), "cursor", 6, &body);
  auto info = append_events(inv, cursor, limits, &body);
  if (info) {
    const bson_t token = cursor.stream->post_batch_token().raw();
    bson_append_document(&body, "postBatchResumeToken", 20, &token);
    bson_append_int64(&body, "id", 2, info->closed ? 0 : cursor.id);
    bson_append_utf8(&body, "ns", 2, cursor.ns.data(), static_cast<int>(cursor.ns.size()));
  }
  bson_append_document_end(inv.reply.raw(), &body);
  if (!info || info->closed) checkout.finish();
  if (!info) return tl::unexpected<CommandError>(std::move(info).error());
  return {};
}

Reply<void> more_documents(Invocation& inv, Cursor& cursor, Checkout& checkout, int64_t batch_size) {
  bson::Builder body;
  {
    ArrayWriter out(body.raw(), "nextBatch");
    SANDBOX_TRY(append_batch(cursor, batch_size > 0 ? batch_size : INT64_MAX, out));
  }
  const bool done = cursor.next >= cursor.documents.size();
  body.append("id", done ? int64_t{0} : cursor.id).append("ns", cursor.ns);
  if (done) checkout.finish();
  inv.reply.append("cursor", body.view());
  return {};
}

Reply<void> get_more(Invocation& inv) {
  inv.node.counters.get_mores++;
  const auto first = *inv.body.begin();
  const auto id = first.integer();
  if (!id || first.type() != BSON_TYPE_INT64)
    return command_error(kTypeMismatch,
                         "BSON field 'getMore.getMore' is the wrong type, expected type 'long'");
  SANDBOX_ASSIGN(const auto collection, string_field(inv, inv.body, "collection"));
  if (collection.empty())
    return command_error(40414, "BSON field 'getMore.collection' is missing but a required field");
  SANDBOX_ASSIGN(const int64_t batch_size, int_field(inv, inv.body, "batchSize", 0));
  if (batch_size < 0)
    return command_error(
        kBadValue, "Batch size for getMore must be positive, but received: " + std::to_string(batch_size));
  SANDBOX_ASSIGN(Cursor * cursor, inv.node.cursors.take(*id));
  Checkout checkout(inv.node.cursors, *id);
  SANDBOX_TRY(check_cursor(inv, *cursor, inv.db + "." + std::string(collection)));
  if (cursor->stream != nullptr) return more_events(inv, *cursor, checkout, batch_size);
  if (inv.body.find("maxTimeMS"))
    return command_error(kBadValue, "cannot set maxTimeMS on getMore command for a non-awaitData cursor");
  return more_documents(inv, *cursor, checkout, batch_size);
}

Reply<void> kill_cursors(Invocation& inv) {
  // Any name will do: the cursors of a database's stream or of a listing are of no collection ("$cmd.aggregate").
  if (const auto name = *inv.body.begin(); !name.is_string())
    return command_error(kInvalidNamespace, "killCursors: the collection name must be a string");
  SANDBOX_ASSIGN(const bson::View cursors, array_field(inv, inv.body, "cursors"));
  if (!cursors || cursors.empty())
    return command_error(kBadValue, "Must specify at least one cursor id in: killCursors");
  std::vector<int64_t> killed, missing;
  for (const auto& item : cursors) {
    const auto id = item.integer();
    if (!id) return command_error(kTypeMismatch, "killCursors: cursor ids must be numbers");
    (inv.node.cursors.kill(*id) ? killed : missing).push_back(*id);
  }
  inv.member().oplog.wake();
  const auto list = [&inv](std::string_view key, const std::vector<int64_t>& ids) {
    ArrayWriter array(inv.reply.raw(), key);
    for (const int64_t id : ids) array.append(id);
  };
  list("cursorsKilled", killed);
  list("cursorsNotFound", missing);
  list("cursorsAlive", {});
  list("cursorsUnknown", {});
  return {};
}

constexpr CommandSpec kCommands[] = {
    {"getMore", get_more, kAnywhere | kTransactions, "collection batchSize term lastKnownCommittedOpTime"},
    {"killCursors", kill_cursors, kAnywhere | kTransactions, "cursors"},
};

}  // namespace

std::span<const CommandSpec> cursor_commands() { return kCommands; }

}  // namespace tidemark::sandbox
