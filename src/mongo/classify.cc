#include "mongo/classify.h"

#include <algorithm>
#include <array>

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
constexpr const char* kView =
    "it is a view or a time series, and only a plain collection will do: choose another collection";
constexpr const char* kMajority =
    "the server was started with enableMajorityReadConcern: false, and nothing here may be read that could "
    "be rolled "
    "back: start it without that option (the default)";
constexpr const char* kTooOld = "Tidemark needs MongoDB 4.2 or later";
constexpr const char* kShardKey =
    "the collection is sharded by another key than _id: let the user read config.collections (`read` on "
    "`config`), so that "
    "the key is known, and shard by fields that each document has";
constexpr const char* kUnknown = "an error that Tidemark does not know: it is waited out";

// No code stands twice. What isn't here is waited out as well, and is called unknown. The server's own list:
// https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml
constexpr Row kRows[] = {
    // What only somebody else can change: credentials, grants, the kind of deployment. docs/operating.md lists them.
    {13, React::kDenied, kGrant},          // Unauthorized
    {18, React::kDenied, kCredentials},    // AuthenticationFailed
    {11, React::kDenied, kCredentials},    // UserNotFound
    {8000, React::kDenied, kCredentials},  // Atlas's own authentication error
    {31, React::kDenied, kGrant},          // RoleNotFound
    {33, React::kDenied, kGrant},          // PrivilegeNotFound
    {214, React::kDenied, "the user may not connect from this address (authenticationRestrictions)"},
    {334, React::kDenied, "the server doesn't offer the uri's authMechanism"},  // MechanismUnavailable
    {392, React::kDenied, kCredentials},                                        // InvalidJWT
    {20, React::kDenied, "a replica set or a sharded cluster is needed: start mongod with --replSet"},
    {73, React::kConfig, kName},       // InvalidNamespace
    {166, React::kDenied, kView},      // CommandNotSupportedOnView
    {167, React::kDenied, kView},      // OptionNotSupportedOnView
    {148, React::kDenied, kMajority},  // ReadConcernMajorityNotEnabled
    {59, React::kDenied, kTooOld},     // CommandNotFound
    {101, React::kDenied, kTooOld},    // OutdatedClient
    {188, React::kDenied, kTooOld},    // IncompatibleServerVersion
    {61, React::kDenied, kShardKey},   // ShardKeyNotFound
    {79, React::kDenied, "the deployment has no write concern \"majority\""},  // UnknownReplWriteConcern
    {323, React::kDenied,
     "the uri asks for a Stable API that has not all that is needed: take apiStrict out"},
    // Faults that pass: elections, shutdowns, timeouts, a majority that is missing for now, a conflict, a shard that moves.
    {6, React::kRetry, ""},    // HostUnreachable
    {7, React::kRetry, ""},    // HostNotFound
    {24, React::kRetry, ""},   // LockTimeout
    {43, React::kRetry, ""},   // CursorNotFound
    {46, React::kRetry, ""},   // LockBusy
    {50, React::kRetry, ""},   // MaxTimeMSExpired
    {63, React::kRetry, ""},   // StaleShardVersion
    {64, React::kRetry, ""},   // WriteConcernTimeout
    {70, React::kRetry, ""},   // ShardNotFound: it is being added, or was just removed
    {74, React::kRetry, ""},   // NodeNotFound
    {82, React::kRetry, ""},   // NoProgressMade
    {83, React::kRetry, ""},   // RemoteResultsUnavailable
    {89, React::kRetry, ""},   // NetworkTimeout
    {90, React::kRetry, ""},   // CallbackCanceled
    {91, React::kRetry, ""},   // ShutdownInProgress
    {94, React::kRetry, ""},   // NotYetInitialized
    {95, React::kRetry, ""},   // NotSecondary
    {100, React::kRetry, ""},  // UnsatisfiableWriteConcern: too few members for now
    {107, React::kRetry, ""},  // LockFailed
    {112, React::kRetry, ""},  // WriteConflict
    {117, React::kRetry, ""},  // ConflictingOperationInProgress
    {123, React::kRetry,
     ""},  // NotAReplicaSet: a member that was started anew, before it has its configuration
    {133, React::kRetry, ""},  // FailedToSatisfyReadPreference
    {134, React::kRetry, ""},  // ReadConcernMajorityNotAvailableYet
    {141, React::kRetry, ""},  // SSLHandshakeFailed, between members
    {143, React::kRetry, ""},  // CursorInUse
    {145, React::kRetry, ""},  // PooledConnectionsDropped
    {146, React::kRetry, ""},  // ExceededMemoryLimit
    {149, React::kRetry, ""},  // NoConfigPrimary
    {150, React::kRetry, ""},  // StaleEpoch
    {175, React::kRetry, ""},  // QueryPlanKilled
    {189, React::kRetry, ""},  // PrimarySteppedDown
    {199, React::kRetry, ""},  // ReplicaSetMonitorRemoved
    {200, React::kRetry, ""},  // ChunkRangeCleanupPending
    {202, React::kRetry, ""},  // NetworkInterfaceExceededTimeLimit
    {203, React::kRetry, ""},  // ShardingStateNotInitialized
    {204, React::kRetry, ""},  // TimeProofMismatch
    {205, React::kRetry, ""},  // ClusterTimeFailsRateLimiter
    {206, React::kRetry, ""},  // NoSuchSession
    {210, React::kRetry, ""},  // CannotVerifyAndSignLogicalTime
    {211, React::kRetry, ""},  // KeyNotFound, just after an election
    {215, React::kRetry, ""},  // DatabaseDropPending
    {216, React::kRetry, ""},  // ElectionInProgress
    {225, React::kRetry, ""},  // TransactionTooOld
    {237, React::kRetry, ""},  // CursorKilled
    {239, React::kRetry, ""},  // SnapshotTooOld
    {246, React::kRetry, ""},  // SnapshotUnavailable
    {249, React::kRetry, ""},  // StaleDbVersion
    {250, React::kRetry, ""},  // StaleChunkHistory
    {251, React::kRetry, ""},  // NoSuchTransaction: it was aborted
    {261, React::kRetry, ""},  // TooManyLogicalSessions
    {262, React::kRetry, ""},  // ExceededTimeLimit
    {264, React::kRetry, ""},  // TooManyFilesOpen
    {267, React::kRetry, ""},  // PreparedTransactionInProgress
    {272, React::kRetry, ""},  // MigrationConflict
    {276, React::kRetry, ""},  // IndexBuildAborted
    {279, React::kRetry, ""},  // ClientDisconnect
    {281, React::kRetry, ""},  // TransactionCoordinatorSteppingDown
    {282, React::kRetry, ""},  // TransactionCoordinatorReachedAbortDecision
    {285, React::kRetry, ""},  // IndexBuildAlreadyInProgress
    {290, React::kRetry, ""},  // TransactionExceededLifetimeLimitSeconds
    {310, React::kRetry, ""},  // PeriodicJobIsStopped
    {314, React::kRetry, ""},  // ObjectIsBusy
    {317, React::kRetry, ""},  // ConnectionPoolExpired
    {319, React::kRetry, ""},  // MovePrimaryInProgress
    {333, React::kRetry, ""},  // ServiceExecutorInShutdown
    {337, React::kRetry, ""},  // AuthenticationAbandoned
    {338, React::kRetry, ""},  // ReshardCollectionInProgress
    {342, React::kRetry, ""},  // ReshardingCriticalSectionTimeout
    {343, React::kRetry, ""},  // ShardCannotRefreshDueToLocksHeld
    {355, React::kRetry, ""},  // InterruptedDueToStorageChange
    {358, React::kRetry, ""},  // InternalTransactionNotSupported
    {363, React::kRetry, ""},  // RetryableTransactionInProgress
    {365, React::kRetry, ""},  // TemporarilyUnavailable
    {371, React::kRetry, "somebody has blocked the users' writes (setUserWriteBlockMode)"},
    {384, React::kRetry, ""},    // ConnectionError
    {391, React::kRetry, ""},    // ReauthenticationRequired
    {402, React::kRetry, ""},    // ResourceExhausted
    {404, React::kRetry, ""},    // LDAPRoleAcquisitionError
    {406, React::kRetry, ""},    // MigrationBlockingOperationCoordinatorCleaningUp
    {407, React::kRetry, ""},    // PooledConnectionAcquisitionExceededTimeLimit
    {412, React::kRetry, ""},    // UpdatesStillPending
    {414, React::kRetry, ""},    // AddOrRemoveShardInProgress
    {433, React::kRetry, ""},    // AdmissionQueueOverflow
    {449, React::kRetry, ""},    // RateLimitExceeded
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
    {14031, React::kRetry, "the server's disk is full: make room, it is tried again"},  // OutOfDiskSpace
};

