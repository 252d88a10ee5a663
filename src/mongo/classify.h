// What a command's failure means for those who write to MongoDB and read from it: one table, by code and label, never by
// text (but of logins and handshakes, of which the driver hands on nothing else), because the text of the same condition
// differs from version to version. What the table doesn't know is kRetry with Error::unknown: it waits, and says so. Change streams have phases, and a
// table of their own (sources/mongodb/classify.h). Pure; any thread.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bson/document.h"

namespace tidemark::mongo {

// Who raised it: the server (a reply with ok: 0) or one of the driver's own layers.
enum class Origin {
  kServer,
  kNetwork,         // a connection that broke, was refused or timed out; a name that did not resolve
  kSelection,       // no suitable member within the timeout
  kAuthentication,  // the handshake's own refusal
  kIncompatible,    // the server speaks no wire version this driver knows
  kDriver,          // anything else that the driver says
};

struct Failure {
  Origin origin = Origin::kServer;
  int code = 0;  // the server's; 0 for the driver's own
  std::span<const std::string> labels = {};
  std::string_view message = {};
};

// Of a whole command. `what` begins with `where`; `grant` says which role is needed, for a user who lacks it.
Error classify(const Failure& failure, std::string_view where, std::string_view grant = {});

// Of a login. The driver keeps of the server's answer to it its text alone: the server's own refusal is kDenied, and everything
// else that goes wrong during a login passes (no key yet for the cluster time just after an election, a connection that broke).
Error classify_login(std::string_view message, std::string_view where);
// Of the layer below the protocol: kDenied for a certificate of the server's that was looked at and refused, else kRetry with
// a hint where the text speaks of TLS, and `hint` where it doesn't.
Error classify_connection(std::string_view message, std::string_view where, std::string_view hint = {});

// Of one document among several: what isn't known to pass is about the document, therefore kReject.
Error classify_document(int code, std::string_view message, std::string_view where,
                        std::string_view grant = {});

// Whether the server may have refused a whole command (ok: 0) for one of its documents: those have to be tried one by one.
bool may_be_a_document(int code);

// One entry of a reply's `writeErrors`.
struct WriteError {
  size_t index = 0;  // of the statement
  int code = 0;
  std::string message;
  bson::Document key_pattern;  // of a duplicate key, where the server says it (4.4 and later)
  std::string index_name;      // of a duplicate key
};
// In order of their index.
std::vector<WriteError> write_errors(bson::View reply);

inline constexpr int kDuplicateKey = 11000;

}  // namespace tidemark::mongo
