#include "guard/settle.h"

#include <algorithm>

namespace tidemark::guard {
namespace {

constexpr size_t kLookupIdsMax = 500;

std::optional<size_t> index_of(std::span<const std::string> ids, std::string_view id) {
  const auto found =
      std::ranges::lower_bound(ids, id, {}, [](const std::string& s) { return std::string_view(s); });
  if (found == ids.end() || *found != id) return std::nullopt;
  return static_cast<size_t>(found - ids.begin());
}

}  // namespace

std::optional<DifferenceKind> Sight::difference() const {
  if (dropped) return std::nullopt;
  if (source && !destination) return DifferenceKind::kMissing;
  if (!source && destination) return DifferenceKind::kExtra;
  if (source && destination && !(*source == *destination)) return DifferenceKind::kDifferent;
  return std::nullopt;
}

Status Settling::look_at_end(const CollectionName& collection, std::span<const std::string> ids,
                             Findings& look, std::stop_token stop) {
  const size_t at_once = scanner_.end_pace().page(std::min(kLookupIdsMax, options_.page_documents_max));
  for (size_t from = 0; from < ids.size(); from += at_once) {
    const auto some = ids.subspan(from, std::min(at_once, ids.size() - from));
    const auto visit = [&](const AuditRow& row) -> Status {
      const auto index = index_of(some, row.id);
      if (!index)
        return fail(React::kFatal, "the destination answered with a row that wasn't asked for: " + row.id);
      Sight& sight = look.sights[from + *index];
      sight.destination = sum_of(row);
      sight.destination_time_ms = row.time_ms;
      return {};
    };
    const auto read = [&]() -> Status {
      for (size_t i = from; i < from + some.size(); ++i) look.sights[i].destination.reset();
      return parts_.end->lookup(collection, some, visit, stop);
    };
    TIDEMARK_TRY(scanner_.ask_end(read, stop));
    TIDEMARK_TRY(scanner_.end_pace().spent(some.size(), stop));
  }
  return {};
}

Status Settling::look_at_source(const CollectionName& collection, std::span<const std::string> ids,
                                const Keep& keep, Findings& look, std::stop_token stop) {
  const size_t at_once = scanner_.source_pace().page(std::min(kLookupIdsMax, options_.page_documents_max));
  for (size_t from = 0; from < ids.size(); from += at_once) {
    const auto some = ids.subspan(from, std::min(at_once, ids.size() - from));
    const auto visit = [&](bson::View document) -> Status {
      TIDEMARK_TRY(id_of(document, id_));
      const auto index = index_of(some, id_);
      if (!index)
        return fail(React::kFatal, "the source answered with a document that wasn't asked for: " + id_);
      Sight& sight = look.sights[from + *index];
      TIDEMARK_ASSIGN(const auto verdict, expectation_.row(collection, document, row_));
      sight.dropped = verdict != Expectation::Verdict::kRow;
      if (sight.dropped) return {};
      sight.source = sum_of(row_);
      sight.source_time_ms = row_.time_ms;
      if (keep) keep(from + *index, document);
      return {};
    };
    const auto read = [&]() -> Result<bson::Timestamp> {
      for (size_t i = from; i < from + some.size(); ++i) {
        look.sights[i].source.reset();
        look.sights[i].dropped = false;
      }
      return parts_.source->lookup(collection, some, visit, stop);
    };
    TIDEMARK_ASSIGN(const bson::Timestamp as_of, scanner_.ask_source(read, stop));
    look.as_of = std::max(look.as_of, as_of);
    TIDEMARK_TRY(scanner_.source_pace().spent(some.size(), stop));
  }
  return {};
}

Result<Findings> Settling::look(const CollectionName& collection, std::span<const std::string> ids,
                                const Keep& keep, std::stop_token stop) {
  Findings look;
  look.sights.resize(ids.size());
  // The order is the proof: see the head of settle.h.
  TIDEMARK_ASSIGN(const Position position, changes_.position(stop));
  TIDEMARK_TRY(look_at_end(collection, ids, look, stop));
  TIDEMARK_TRY(look_at_source(collection, ids, keep, look, stop));
  const auto changed = [&](const Change& change) {
    if (!change.id) {
      for (Sight& sight : look.sights) sight.pending = true;
    } else if (const auto index = index_of(ids, *change.id)) {
      look.sights[*index].pending = true;
    }
  };
  TIDEMARK_TRY(changes_.read(position, look.as_of, collection, changed, stop));
  return look;
}

Result<Settled> Settling::settle(const CollectionName& collection, std::vector<std::string> ids,
                                 std::stop_token stop) {
  std::ranges::sort(ids);
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  std::vector<std::optional<DifferenceKind>> before(ids.size());  // what the look before would have confirmed
  Settled settled;
  const int looks = std::max(2, options_.rechecks);
  for (int i = 1; i <= looks && !ids.empty(); ++i) {
    if (i > 1)
      TIDEMARK_TRY(sleep_for(*parts_.clock, std::chrono::milliseconds(options_.recheck_after_ms), stop));
    TIDEMARK_ASSIGN(const Findings look, this->look(collection, ids, nullptr, stop));
    size_t kept = 0;
    for (size_t k = 0; k < ids.size(); ++k) {
      const Sight& sight = look.sights[k];
      const auto kind = sight.difference();
      if (!kind) {
        if (sight.dropped && sight.destination) ++settled.left_over;
      } else if (!sight.pending && before[k] == kind) {
        const bool extra = *kind == DifferenceKind::kExtra;
        settled.confirmed.push_back(
            {std::move(ids[k]), *kind, extra ? sight.destination_time_ms : sight.source_time_ms});
      } else if (i == looks) {
        ++(*kind == DifferenceKind::kMissing ? settled.unsettled_missing : settled.unsettled_present);
      } else {
        before[kept] = sight.pending ? std::nullopt : kind;
        if (kept != k) ids[kept] = std::move(ids[k]);
        ++kept;
      }
    }
    ids.resize(kept);
    before.resize(kept);
  }
  std::ranges::sort(settled.confirmed, {}, &Settled::Found::id);
  return settled;
}

}  // namespace tidemark::guard
