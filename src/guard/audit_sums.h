// Makes the sums of one end of one collection: by its server where that counts, in one pass where that is cheaper, page by page else, going on from where an
// earlier try stood. One thread.
#pragma once

#include <functional>

#include "guard/audit_parts.h"
#include "guard/audit_scan.h"
#include "guard/checkpoint.h"

namespace tidemark::guard {

// More buckets than this say nothing to anybody, and take memory without a bound.
inline constexpr size_t kBucketsMax = 100'000;

class SumsCollector {
 public:
  // All outlive this.
  SumsCollector(AuditParts& parts, const AuditOptions& options, AuditScanner& scanner)
      : parts_(parts), options_(options), scanner_(scanner) {}

  // Whether the source's documents are read even where its server could count them: only then it is known which are refused.
  void read_the_source(bool reads) { reads_source_ = reads; }

  // Until `sums.done`; `after_page` is called whenever `sums` stands at the end of a page.
  using AfterPage = std::function<Status()>;
  Status of_source(const CollectionName& collection, EndSums& sums, const AfterPage& after_page,
                   std::stop_token stop);
  Status of_end(const CollectionName& collection, EndSums& sums, const AfterPage& after_page,
                std::stop_token stop);

 private:
  Status take(const CollectionName& collection, EndSums& sums);
  Status check_buckets(const CollectionName& collection, const EndSums& sums) const;
  bool may_push_down(const EndSums& sums) const { return options_.pushdown && sums.last_id.empty(); }

  AuditParts& parts_;
  const AuditOptions& options_;
  AuditScanner& scanner_;
  ScannedPage page_;
  bool reads_source_ = false;
};

}  // namespace tidemark::guard