const Row* row_of(int code) {
  for (const Row& row : kRows)
    if (row.code == code) return &row;
  return nullptr;
}

std::string_view hint_of(const Row& row, std::string_view grant) {
  return row.react == React::kDenied && *row.hint == '\0' ? grant : std::string_view(row.hint);
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

Error unknown(const Failure& failure, std::string_view where) {
  Error error = make(React::kRetry, failure.code, failure.message, where, kUnknown);
  error.unknown = true;
  return error;
}

Error classify_server(const Failure& failure, std::string_view where, std::string_view grant) {
  // A label is the server's own judgement and outlives renumbered codes.
  if (passes_by_label(failure)) return make(React::kRetry, failure.code, failure.message, where, "");
  if (const Row* row = row_of(failure.code)) {
    return make(row->react, failure.code, failure.message, where, hint_of(*row, grant));
  }
  // What isn't known waits, and says so: an end that was none costs more than a wait that somebody is told of.
  return unknown(failure, where);
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

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

Error classify_login(std::string_view message, std::string_view where) {
  const bool refused = contains(message, "uthentication failed") || contains(message, "x.509") ||
                       contains(message, "echanism");
  return make(refused ? React::kDenied : React::kRetry, 0, message, where, kCredentials);
}

Error classify_connection(std::string_view message, std::string_view where, std::string_view hint) {
  if (contains(message, "verify failed") || contains(message, "ertificate verif")) {
    return make(
        React::kDenied, 0, message, where,
        "the server's certificate is not trusted, has expired, or names another host: compare tlsCAFile and "
        "the hosts of the uri with it");
  }
  // That the other side refuses our certificate looks like any connection that breaks.
  if (contains(message, "TLS") || contains(message, "SSL")) {
    return make(
        React::kRetry, 0, message, where,
        "the TLS handshake fails: does the server speak TLS on that port, and does it accept the certificate "
        "of tlsCertificateKeyFile?");
  }
  return make(React::kRetry, 0, message, where, hint);
}

Error classify(const Failure& failure, std::string_view where, std::string_view grant) {
  switch (failure.origin) {
    case Origin::kServer:
      return classify_server(failure, where, grant);
    case Origin::kNetwork:
      return classify_connection(failure.message, where);
    case Origin::kSelection:
      // It carries what the last try at each member said.
      if (contains(failure.message, "uthentication failed")) return classify_login(failure.message, where);
      return classify_connection(
          failure.message, where,
          "no suitable member answers: check the hosts, replicaSet and tls of the uri, and the network");
    case Origin::kAuthentication:
      return classify_login(failure.message, where);
    case Origin::kIncompatible:
      return make(React::kDenied, failure.code, failure.message, where, kTooOld);
    case Origin::kDriver:
      break;
  }
  return unknown(failure, where);
}

Error classify_document(int code, std::string_view message, std::string_view where, std::string_view grant) {
  if (const Row* row = row_of(code)) return make(row->react, code, message, where, hint_of(*row, grant));
  return make(React::kReject, code, message, where, "");
}

bool may_be_a_document(int code) {
  // Overflow (nested too deep), InvalidBSON, NonConformantBSON, BSONObjectTooLarge and its older forms: what is said of a
  // message before its statements are looked at.
  constexpr std::array kCodes = {15, 22, 378, 10334, 17419, 17420};
  return std::find(kCodes.begin(), kCodes.end(), code) != kCodes.end();
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
