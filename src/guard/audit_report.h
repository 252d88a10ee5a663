// What an audit found, as plain values. Its text and its JSON are in guard/audit_text.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/audit.h"
#include "guard/report.h"

namespace tidemark::guard {

enum class AuditKind {
  kCount,     // how many documents each bucket holds
  kChecksum,  // what they hold
};
std::string_view to_string(AuditKind kind);  // "count", "checksum"

enum class DifferenceKind {
  kMissing,     // at the source only
  kExtra,       // at the destination only
  kDifferent,   // at both, with other content
  kUnreadable,  // at both, and what the row holds reads back to no document of this id
  kStale,       // the document is refused, and a row shows what it was before
  kDoubled,  // the source holds this id more than once, on several shards, and the destination can hold one
};
inline constexpr size_t kDifferenceKinds = static_cast<size_t>(DifferenceKind::kDoubled) + 1;
// "missing", "extra", "different", "unreadable", "stale", "doubled"
std::string_view to_string(DifferenceKind kind);

// A confirmed difference: the destination is wrong about this document, and the pipeline won't mend it by itself.
struct AuditDifference {
  CollectionName collection;
  std::string id;  // canonical Extended JSON of `_id`
  DifferenceKind kind = DifferenceKind::kMissing;
  std::string key = {};  // AuditId::key

  friend auto operator<=>(const AuditDifference&, const AuditDifference&) = default;
};

// A document that a transform or the destination refuses: it is in the dead letters, or ends the pipeline.
struct AuditReject {
  CollectionName collection;
  std::string id;
  std::string reason;
};

// A collection that an audit could not compare, and why.
struct AuditUnaudited {
  CollectionName collection;
  std::string reason;
};

// A bucket with confirmed differences; those of the kinds that came later count as different.
struct BucketDelta {
  CollectionName collection;
  std::optional<int64_t> start_ms = {};  // empty: documents without a time
  uint64_t source = 0;                   // documents when each end was read, not at one moment
  uint64_t destination = 0;
  uint64_t missing = 0;
  uint64_t extra = 0;
  uint64_t different = 0;
};

struct AuditReport {
  std::string pipeline;
  std::string source;  // AuditSource::describe
  std::string destination;
  AuditKind kind = AuditKind::kChecksum;
  AuditBuckets bucketing;
  int64_t started_at_ms = 0;
  int64_t finished_at_ms = 0;
  double seconds = 0;    // spent, without the time between an interruption and its resumption
  bool resumed = false;  // part of it was done by an earlier process or an earlier try

  uint64_t collections = 0;
  uint64_t source_documents = 0;  // those that the pipeline's transforms keep
  uint64_t destination_documents = 0;
  uint64_t filtered = 0;  // at the source, and dropped by the transforms: expected nowhere
  uint64_t rejected = 0;  // at the source, and refused by a transform or by the destination: expected nowhere
  std::vector<AuditReject> rejects;  // the first kFirstIdsMax of them
  // Rows whose document exists and is dropped by the transforms now: the pipeline leaves such rows, so they are no difference.
  uint64_t left_over = 0;
  uint64_t capped_rows = 0;  // whose document a capped collection no longer holds: no event ever removes them
  uint64_t gone = 0;         // documents that both ends have lost while the audit ran

  uint64_t missing = 0;  // confirmed, like the next five
  uint64_t extra = 0;
  uint64_t different = 0;
  uint64_t unreadable = 0;
  uint64_t stale = 0;
  uint64_t doubled = 0;
  uint64_t unsettled = 0;  // differed each time, yet were changed again each time
  // At most so many more may differ: there were more than one audit looks into. Some may be among the confirmed.
  uint64_t unexamined = 0;
  std::vector<AuditUnaudited> unaudited;

  uint64_t buckets = 0;
  uint64_t buckets_differing = 0;   // with confirmed differences
  std::vector<BucketDelta> deltas;  // of the first kDeltasMax of them
  // The confirmed ones, by collection and id, as many as the memory limit allows (see differences_complete). A count audit
  // names none.
  std::vector<AuditDifference> differences;
  bool differences_complete = true;

  uint64_t source_bytes = 0;  // of the documents read in the first pass
  uint64_t destination_bytes = 0;
  uint64_t memory_bytes_peak = 0;  // of the drill-down's own tables

  uint64_t& of(DifferenceKind kind);
  // How many rows are confirmed to be wrong.
  uint64_t wrong() const { return missing + extra + different + unreadable + stale + doubled; }
  // Whether everything was looked at: what wasn't may be right or wrong.
  bool whole() const { return unsettled == 0 && unexamined == 0 && unaudited.empty(); }
  // Both ends hold the same: nothing is wrong, nothing is refused, and everything was looked at.
  bool clean() const { return wrong() == 0 && rejected == 0 && whole(); }
};

inline constexpr size_t kDeltasMax = 100;
inline constexpr size_t kFirstIdsMax = 20;
inline constexpr size_t kUnauditedMax = 1000;  // named; one more stands for the rest

// "missing shop.orders {"$oid":"65f0..."}"
std::string to_string(const AuditDifference& difference);
// "rejected shop.orders {"$oid":"65f0..."}: WHY"
std::string to_string(const AuditReject& reject);

// The figures of the last run; state, error, progress and ages are the caller's.
void fill(const AuditReport& report, AuditView& view);

struct RepairReport {
  uint64_t asked = 0;     // differences given
  uint64_t written = 0;   // rows written as the source has them
  uint64_t removed = 0;   // rows removed
  uint64_t healed = 0;    // right already when looked at again
  uint64_t rejected = 0;  // the sink can't take the document, or no event can name the row
  double seconds = 0;
  std::vector<AuditDifference> still_wrong;  // after the last look; all of them

  bool complete() const { return still_wrong.empty(); }
};

}  // namespace tidemark::guard
