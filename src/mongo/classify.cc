#include "mongo/classify.h"

#include <algorithm>

namespace tidemark::mongo {
namespace {

struct Row {
  int code;
  React react;
  const char* hint;
};

constexpr const char* kCredentials = "check user, password and authSource of the uri";
constexpr const char* kGrant = "";  // the caller's
constexpr const char* kName = "choose another database or collection";

// No code stands twice.
constexpr Row kRows[] = {
    // Configuration, grants, the kind of deployment.
    {13, React::kConfig, kGrant},          // Unauthorized
    {18, React::kConfig, kCredentials},    // AuthenticationFailed
    {11, React::kConfig, kCredentials},    // UserNotFound
    {8000, React::kConfig, kCredentials},  // Atlas's own authentication error
    {20, React::kConfig, "a replica set or a sharded cluster is needed: start mongod with --replSet"},
    {73, React::kConfig, kName},                                               // InvalidNamespace
    {166, React::kConfig, kName},                                              // CommandNotSupportedOnView
    {79, React::kConfig, "the deployment has no write concern \"majority\""},  // UnknownReplWriteConcern
    // Faults that pass: elections, shutdowns, timeouts, a majority that is missing for now, a conflict.
    {6, React::kRetry, ""},      // HostUnreachable
    {7, React::kRetry, ""},      // HostNotFound
    {24, React::kRetry, ""},     // LockTimeout
    {43, React::kRetry, ""},     // CursorNotFound
    {46, React::kRetry, ""},     // LockBusy
    {50, React::kRetry, ""},     // MaxTimeMSExpired
    {63, React::kRetry, ""},     // StaleShardVersion
    {64, React::kRetry, ""},     // WriteConcernFailed: wtimeout
    {89, React::kRetry, ""},     // NetworkTimeout
    {91, React::kRetry, ""},     // ShutdownInProgress
    {94, React::kRetry, ""},     // NotYetInitialized
    {100, React::kRetry, ""},    // UnsatisfiableWriteConcern: too few members for now
    {112, React::kRetry, ""},    // WriteConflict
    {117, React::kRetry, ""},    // ConflictingOperationInProgress
    {133, React::kRetry, ""},    // FailedToSatisfyReadPreference
    {134, React::kRetry, ""},    // ReadConcernMajorityNotAvailableYet
    {150, React::kRetry, ""},    // StaleEpoch
    {189, React::kRetry, ""},    // PrimarySteppedDown
    {202, React::kRetry, ""},    // NetworkInterfaceExceededTimeLimit
    {211, React::kRetry, ""},    // KeyNotFound, just after an election
    {237, React::kRetry, ""},    // CursorKilled
    {239, React::kRetry, ""},    // SnapshotTooOld
    {246, React::kRetry, ""},    // SnapshotUnavailable
    {251, React::kRetry, ""},    // NoSuchTransaction: it was aborted
    {262, React::kRetry, ""},    // ExceededTimeLimit
    {276, React::kRetry, ""},    // IndexBuildAborted
    {290, React::kRetry, ""},    // TransactionExceededLifetimeLimitSeconds
    {314, React::kRetry, ""},    // ObjectIsBusy
    {391, React::kRetry, ""},    // ReauthenticationRequired
    {9001, React::kRetry, ""},   // SocketException
    {10058, React::kRetry, ""},  // LegacyNotPrimary
    {10107, React::kRetry, ""},  // NotWritablePrimary
    {11600, React::kRetry, ""},  // InterruptedAtShutdown
    {11601, React::kRetry, ""},  // Interrupted
    {11602, React::kRetry, ""},  // InterruptedDueToReplStateChange
    {12586, React::kRetry, ""},  // BackgroundOperationInProgressForDatabase
    {12587, React::kRetry, ""},  // BackgroundOperationInProgressForNamespace
    {13388, React::kRetry, ""},  // StaleConfig
    {13435, React::kRetry, ""},  // NotPrimaryNoSecondaryOk
    {13436, React::kRetry, ""},  // NotPrimaryOrSecondary
    {14031, React::kRetry, ""},  // OutOfDiskSpace: the operator may make room
};

const Row* row_of(int code) {
  for (const Row& row : kRows)
    if (row.code == code) return &row;
  return nullptr;
}

bool passes_by_label(const Failure& failure) {
  return std::any_of(failure.labels.begin(), failure.labels.end(), [](const std::string& label) {
    return label == "RetryableWriteError" || label == "TransientTransactionError" || label == "NetworkError";
  });
}

Error make(React react, int code, std::string_view message, std::string_view where, std::string_view hint) {
  Error error;
  error.react = react;
  error.what = std::string(where) + ": " + std::string(message);
  if (code != 0) error.what += " [code " + std::to_string(code) + "]";
  error.hint = hint;
  error.code = code;
  return error;
}

Error classify_server(const Failure& failure, std::string_view where, std::string_view grant) {
  // A label is the server's own judgement and outlives renumbered codes.
  if (passes_by_label(failure)) return make(React::kRetry, failure.code, failure.message, where, "");
  if (const Row* row = row_of(failure.code)) {
    return make(row->react, failure.code, failure.message, where,
                failure.code == 13 ? grant : std::string_view(row->hint));
  }
  // Refused for a reason we don't know it would be refused again for ever.
  return make(React::kFatal, failure.code, failure.message, where, "");
}

// "E11000 duplicate key error collection: db.c index: NAME dup key: { ... }", in every version.
std::string index_name_in(std::string_view message) {
  constexpr std::string_view kBefore = " index: ";
  const size_t start = message.find(kBefore);
  const size_t end = message.find(" dup key", start == std::string_view::npos ? 0 : start);
  if (start == std::string_view::npos || end == std::string_view::npos) return {};
  std::string_view name = message.substr(start + kBefore.size(), end - start - kBefore.size());
  // Old servers put the namespace before it: "db.c.$NAME".
  if (const size_t dollar = name.find(".$"); dollar != std::string_view::npos) name = name.substr(dollar + 2);
  return std::string(name);
}

}  // namespace

Error classify(const Failure& failure, std::string_view where, std::string_view grant) {
  switch (failure.origin) {
    case Origin::kServer:
      return classify_server(failure, where, grant);
    case Origin::kNetwork:
      return make(React::kRetry, failure.code, failure.message, where, "");
    case Origin::kSelection:
      return make(
          React::kRetry, failure.code, failure.message, where,
          "no suitable member answers: check the hosts, replicaSet and tls of the uri, and the network");
    case Origin::kAuthentication:
      return make(React::kConfig, failure.code, failure.message, where, kCredentials);
    case Origin::kIncompatible:
      return make(React::kConfig, failure.code, failure.message, where,
                  "Tidemark needs MongoDB 4.2 or later");
    case Origin::kDriver:
      break;
  }
  return make(React::kFatal, failure.code, failure.message, where, "");
}

Error classify_document(int code, std::string_view message, std::string_view where, std::string_view grant) {
  if (const Row* row = row_of(code))
    return make(row->react, code, message, where, code == 13 ? grant : std::string_view(row->hint));
  return make(React::kReject, code, message, where, "");
}

std::vector<WriteError> write_errors(bson::View reply) {
  std::vector<WriteError> out;
  const auto errors = reply.find("writeErrors");
  if (!errors || !errors->is_array()) return out;
  for (const bson::Element item : errors->document()) {
    if (!item.is_document()) continue;
    const bson::View entry = item.document();
    WriteError error;
    if (const auto index = entry.find("index"))
      error.index = static_cast<size_t>(index->integer().value_or(0));
    if (const auto code = entry.find("code")) error.code = static_cast<int>(code->integer().value_or(0));
    const auto text = entry.find("errmsg");
    error.message = text && text->is_string() ? std::string(text->string()) : "a write failed";
    if (const auto pattern = entry.find("keyPattern"); pattern && pattern->is_document())
      error.key_pattern = bson::Document(pattern->document());
    if (error.code == kDuplicateKey) error.index_name = index_name_in(error.message);
    out.push_back(std::move(error));
  }
  std::sort(out.begin(), out.end(),
            [](const WriteError& a, const WriteError& b) { return a.index < b.index; });
  return out;
}

}  // namespace tidemark::mongo
