#include "guard/audit_sums.h"

namespace tidemark::guard {
namespace {

AuditSums of_counts(const std::map<std::optional<int64_t>, uint64_t>& counts) {
  AuditSums sums;
  for (const auto& [start, count] : counts) sums.by_bucket[start].count = count;
  return sums;
}

}  // namespace

Status SumsCollector::check_buckets(const CollectionName& collection, const EndSums& sums) const {
  if (sums.sums.by_bucket.size() <= kBucketsMax) return {};
  return fail(React::kConfig,
              collection.text() + " falls into more than " + std::to_string(kBucketsMax) + " buckets of " +
                  std::to_string(options_.buckets.width_ms) + " ms by '" + options_.buckets.field + "'",
              "choose a larger `bucket`, or another `bucket_field`");
}

Status SumsCollector::take(const CollectionName& collection, EndSums& sums) {
  // Two documents of one id end two pages with the same id.
  if (!page_.where.done && page_.where.last_id == sums.last_id && page_.seen() == 0)
    return fail(React::kFatal, "the scan of " + collection.text() + " doesn't go on after " + sums.last_id);
  for (const ScannedRow& row : page_.all()) {
    sums.sums.by_bucket[bucket_of(row.time_ms, options_.buckets)].add(row.sum);
    sums.sums.by_leaf[leaf_of(row.id.text)].add(row.sum);
  }
  sums.filtered += page_.filtered;
  sums.rejected += page_.rejected;
  for (const auto& [bucket, count] : page_.rejected_at) sums.rejected_in[bucket] += count;
  for (AuditReject& reject : page_.rejects)
    if (sums.rejects.size() < kFirstIdsMax) sums.rejects.push_back(std::move(reject));
  sums.bytes += page_.bytes;
  sums.last_id = page_.where.last_id;
  sums.done = page_.where.done;
  return check_buckets(collection, sums);
}

Status SumsCollector::of_source(const CollectionName& collection, EndSums& sums, const AfterPage& after_page,
                                std::stop_token stop) {
  if (options_.kind == AuditKind::kCount && !reads_source_ && parts_.transforms.empty() &&
      may_push_down(sums) && !sums.done) {
    const auto count = [&] { return parts_.source->counts(collection, options_.buckets, stop); };
    TIDEMARK_ASSIGN(const auto counts, scanner_.ask_source(count, stop));
    sums.sums = of_counts(counts);
    sums.done = true;
    TIDEMARK_TRY(check_buckets(collection, sums));
    return after_page();
  }
  while (!sums.done) {
    TIDEMARK_TRY(scanner_.source_page(collection, sums.last_id, page_, stop));
    TIDEMARK_TRY(take(collection, sums));
    TIDEMARK_TRY(after_page());
  }
  return {};
}

Status SumsCollector::of_end(const CollectionName& collection, EndSums& sums, const AfterPage& after_page,
                             std::stop_token stop) {
  if (may_push_down(sums) && !sums.done && options_.kind == AuditKind::kCount) {
    const auto count = [&] { return parts_.end->counts(collection, options_.buckets, stop); };
    TIDEMARK_ASSIGN(const auto counts, scanner_.ask_end(count, stop));
    sums.sums = of_counts(counts);
    sums.done = true;
  } else if (may_push_down(sums) && !sums.done) {
    const auto sum = [&] { return parts_.end->sums(collection, options_.buckets, stop); };
    TIDEMARK_ASSIGN(auto made, scanner_.ask_end(sum, stop));
    if (made && made->by_leaf.size() != kAuditLeaves)
      return fail(React::kFatal, "the destination made " + std::to_string(made->by_leaf.size()) + " leaves");
    if (made) sums.sums = std::move(*made);
    sums.done = made.has_value();
  }
  if (sums.done) {
    TIDEMARK_TRY(check_buckets(collection, sums));
    return after_page();
  }
  while (!sums.done) {
    TIDEMARK_TRY(scanner_.end_page(collection, sums.last_id, page_, stop));
    TIDEMARK_TRY(take(collection, sums));
    TIDEMARK_TRY(after_page());
  }
  return {};
}

}  // namespace tidemark::guard
