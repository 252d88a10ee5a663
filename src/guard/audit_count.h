// Count audits: how many documents each bucket holds at either end.
//
// A bucket whose counts differ by more than the tolerance is counted again beside the changes that are still on their way
// (see guard/settle.h): each of them may explain one document. Counted again means that the source's documents are read: one
// that is refused calls for no row, and may have one from before. Rows in excess of a capped collection say nothing. What they can't explain, twice in a row, is confirmed. It tells
// no ids, and while much is on its way it sees little; a checksum audit does both. One thread.
#pragma once

#include <map>
#include <optional>
#include <stop_token>

#include "guard/audit_parts.h"
#include "guard/audit_scan.h"
#include "guard/audit_sums.h"
#include "guard/changes.h"
#include "guard/drill_down.h"

namespace tidemark::guard {

class CountAudit {
 public:
  // All outlive this. Findings go into `report`.
  CountAudit(AuditParts& parts, const AuditOptions& options, AuditScanner& scanner, SumsCollector& collector,
             Changes& changes, AuditReport& report, bool capped)
      : parts_(parts),
        options_(options),
        scanner_(scanner),
        collector_(collector),
        changes_(changes),
        report_(report),
        capped_(capped) {}

  // Judges two counts; counts again where they differ, and leaves the last counts in them.
  Status run(const CollectionName& collection, EndSums& source, EndSums& destination, std::stop_token stop);

  const std::map<std::optional<int64_t>, BucketTally>& by_bucket() const { return by_bucket_; }

 private:
  using Deltas = std::map<std::optional<int64_t>, int64_t>;  // source minus destination

  // Those beyond the tolerance.
  Deltas deltas(const EndSums& source, const EndSums& destination) const;
  // How many documents of one bucket may be on their way, at most; empty: any number.
  Result<std::optional<uint64_t>> count_again(const CollectionName& collection, EndSums& source,
                                              EndSums& destination, std::stop_token stop);
  void confirm(std::optional<int64_t> bucket, int64_t delta);

  AuditParts& parts_;
  const AuditOptions& options_;
  AuditScanner& scanner_;
  SumsCollector& collector_;
  Changes& changes_;
  AuditReport& report_;
  const bool capped_;
  std::map<std::optional<int64_t>, BucketTally> by_bucket_;
};

}  // namespace tidemark::guard
