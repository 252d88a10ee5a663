#include "sources/mongodb/classify.h"

#include <algorithm>

namespace tidemark::mongodb {
namespace {

enum Phases : unsigned {
  kInOpen = 1,
  kInRead = 2,
  kInOther = 4,
  kInStream = kInOpen | kInRead,
  kAnywhere = 7
};

struct Row {
  int code;
  unsigned phases;
  React react;
  const char* hint;
};

constexpr const char* kLost =
    "the stream cannot resume from the stored position; choose a new one with `tidemark position reset` and "
    "`tidemark position init --from now|earliest|time:...`, and accept the gap or copy the data again";
constexpr const char* kLostOrFilter =
    "the position belongs to another filter, collection or deployment, or the filter changes `_id`; restore "
    "them, or "
    "choose a new position with `tidemark position reset` and `tidemark position init`";
constexpr const char* kGrant =
    "grant the user `find` and `changeStream` on what is watched: the role `read` of the database, or "
    "`readAnyDatabase` to watch the whole deployment";
constexpr const char* kCredentials = "check user, password and authSource of the uri";
constexpr const char* kReplicaSet =
    "change streams need a replica set or a sharded cluster: start mongod with --replSet and run "
    "rs.initiate()";
constexpr const char* kImages =
    "the collection keeps no pre- and post-images, or this one has expired: enable "
    "changeStreamPreAndPostImages, or "
    "use when_available instead of required";
constexpr const char* kFilter =
    "see `filter`: change streams take $match, $project, $addFields, $set, $unset, $redact";
constexpr const char* kOptions =
    "the server does not take one of the source's options: compare full_document, "
    "full_document_before_change, "
    "expanded_events and split_large_events with its version";

// No code stands twice for the same phase.
constexpr Row kRows[] = {
    // The position is lost, whenever the server says so.
    {286, kAnywhere, React::kPositionLost, kLost},            // ChangeStreamHistoryLost
    {280, kAnywhere, React::kPositionLost, kLostOrFilter},    // ChangeStreamFatalError
    {136, kAnywhere, React::kPositionLost, kLost},            // CappedPositionLost
    {464, kAnywhere, React::kPositionLost, kLost},            // a shard was removed from the cluster
    {40576, kAnywhere, React::kPositionLost, kLost},          // 4.2's code for history lost
    {40585, kAnywhere, React::kPositionLost, kLostOrFilter},  // the token is not in the oplog
    // The token is not one: terminal on open. While reading the reopen that follows will tell.
    {260, kInOpen, React::kPositionLost, kLostOrFilter},    // InvalidResumeToken
    {50811, kInOpen, React::kPositionLost, kLostOrFilter},  // undecodable
    {40647, kInOpen, React::kPositionLost, kLostOrFilter},  // no _data
    {9, kInOpen, React::kPositionLost, kLostOrFilter},      // FailedToParse: not hexadecimal
    {15, kInOpen, React::kPositionLost, kLostOrFilter},     // Overflow: cut short
    // One event is too large.
    {10334, kAnywhere, React::kReject, ""},  // BSONObjectTooLarge
    // Configuration, grants, the kind of deployment.
    {47, kInStream, React::kConfig, kImages},         // NoMatchingDocument
    {13, kAnywhere, React::kConfig, kGrant},          // Unauthorized
    {18, kAnywhere, React::kConfig, kCredentials},    // AuthenticationFailed
    {11, kAnywhere, React::kConfig, kCredentials},    // UserNotFound
    {8000, kAnywhere, React::kConfig, kCredentials},  // Atlas's own authentication error
    {40573, kAnywhere, React::kConfig, kReplicaSet},  // not a replica set
    {20, kInOpen, React::kConfig, kFilter},           // IllegalOperation: a stage that change streams refuse
    {40324, kInOpen, React::kConfig, kFilter},        // no such stage
    {168, kInOpen, React::kConfig, kFilter},          // InvalidPipelineOperator
    {2, kInOpen, React::kConfig, kFilter},            // BadValue: an operator or a value it doesn't know
    {40415, kInOpen, React::kConfig, kOptions},       // an unknown option
    {40575, kInOpen, React::kConfig, kOptions},       // a value of fullDocument it doesn't know
    {72, kInOpen, React::kConfig, kOptions},          // InvalidOptions
    {73, kInOpen, React::kConfig, "choose another database or collection: system ones cannot be watched"},
    {303, kInOpen, React::kConfig, kOptions},  // FeatureNotSupported, of compatible services
    // Faults that pass. The drivers' specification names most of them; newer servers label them as well.
    {43, kAnywhere, React::kRetry, ""},     // CursorNotFound
    {10107, kAnywhere, React::kRetry, ""},  // NotWritablePrimary
    {13435, kAnywhere, React::kRetry, ""},  // NotPrimaryNoSecondaryOk
    {13436, kAnywhere, React::kRetry, ""},  // NotPrimaryOrSecondary
    {11602, kAnywhere, React::kRetry, ""},  // InterruptedDueToReplStateChange
    {11600, kAnywhere, React::kRetry, ""},  // InterruptedAtShutdown
    {11601, kAnywhere, React::kRetry, ""},  // Interrupted
    {189, kAnywhere, React::kRetry, ""},    // PrimarySteppedDown
    {91, kAnywhere, React::kRetry, ""},     // ShutdownInProgress
    {6, kAnywhere, React::kRetry, ""},      // HostUnreachable
    {7, kAnywhere, React::kRetry, ""},      // HostNotFound
    {89, kAnywhere, React::kRetry, ""},     // NetworkTimeout
    {9001, kAnywhere, React::kRetry, ""},   // SocketException
    {50, kAnywhere, React::kRetry, ""},     // MaxTimeMSExpired
    {262, kAnywhere, React::kRetry, ""},    // ExceededTimeLimit
    {202, kAnywhere, React::kRetry, ""},    // NetworkInterfaceExceededTimeLimit
    {63, kAnywhere, React::kRetry, ""},     // StaleShardVersion
    {150, kAnywhere, React::kRetry, ""},    // StaleEpoch
    {13388, kAnywhere, React::kRetry, ""},  // StaleConfig
    {133, kAnywhere, React::kRetry, ""},    // FailedToSatisfyReadPreference
    {234, kAnywhere, React::kRetry, ""},    // RetryChangeStream
    {237, kAnywhere, React::kRetry, ""},    // CursorKilled
    {134, kAnywhere, React::kRetry, ""},    // ReadConcernMajorityNotAvailableYet
    {94, kAnywhere, React::kRetry, ""},     // NotYetInitialized
    {211, kAnywhere, React::kRetry, ""},    // KeyNotFound, just after an election
    {391, kAnywhere, React::kRetry, ""},    // ReauthenticationRequired
};

unsigned bit(Phase phase) {
  switch (phase) {
    case Phase::kOpen:
    case Phase::kFirstRead:
      return kInOpen;
    case Phase::kRead:
      return kInRead;
    case Phase::kOther:
      return kInOther;
  }
  return kAnywhere;
}

bool has_label(const Failure& failure, std::string_view label) {
  return std::find(failure.labels.begin(), failure.labels.end(), label) != failure.labels.end();
}

Error make(React react, const Failure& failure, std::string_view where, const char* hint) {
  Error error;
  error.react = react;
  error.what = std::string(where) + ": " + std::string(failure.message);
  if (failure.code != 0) error.what += " [code " + std::to_string(failure.code) + "]";
  error.hint = hint;
  error.code = failure.code;
  return error;
}

Error classify_server(const Failure& failure, Phase phase, std::string_view where) {
  // A label is the server's own judgement and outlives renumbered codes; the refusal to resume goes first.
  if (has_label(failure, "NonResumableChangeStreamError"))
    return make(React::kPositionLost, failure, where, failure.code == 286 ? kLost : kLostOrFilter);
  for (const Row& row : kRows) {
    if (row.code == failure.code && (row.phases & bit(phase)) != 0)
      return make(row.react, failure, where, row.hint);
  }
  if (has_label(failure, "ResumableChangeStreamError") || has_label(failure, "RetryableWriteError") ||
      has_label(failure, "TransientTransactionError"))
    return make(React::kRetry, failure, where, "");
  // An unknown code: a stream that ran deserves another open, which will tell; an open that is refused for a
  // reason we don't know would be refused again for ever, and looks like patience while it is a stall.
  if (phase == Phase::kOpen)
    return make(React::kFatal, failure, where, "an error that Tidemark does not know");
  return make(React::kRetry, failure, where, "");
}

}  // namespace

Error classify(const Failure& failure, Phase phase, std::string_view where) {
  switch (failure.origin) {
    case Origin::kServer:
      return classify_server(failure, phase, where);
    case Origin::kNetwork:
      return make(React::kRetry, failure, where, "");
    case Origin::kSelection:
      return make(
          React::kRetry, failure, where,
          "no suitable member answers: check the hosts, replicaSet and tls of the uri, and the network");
    case Origin::kAuthentication:
      return make(React::kConfig, failure, where, kCredentials);
    case Origin::kIncompatible:
      return make(React::kConfig, failure, where, "Tidemark needs MongoDB 4.2 or later");
    case Origin::kDriver:
      return make(React::kFatal, failure, where, "");
  }
  return make(React::kFatal, failure, where, "");
}

bool may_mean_unsupported(int code) {
  return code == 40415 || code == 40324 || code == 9 || code == 2 || code == 72 || code == 303 || code == 168;
}

}  // namespace tidemark::mongodb
