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

// A server that answers for a statement it was never sent.
inline Error unknown_statement() {
  return {React::kFatal, "mongodb sink: the server names a statement that was not sent"};
}

}  // namespace tidemark::mongodb_sink
