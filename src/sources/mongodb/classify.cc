#include "sources/mongodb/classify.h"

#include <algorithm>

#include "mongo/classify.h"

namespace tidemark::mongodb {
namespace {

enum Phases : unsigned {
  kInAggregate = 1,
  kInFirstRead = 2,
  kInOpen = kInAggregate | kInFirstRead,
  kInRead = 4,
  kInOther = 8,
  kInStream = kInOpen | kInRead,
  kAnywhere = kInStream | kInOther
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
constexpr const char* kView =
    "change streams are of collections: watch the collection that the view or the time series reads, or the "
    "whole "
    "database";
constexpr const char* kMajority =
    "the deployment runs with enableMajorityReadConcern: false, under which nothing can be read that is sure "
    "to stay; "
    "take that setting out of the members' configuration";
constexpr const char* kUnknown = "an error that Tidemark does not know: it waits and tries again";
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
    {10334, kAnywhere, React::kReject, ""},    // BSONObjectTooLarge
    {7182500, kAnywhere, React::kReject, ""},  // not even its fragments would fit
    {7182502, kAnywhere, React::kReject, ""},  // nothing to split it at
    {13548, kInStream, React::kReject, ""},    // past the 64 MB of a buffer
    {16389, kInStream, React::kReject, ""},    // a result of a pipeline over 16 MB
    // Configuration, grants, the kind of deployment.
    {47, kInStream, React::kConfig, kImages},         // NoMatchingDocument
    {13, kAnywhere, React::kDenied, kGrant},          // Unauthorized
    {18, kAnywhere, React::kDenied, kCredentials},    // AuthenticationFailed
    {11, kAnywhere, React::kDenied, kCredentials},    // UserNotFound
    {8000, kAnywhere, React::kDenied, kCredentials},  // Atlas's own authentication error
    {40573, kAnywhere, React::kConfig, kReplicaSet},  // not a replica set
    {166, kInStream, React::kConfig, kView},          // CommandNotSupportedOnView
    {167, kInStream, React::kConfig, kView},          // OptionNotSupportedOnView
    {148, kAnywhere, React::kConfig, kMajority},      // ReadConcernMajorityNotEnabled
    {20, kInAggregate, React::kConfig, kFilter},      // IllegalOperation: a stage that change streams refuse
    {40324, kInAggregate, React::kConfig, kFilter},   // no such stage
    {168, kInAggregate, React::kConfig, kFilter},     // InvalidPipelineOperator
    {2, kInAggregate, React::kConfig, kFilter},       // BadValue: an operator or a value it doesn't know
    {40415, kInAggregate, React::kConfig, kOptions},  // an unknown option
    {40575, kInAggregate, React::kConfig, kOptions},  // a value of fullDocument it doesn't know
    {72, kInAggregate, React::kConfig, kOptions},     // InvalidOptions
    {73, kInAggregate, React::kConfig,
     "choose another database or collection: system ones cannot be watched"},
    {303, kInAggregate, React::kConfig, kOptions},  // FeatureNotSupported, of compatible services
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
    {24, kAnywhere, React::kRetry, ""},     // LockTimeout
    {46, kAnywhere, React::kRetry, ""},     // LockBusy
    {112, kAnywhere, React::kRetry, ""},    // WriteConflict
    {175, kAnywhere, React::kRetry, ""},    // QueryPlanKilled
    {246, kAnywhere, React::kRetry, ""},    // SnapshotUnavailable
    {279, kAnywhere, React::kRetry, ""},    // ClientDisconnect
    {14031, kAnywhere, React::kRetry, ""},  // OutOfDiskSpace
};

unsigned bit(Phase phase) {
  switch (phase) {
    case Phase::kOpen:
      return kInAggregate;
    case Phase::kFirstRead:
      return kInFirstRead;
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

bool labelled_as_passing(const Failure& failure) {
  return has_label(failure, "ResumableChangeStreamError") || has_label(failure, "RetryableWriteError") ||
         has_label(failure, "TransientTransactionError");
}

const Row* row_of(int code, Phase phase) {
  for (const Row& row : kRows) {
    if (row.code == code && (row.phases & bit(phase)) != 0) return &row;
  }
  return nullptr;
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
  if (const Row* row = row_of(failure.code, phase)) return make(row->react, failure, where, row->hint);
  // An unknown code waits, whatever the phase: that the open which follows is refused for the same reason is said each time,
  // and costs nothing that an end would save.
  return make(React::kRetry, failure, where, labelled_as_passing(failure) ? "" : kUnknown);
}

}  // namespace

Error classify(const Failure& failure, Phase phase, std::string_view where) {
  switch (failure.origin) {
    case Origin::kServer:
      return classify_server(failure, phase, where);
    case Origin::kNetwork:
      return mongo::classify_connection(failure.message, where);
    case Origin::kSelection:
      if (failure.message.find("uthentication failed") != std::string_view::npos)
        return mongo::classify_login(failure.message, where);
      return mongo::classify_connection(
          failure.message, where,
          "no suitable member answers: check the hosts, replicaSet and tls of the uri, and the network");
    case Origin::kAuthentication:
      return mongo::classify_login(failure.message, where);
    case Origin::kIncompatible:
      return make(React::kConfig, failure, where, "Tidemark needs MongoDB 4.2 or later");
    case Origin::kDriver:
      break;
  }
  return make(React::kRetry, failure, where, kUnknown);
}

bool may_be_about_an_event(const Failure& failure, Phase phase, bool filtered) {
  if (failure.origin != Origin::kServer || labelled_as_passing(failure)) return false;
  if (has_label(failure, "NonResumableChangeStreamError")) return false;
  // FailedToParse and Overflow of the first read are a mangled token's, or the filter's at the first event.
  if (phase == Phase::kFirstRead && filtered && (failure.code == 9 || failure.code == 15)) return true;
  return row_of(failure.code, phase) == nullptr;
}

bool may_be_about_the_filter(const Failure& failure) {
  if (failure.origin != Origin::kServer || labelled_as_passing(failure)) return false;
  if (has_label(failure, "NonResumableChangeStreamError")) return false;
  const Row* row = row_of(failure.code, Phase::kOpen);
  return row == nullptr || row->hint == kFilter || failure.code == 9 || failure.code == 15;
}

bool is_unknown(const Error& error) { return error.hint == kUnknown; }

Error not_a_collection(Error error, std::string_view what) {
  error.react = React::kConfig;
  error.what += "; ";
  error.what += what;
  error.hint = kView;
  return error;
}

Error filter_refused(const Failure& failure, std::string_view where) {
  return make(React::kConfig, failure, where, kFilter);
}

bool may_mean_unsupported(int code) {
  return code == 40415 || code == 40324 || code == 9 || code == 2 || code == 72 || code == 303 || code == 168;
}

}  // namespace tidemark::mongodb
