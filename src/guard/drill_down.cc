#include "guard/drill_down.h"

#include <algorithm>

namespace tidemark::guard {
namespace {

// What one id takes while it is settled, beside its text: the string, its sight, the allocator's part.
constexpr size_t kSuspectBytes = sizeof(AuditId) + sizeof(Sight) + 120;
constexpr size_t kDifferenceBytes = sizeof(AuditDifference) + 64;

// The low half alone: that two of ten million documents share it has a chance of 1 in 10^11 for each wrong row.
uint64_t digest_of(const AuditSum& sum) { return sum.low; }

}  // namespace

size_t bytes_of(const std::vector<AuditDifference>& differences) {
  size_t bytes = 0;
  for (const AuditDifference& difference : differences)
    bytes += kDifferenceBytes + difference.id.size() + difference.key.size();
  return bytes;
}

size_t differences_bytes_max(const AuditOptions& options) { return options.memory_bytes_max / 4; }

// The limit in eighths: 2 for digests (with a bit each), 1 for what is unmatched (half of it spare, since a vector doubles),
// 1 for the suspects before they are settled and 1 for what one page or one look adds to them, 2 for the differences kept.
DrillDown::DrillDown(AuditParts& parts, const AuditOptions& options, AuditScanner& scanner,
                     Settling& settling, AuditReport& report, size_t differences_bytes_max, bool capped)
    : parts_(parts),
      options_(options),
      scanner_(scanner),
      settling_(settling),
      report_(report),
      digests_max_(std::max<size_t>(options.memory_bytes_max / 4 / 9, 1024)),
      unmatched_max_(std::max<size_t>(options.memory_bytes_max / 16 / sizeof(uint64_t), 1024)),
      suspects_bytes_max_(std::max<size_t>(options.memory_bytes_max / 8, 128 << 10)),
      differences_bytes_max_(differences_bytes_max),
      capped_(capped),
      in_group_(kAuditLeaves) {}

Status DrillDown::run(const CollectionName& collection, const AuditSums& source, const AuditSums& destination,
                      const Doing& doing, std::stop_token stop) {
  for (const Group& group : groups_of(source, destination)) {
    doing("looking for what differs in");
    TIDEMARK_TRY(read_source(collection, group, stop));
    TIDEMARK_TRY(read_destination(collection, group, stop));
    TIDEMARK_TRY(settle(collection, Pass::kDestination, stop));
    keep_unmatched();
  }
  doing("looking for what is missing of");
  TIDEMARK_TRY(find_unmatched(collection, stop));
  return settle(collection, Pass::kSource, stop);
}

std::vector<DrillDown::Group> DrillDown::groups_of(const AuditSums& source,
                                                   const AuditSums& destination) const {
  std::vector<Group> groups;
  for (size_t leaf = 0; leaf < kAuditLeaves; ++leaf) {
    const AuditSum& left = source.by_leaf[leaf];
    const AuditSum& right = destination.by_leaf[leaf];
    if (left == right) continue;
    if (groups.empty() || groups.back().source + left.count > digests_max_) groups.emplace_back();
    groups.back().leaves.push_back(static_cast<uint16_t>(leaf));
    groups.back().source += left.count;
    groups.back().destination += right.count;
  }
  return groups;
}

// --- A

Status DrillDown::read_source(const CollectionName& collection, const Group& group, std::stop_token stop) {
  std::fill(in_group_.begin(), in_group_.end(), false);
  for (uint16_t leaf : group.leaves) in_group_[leaf] = true;
  digests_.clear();
  // What has come since the sums were made is found equal when it is settled, or by the next audit.
  if (group.source > 0) {
    digests_.reserve(std::min<size_t>(digests_max_, group.source + group.source / 16 + 64));
    std::string last_id;
    for (bool done = false; !done;) {
      TIDEMARK_TRY(scanner_.source_page(collection, last_id, page_, stop));
      for (const ScannedRow& row : page_.all()) {
        if (!in_group_[leaf_of(row.id.text)]) continue;
        if (digests_.size() < digests_max_)
          digests_.push_back(digest_of(row.sum));
        else
          ++report_.unexamined;
      }
      done = page_.where.done;
      last_id = page_.where.last_id;
    }
  }
  std::ranges::sort(digests_);
  matched_.assign(digests_.size(), false);
  note_memory();
  return {};
}

// --- B

void DrillDown::hold_against(const AuditId& id, uint64_t digest, bool flawed) {
  // One row matches one document: the second of two that are equal is looked for, and found to be a second.
  const auto [first, last] = std::ranges::equal_range(digests_, digest);
  for (auto at = first; at != last; ++at) {
    const auto index = static_cast<size_t>(at - digests_.begin());
    if (matched_[index]) continue;
    matched_[index] = true;
    return;
  }
  if (capped_ && !flawed)
    ++report_.capped_rows;
  else
    suspect(id);
}

Status DrillDown::read_destination(const CollectionName& collection, const Group& group,
                                   std::stop_token stop) {
  if (group.destination == 0) return {};
  uint64_t seen = 0;
  const auto visit = [&](const AuditRow& row) -> Status {
    ++seen;
    if (!in_group_[leaf_of(row.id)]) return {};
    id_.text = row.id;
    id_.key = row.key;
    hold_against(id_, digest_of(sum_of(row)), !row.flaw.empty());
    return {};
  };
  const uint64_t unexamined = report_.unexamined;
  const uint64_t capped_rows = report_.capped_rows;
  const auto read = [&]() -> Result<bool> {
    suspects_.clear();
    suspects_bytes_ = 0;
    report_.unexamined = unexamined;
    report_.capped_rows = capped_rows;
    matched_.assign(digests_.size(), false);
    return parts_.end->scan_leaves(collection, options_.buckets, group.leaves, visit, stop);
  };
  TIDEMARK_ASSIGN(const bool chosen, scanner_.ask_end(read, stop));
  if (!chosen) return read_pages_of_destination(collection, stop);
  return scanner_.end_pace().spent(seen, stop);
}

Status DrillDown::read_pages_of_destination(const CollectionName& collection, std::stop_token stop) {
  std::string last_id;
  for (bool done = false; !done;) {
    TIDEMARK_TRY(scanner_.end_page(collection, last_id, page_, stop));
    for (const ScannedRow& row : page_.all()) {
      if (in_group_[leaf_of(row.id.text)]) hold_against(row.id, digest_of(row.sum), row.flawed);
    }
    done = page_.where.done;
    last_id = page_.where.last_id;
    if (suspects_full()) TIDEMARK_TRY(settle(collection, Pass::kDestination, stop));
  }
  return {};
}

void DrillDown::keep_unmatched() {
  for (size_t i = 0; i < digests_.size(); ++i) {
    if (matched_[i]) continue;
    if (unmatched_.size() < unmatched_max_)
      unmatched_.push_back(digests_[i]);
    else
      ++report_.unexamined;
  }
  note_memory();
}

// --- C

Status DrillDown::find_unmatched(const CollectionName& collection, std::stop_token stop) {
  if (unmatched_.empty()) return {};
  digests_ = {};
  matched_ = {};
  std::ranges::sort(unmatched_);
  std::string last_id;
  for (bool done = false; !done;) {
    TIDEMARK_TRY(scanner_.source_page(collection, last_id, page_, stop));
    for (const ScannedRow& row : page_.all()) {
      if (std::ranges::binary_search(unmatched_, digest_of(row.sum))) suspect(row.id);
    }
    done = page_.where.done;
    last_id = page_.where.last_id;
    if (suspects_full()) TIDEMARK_TRY(settle(collection, Pass::kSource, stop));
  }
  return {};
}

// --- settling

void DrillDown::suspect(const AuditId& id) {
  // Beyond the limits it is known that more differs, and not what.
  if (suspects_ever_ >= options_.suspects_max || suspects_bytes_ > 2 * suspects_bytes_max_) {
    ++report_.unexamined;
    return;
  }
  ++suspects_ever_;
  suspects_.push_back(id);
  suspects_bytes_ += kSuspectBytes + id.text.size() + id.key.size();
}

Status DrillDown::settle(const CollectionName& collection, Pass pass, std::stop_token stop) {
  if (suspects_.empty()) return {};
  note_memory();
  std::vector<AuditId> ids = std::move(suspects_);
  suspects_ = {};
  suspects_bytes_ = 0;
  TIDEMARK_ASSIGN(Settled settled, settling_.settle(collection, std::move(ids), stop));
  // What is at both ends may be looked at in both passes.
  for (size_t kind = 0; kind < kDifferenceKinds; ++kind)
    if (pass_of(static_cast<DifferenceKind>(kind)) == pass) report_.unsettled += settled.unsettled[kind];
  if (pass == Pass::kDestination) report_.left_over += settled.left_over;
  if (pass == Pass::kSource)
    report_.gone += settled.gone;  // a row in excess that goes is one that has healed
  for (Settled::Found& found : settled.confirmed)
    if (pass_of(found.kind) == pass) take(collection, std::move(found));
  return {};
}

DrillDown::Pass DrillDown::pass_of(DifferenceKind kind) const {
  switch (kind) {
    case DifferenceKind::kMissing:
    case DifferenceKind::kDoubled:
      return Pass::kSource;
    case DifferenceKind::kDifferent:
      return capped_ ? Pass::kSource : Pass::kDestination;
    case DifferenceKind::kExtra:
    case DifferenceKind::kUnreadable:
    case DifferenceKind::kStale:
      break;
  }
  return Pass::kDestination;
}

void DrillDown::take(const CollectionName& collection, Settled::Found&& found) {
  if (capped_ && found.kind == DifferenceKind::kExtra) {
    ++report_.capped_rows;
    return;
  }
  BucketTally& tally = by_bucket_[bucket_of(found.time_ms, options_.buckets)];
  ++report_.of(found.kind);
  ++(found.kind == DifferenceKind::kMissing ? tally.missing
     : found.kind == DifferenceKind::kExtra ? tally.extra
                                            : tally.different);
  // Its row was taken for one without a document.
  if (capped_ && found.kind == DifferenceKind::kDifferent && report_.capped_rows > 0) --report_.capped_rows;
  const size_t bytes = kDifferenceBytes + found.id.text.size() + found.id.key.size();
  if (differences_bytes_ + bytes > differences_bytes_max_) {
    report_.differences_complete = false;
    return;
  }
  differences_bytes_ += bytes;
  report_.differences.push_back({collection, std::move(found.id.text), found.kind, std::move(found.id.key)});
}

void DrillDown::note_memory() {
  const size_t bytes = digests_.capacity() * sizeof(uint64_t) + matched_.size() / 8 +
                       unmatched_.capacity() * sizeof(uint64_t) + suspects_bytes_ + differences_bytes_;
  report_.memory_bytes_peak = std::max<uint64_t>(report_.memory_bytes_peak, bytes);
}

}  // namespace tidemark::guard
