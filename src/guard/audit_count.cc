#include "guard/audit_count.h"

#include <algorithm>

namespace tidemark::guard {
namespace {

uint64_t size_of(int64_t delta) {
  return delta < 0 ? 0 - static_cast<uint64_t>(delta) : static_cast<uint64_t>(delta);
}

}  // namespace

CountAudit::Deltas CountAudit::deltas(const EndSums& source, const EndSums& destination) const {
  Deltas deltas;
  for (const auto& [bucket, sum] : source.sums.by_bucket) deltas[bucket] += static_cast<int64_t>(sum.count);
  for (const auto& [bucket, sum] : destination.sums.by_bucket)
    deltas[bucket] -= static_cast<int64_t>(sum.count);
  for (const auto& [bucket, count] : source.rejected_in) {
    const auto excess = deltas.find(bucket);
    if (excess != deltas.end() && excess->second < 0)
      excess->second = std::min<int64_t>(0, excess->second + static_cast<int64_t>(count));
  }
  std::erase_if(deltas, [&](const auto& entry) {
    return size_of(entry.second) <= options_.tolerance || (capped_ && entry.second < 0);
  });
  return deltas;
}

Result<std::optional<uint64_t>> CountAudit::count_again(const CollectionName& collection, EndSums& source,
                                                        EndSums& destination, std::stop_token stop) {
  const auto nothing = [] { return Status(); };
  source = destination = {};
  TIDEMARK_ASSIGN(const Position position, changes_.position(stop));
  TIDEMARK_TRY(collector_.of_end(collection, destination, nothing, stop));
  collector_.read_the_source(true);
  Status read = collector_.of_source(collection, source, nothing, stop);
  collector_.read_the_source(false);
  if (!read) return fail(std::move(read).error());
  const auto ask = [&] {
    return parts_.source->lookup(
        collection, {}, [](bson::View) { return Status(); }, stop);
  };
  TIDEMARK_ASSIGN(const bson::Timestamp until, scanner_.ask_source(ask, stop));

  // An update moves a document to another bucket, or through a transform's filter.
  const bool updates_count = options_.buckets.field != "_id" || !parts_.transforms.empty();
  uint64_t on_their_way = 0;
  bool anything = false;
  const auto visit = [&](const Change& change) {
    if (!change.cohort)
      anything = true;
    else if (change.op == Op::kInsert || change.op == Op::kDelete || updates_count)
      ++on_their_way;
  };
  TIDEMARK_TRY(changes_.read(position, until, collection, visit, stop));
  return anything ? std::nullopt : std::optional(on_their_way);
}

Status CountAudit::run(const CollectionName& collection, EndSums& source, EndSums& destination,
                       std::stop_token stop) {
  Deltas open = deltas(source, destination);
  Deltas before;
  const int looks = std::max(2, options_.rechecks);
  for (int i = 1; i <= looks && !open.empty(); ++i) {
    if (i > 1)
      TIDEMARK_TRY(sleep_for(*parts_.clock, std::chrono::milliseconds(options_.recheck_after_ms), stop));
    TIDEMARK_ASSIGN(const std::optional<uint64_t> on_their_way,
                    count_again(collection, source, destination, stop));
    open = deltas(source, destination);
    Deltas certain;
    for (const auto& [bucket, delta] : open) {
      if (on_their_way && size_of(delta) > options_.tolerance + *on_their_way) certain[bucket] = delta;
    }
    const auto confirmed = [&](const auto& entry) {
      const auto seen = before.find(entry.first);
      return certain.contains(entry.first) && seen != before.end() &&
             (seen->second < 0) == (entry.second < 0);
    };
    if (i == looks || std::ranges::all_of(open, confirmed)) {
      for (const auto& entry : open) {
        if (confirmed(entry))
          confirm(entry.first, entry.second);
        else
          report_.unsettled += size_of(entry.second);
      }
      return {};
    }
    before = std::move(certain);
  }
  return {};
}

void CountAudit::confirm(std::optional<int64_t> bucket, int64_t delta) {
  BucketTally& tally = by_bucket_[bucket];
  (delta > 0 ? tally.missing : tally.extra) += size_of(delta);
  (delta > 0 ? report_.missing : report_.extra) += size_of(delta);
}

}  // namespace tidemark::guard
