// Many statements in as few commands as the server's limits allow: what both writers of this sink send. Each statement
// knows the event it came from, so that a failed one can be named. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "bson/document.h"
#include "core/row_plan.h"
#include "core/sink.h"
#include "mongo/client.h"

namespace tidemark::mongodb_sink {

// The server takes 16 MiB a document, and 16 KiB more a command; one statement alone is always sent.
inline constexpr uint32_t kCommandBytesMax = 16 * 1000 * 1000;
inline constexpr size_t kStatementsMax = 100'000;

// What a document may have at most; a larger one would make the whole command unreadable.
inline constexpr uint32_t kDocumentBytesMax = 16 * 1024 * 1024;

// kReject, with the figures.
inline Error too_large(size_t bytes) {
  return {React::kReject, "mongodb sink: the document has " + std::to_string(bytes) +
                              " bytes with what the sink adds to it, and a document holds 16 MiB"};
}

// "insert" has `documents`, "update" has `updates`, "delete" has `deletes`.
struct Verb {
  const char* command;
  const char* statements;
};
inline constexpr Verb kInsert{"insert", "documents"};
inline constexpr Verb kUpdate{"update", "updates"};
inline constexpr Verb kDelete{"delete", "deletes"};

// Builds statement `i`, a document, in an empty builder.
using BuildStatement = std::function<void(size_t i, bson::Builder& statement)>;

// The commands of `count` statements, unordered, each of them handed to `run` with the half-open range it holds; ends at the
// first failure of `run`.
Status for_each_command(
    const Verb& verb, std::string_view collection, size_t count, const BuildStatement& build,
    const std::function<Status(const bson::Builder& command, size_t begin, size_t end)>& run);

// The same, sent. `on_reply` takes each answer with the statements it is for; `on_refused` takes the one statement for which
// the server refuses a whole command (ok: 0), after that was divided until it was found: never inside of a transaction,
// which such a refusal ends. Any other failure is returned.
struct Handlers {
  std::function<Status(bson::View reply, size_t begin, size_t end)> on_reply;
  std::function<Status(size_t i, Error error)> on_refused;
};
Status send_statements(mongo::Client& client, const TableName& target, const Verb& verb, size_t count,
                       const BuildStatement& build, const Handlers& handlers, std::stop_token stop);

// What was refused for one statement alone is about its document, whatever the same code means of a whole command.
Error rejected(Error error);

// Whether an insert may take what an update was refused for with this code: DollarPrefixedFieldName, InvalidIdField,
// InvalidDBRef, EmptyFieldName, DottedFieldName.
inline bool insert_may_hold(int code) { return code >= 52 && code <= 57 && code != 54; }

// {$set: {field: Timestamp(0, 0), ...}} for each of them at the document's top: after an insert has changed them.
bson::Document set_zero_timestamps(bson::View document);

// Fields of a document that the server would write its own clock into: Timestamp(0, 0) at the top level, `_id` aside. Only
// `insert` does that, and the classic replacement; an update by a pipeline keeps them.
bool is_zero_timestamp(const bson::Element& field);
bool has_zero_timestamp(bson::View document);

// {path: {$eq: value of the document, or null}} for each path: a mongos finds the one shard of a statement by it.
void append_shard_key(const std::vector<std::string>& paths, bson::View document, bson::Builder& query);

// A server that answers for a statement it was never sent.
inline Error unknown_statement() {
  return {React::kRetry, "mongodb sink: the server names a statement that was not sent"};
}

}  // namespace tidemark::mongodb_sink
