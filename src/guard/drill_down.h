// From leaves whose sums differ to the documents that do, in bounded memory.
//
// A. The digests of the source's documents in these leaves are read, eight bytes each; as many leaves at a time as fit.
// B. The destination's rows of the same leaves are held against them: what isn't found is extra or different.
// C. What no row has matched is missing or different; one more pass over the source finds the ids.
// Each id found is settled. B counts what is wrong of the rows that are there, C what is missing or at the source twice, so that
// nothing counts twice. Of a capped collection a row without its document says nothing (the server removes documents there
// without an event), so that C counts what is different as well. One thread.
#pragma once

#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "guard/audit_parts.h"
#include "guard/audit_scan.h"
#include "guard/checkpoint.h"
#include "guard/settle.h"

namespace tidemark::guard {

// What so many differences take in memory, and the part of the limit that they may take.
size_t bytes_of(const std::vector<AuditDifference>& differences);
size_t differences_bytes_max(const AuditOptions& options);

struct BucketTally {
  uint64_t missing = 0;
  uint64_t extra = 0;
  uint64_t different = 0;  // and every other kind
};

class DrillDown {
 public:
  // All outlive this. Findings go into `report`, whose differences take at most `differences_bytes_max` (the earlier
  // collections' are elsewhere).
  DrillDown(AuditParts& parts, const AuditOptions& options, AuditScanner& scanner, Settling& settling,
            AuditReport& report, size_t differences_bytes_max, bool capped);

  // `doing` is told now and then what is being read.
  using Doing = std::function<void(std::string_view)>;
  Status run(const CollectionName& collection, const AuditSums& source, const AuditSums& destination,
             const Doing& doing, std::stop_token stop);

  // By the bucket of each confirmed difference.
  const std::map<std::optional<int64_t>, BucketTally>& by_bucket() const { return by_bucket_; }

 private:
  enum class Pass { kDestination, kSource };
  struct Group {
    std::vector<uint16_t> leaves;
    uint64_t source = 0;
    uint64_t destination = 0;
  };

  std::vector<Group> groups_of(const AuditSums& source, const AuditSums& destination) const;
  Status read_source(const CollectionName& collection, const Group& group, std::stop_token stop);
  Status read_destination(const CollectionName& collection, const Group& group, std::stop_token stop);
  Status read_pages_of_destination(const CollectionName& collection, std::stop_token stop);
  void hold_against(const AuditId& id, uint64_t digest, bool flawed);
  Pass pass_of(DifferenceKind kind) const;
  void keep_unmatched();
  Status find_unmatched(const CollectionName& collection, std::stop_token stop);

  void suspect(const AuditId& id);
  bool suspects_full() const { return suspects_bytes_ >= suspects_bytes_max_; }
  Status settle(const CollectionName& collection, Pass pass, std::stop_token stop);
  void take(const CollectionName& collection, Settled::Found&& found);
  void note_memory();

  AuditParts& parts_;
  const AuditOptions& options_;
  AuditScanner& scanner_;
  Settling& settling_;
  AuditReport& report_;
  const size_t digests_max_;
  const size_t unmatched_max_;
  const size_t suspects_bytes_max_;
  const size_t differences_bytes_max_;
  const bool capped_;

  std::vector<bool> in_group_;       // by leaf
  std::vector<uint64_t> digests_;    // of the source's documents in the group, sorted
  std::vector<bool> matched_;        // by index of digests_
  std::vector<uint64_t> unmatched_;  // of all groups
  std::vector<AuditId> suspects_;
  size_t suspects_bytes_ = 0;
  uint64_t suspects_ever_ = 0;
  size_t differences_bytes_ = 0;
  std::map<std::optional<int64_t>, BucketTally> by_bucket_;
  ScannedPage page_;
  AuditId id_;
};

}  // namespace tidemark::guard
