#include "sandbox/server/request.h"

#include <algorithm>

#include "base/digest.h"
#include "sandbox/change_stream/spec.h"

namespace tidemark::sandbox {
namespace {

constexpr std::chrono::seconds kReadConcernWaitMax{10};

bool opens_stream(const Invocation& inv) {
  const auto pipeline = inv.body.find("pipeline");
  return inv.name == "aggregate" && pipeline && pipeline->is_array() &&
         is_change_stream(pipeline->document());
}

}  // namespace

Reply<void> parse_session(Invocation& inv) {
  SANDBOX_ASSIGN(const bson::View lsid, document_field(inv, inv.body, "lsid"));
  if (lsid) {
    ConnectionState& connection = inv.connection;
    if (!(connection.lsid_given.view() == lsid)) {
      const auto id = lsid.find("id");
      if (!id || id->type() != BSON_TYPE_BINARY)
        return command_error(40414,
                             "BSON field 'OperationSessionInfo.lsid.id' is missing but a required field");
      const Sha256 uid =
          sha256(connection.authenticated ? connection.user + "@" + connection.user_db : std::string());
      bson::Builder whole;
      whole.append("id", *id);
      bson_append_binary(whole.raw(), "uid", 3, BSON_SUBTYPE_BINARY, uid.data(),
                         static_cast<uint32_t>(uid.size()));
      connection.lsid_given = bson::Document(lsid);
      connection.lsid = whole.finish();
    }
    inv.lsid = connection.lsid;
  }
  SANDBOX_ASSIGN(inv.txn_number, int_field(inv, inv.body, "txnNumber", -1));
  if (inv.txn_number >= 0 && !lsid)
    return command_error(kInvalidOptions, "Transaction number requires a session ID to also be specified");
  const auto autocommit = inv.body.find("autocommit");
  inv.in_transaction = autocommit && !autocommit->truthy();
  SANDBOX_ASSIGN(inv.start_transaction, bool_field(inv, inv.body, "startTransaction", false));
  if (inv.in_transaction && inv.txn_number < 0)
    return command_error(kInvalidOptions,
                         "'autocommit' field requires a transaction number to also be specified");
  if (inv.retryable_write() && !inv.spec->is(kRetryable) && inv.name != "commitTransaction")
    return command_error(50768,
                         "txnNumber may only be provided for multi-document transactions and retryable write "
                         "commands. autocommit:false was not provided, and " +
                             std::string(inv.name) + " is not a retryable write command.");
  return {};
}

Reply<void> parse_write_concern(Invocation& inv) {
  SANDBOX_ASSIGN(const bson::View given, document_field(inv, inv.body, "writeConcern"));
  if (!given || given.empty()) return {};
  SANDBOX_TRY(check_fields(given, "w j fsync wtimeout provenance", "writeConcern"));
  WriteConcern concern;
  if (const auto w = given.find("w")) {
    if (w->is_string()) {
      if (w->string() != "majority")
        return command_error(79, "No write concern mode named '" + std::string(w->string()) +
                                     "' found in replica set configuration");
      concern.majority = true;
    } else {
      SANDBOX_ASSIGN(const int64_t count, int_field(inv, given, "w", 1));
      if (count < 0 || count > 50)
        return command_error(kFailedToParse, "w has to be a non-negative number and not greater than 50");
      concern.w = static_cast<int>(count);
    }
  } else if (!inv.cluster.classic()) {
    concern.majority = true;
  }
  SANDBOX_ASSIGN(const int64_t timeout, int_field(inv, given, "wtimeout", 0));
  concern.timeout = std::chrono::milliseconds(std::max<int64_t>(timeout, 0));
  inv.write_concern = concern;
  return {};
}

Reply<void> parse_read_concern(Invocation& inv) {
  SANDBOX_ASSIGN(inv.read_concern_document, document_field(inv, inv.body, "readConcern"));
  const bson::View given = inv.read_concern_document;
  if (given) {
    SANDBOX_TRY(
        check_fields(given, "level afterClusterTime afterOpTime atClusterTime provenance", "readConcern"));
    SANDBOX_ASSIGN(const auto level, string_field(inv, given, "level"));
    if (level == "local")
      inv.read_concern = ReadConcern::kLocal;
    else if (level == "available")
      inv.read_concern = ReadConcern::kAvailable;
    else if (level == "majority")
      inv.read_concern = ReadConcern::kMajority;
    else if (level == "linearizable")
      inv.read_concern = ReadConcern::kLinearizable;
    else if (level == "snapshot")
      inv.read_concern = ReadConcern::kSnapshot;
    else if (!level.empty())
      return command_error(
          kFailedToParse,
          "readConcern.level must be either 'local', 'majority', 'linearizable', 'available', or 'snapshot'");
  }
  // A change stream does without: it looks back from the majority's point by itself.
  if (inv.read_concern == ReadConcern::kMajority && !inv.cluster.options.majority_reads && !opens_stream(inv))
    return command_error(kReadConcernMajorityNotEnabled,
                         "Majority read concern requested, but server was not started with "
                         "--enableMajorityReadConcern.");
  if (inv.read_concern == ReadConcern::kSnapshot && inv.cluster.classic() && !inv.in_transaction)
    return command_error(kInvalidOptions, "readConcern level snapshot is only valid in a transaction");
  SANDBOX_ASSIGN(inv.max_time_ms, int_field(inv, inv.body, "maxTimeMS", 0));
  if (inv.max_time_ms < 0) return command_error(kBadValue, "value for maxTimeMS is out of range");
  const auto preference = inv.body.find("$readPreference");
  if (preference && preference->is_document()) {
    const auto mode = preference->document().find("mode");
    inv.secondary_ok = mode && mode->is_string() && mode->string() != "primary";
  }
  return {};
}

Reply<void> wait_after_cluster_time(const Invocation& inv) {
  if (!inv.read_concern_document) return {};
  const auto after = inv.read_concern_document.find("afterClusterTime");
  if (!after || after->type() != BSON_TYPE_TIMESTAMP) return {};
  bson::Timestamp time;
  bson_iter_timestamp(&after->iter(), &time.seconds, &time.increment);
  const Oplog& oplog = inv.member().oplog;
  if (oplog.newest().ts >= time || time.increment == 0) return {};
  const bson::Timestamp before{time.seconds, time.increment - 1};
  const auto limit = inv.max_time_ms > 0 ? std::chrono::milliseconds(inv.max_time_ms) : kReadConcernWaitMax;
  const Mono end = inv.cluster.clock.now() + limit;
  while (!inv.stop.stop_requested() && inv.cluster.clock.now() < end)
    if (oplog.wait_appended(before, std::chrono::milliseconds(100), inv.stop)) return {};
  return command_error(kMaxTimeMsExpired, "operation exceeded time limit while waiting for afterClusterTime");
}

Reply<void> check_role(const Invocation& inv) {
  if (inv.node.member.topology.get().primary) return {};
  if (inv.spec->is(kPrimaryOnly) || inv.in_transaction) return not_primary(inv);
  if (inv.spec->is(kReads) && !inv.secondary_ok)
    return command_error(
        13435, inv.cluster.classic() ? "not master and slaveOk=false" : "not primary and secondaryOk=false");
  return {};
}

Reply<void> enter_transaction(Invocation& inv) {
  if (!inv.in_transaction || inv.name == "commitTransaction" || inv.name == "abortTransaction") return {};
  if (!inv.spec->is(kTransactions))
    return command_error(263, "Cannot run '" + std::string(inv.name) + "' in a multi-document transaction.");
  if (inv.start_transaction) {
    {
      SharedLock lock(inv.member().mutex);
      const SessionRecord* known = inv.member().sessions.find(inv.lsid);
      if (known != nullptr && known->txn_number >= inv.txn_number)
        return command_error(225, "Cannot start a transaction at given transaction number " +
                                      std::to_string(inv.txn_number) + ": session's newest is " +
                                      std::to_string(known->txn_number));
    }
    SANDBOX_ASSIGN(inv.transaction, inv.node.transactions.begin(inv.lsid, inv.txn_number));
    return {};
  }
  SANDBOX_ASSIGN(inv.transaction, inv.node.transactions.find(inv.lsid, inv.txn_number));
  return {};
}

// A majority read: what was read must be committed before it is shown.
Reply<void> wait_read_concern(const Invocation& inv) {
  const bool majority = inv.read_concern == ReadConcern::kMajority ||
                        inv.read_concern == ReadConcern::kLinearizable ||
                        inv.read_concern == ReadConcern::kSnapshot;
  if (!majority || inv.in_transaction || inv.seen == OpTime{}) return {};
  const Oplog& oplog = inv.member().oplog;
  const auto limit = inv.max_time_ms > 0 ? std::chrono::milliseconds(inv.max_time_ms) : kReadConcernWaitMax;
  const Mono end = inv.cluster.clock.now() + limit;
  while (oplog.commit_point().ts < inv.seen.ts) {
    if (inv.stop.stop_requested() || inv.cluster.clock.now() >= end)
      return command_error(kMaxTimeMsExpired, "operation exceeded time limit while waiting for a majority");
    // One below: returns as soon as the entry itself is committed.
    oplog.wait_committed({inv.seen.ts.seconds, inv.seen.ts.increment - 1}, std::chrono::milliseconds(100),
                         inv.stop);
  }
  return {};
}

}  // namespace tidemark::sandbox
