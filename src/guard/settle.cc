#include "guard/settle.h"

#include <algorithm>
#include <numeric>

namespace tidemark::guard {
namespace {

constexpr size_t kLookupIdsMax = 500;

// Those of one text stand together.
auto of_text(std::span<const AuditId> ids, std::string_view text) {
  return std::ranges::equal_range(ids, text, {}, [](const AuditId& id) { return std::string_view(id.text); });
}

// Ids by their cohorts; several may have one.
class ByCohort {
 public:
  explicit ByCohort(std::span<const AuditId> ids) {
    cohorts_.reserve(ids.size());
    for (size_t i = 0; i < ids.size(); ++i) {
      const auto value = document_of_key(ids[i].key);
      if (!value) continue;  // no change can name it
      append_cohort(*value->view().find("_id"), cohorts_.emplace_back(std::string(), i).first);
    }
    std::ranges::sort(cohorts_);
  }
  auto find(std::string_view cohort) const {
    return std::ranges::equal_range(cohorts_, cohort, {},
                                    [](const auto& each) { return std::string_view(each.first); });
  }

 private:
  std::vector<std::pair<std::string, size_t>> cohorts_;
};

// Ids by their keys.
class ByKey {
 public:
  explicit ByKey(std::span<const AuditId> ids) : ids_(ids), order_(ids.size()) {
    std::iota(order_.begin(), order_.end(), size_t{0});
    std::ranges::sort(order_, {}, [&](size_t i) { return std::string_view(ids_[i].key); });
  }
  std::optional<size_t> find(std::string_view key) const {
    const auto found =
        std::ranges::lower_bound(order_, key, {}, [&](size_t i) { return std::string_view(ids_[i].key); });
    if (found == order_.end() || ids_[*found].key != key) return std::nullopt;
    return *found;
  }

 private:
  std::span<const AuditId> ids_;
  std::vector<size_t> order_;
};

// What the look before has seen of an id, as far as a second look may confirm it.
struct Seen {
  bool nowhere = false;
  std::optional<DifferenceKind> kind = {};
};

}  // namespace

std::optional<DifferenceKind> Sight::difference() const {
  if (documents > 1) return DifferenceKind::kDoubled;
  if (rejected) return destination ? std::optional(DifferenceKind::kStale) : std::nullopt;
  if (filtered) return std::nullopt;
  if (source && !destination) return DifferenceKind::kMissing;
  if (!source && destination) return DifferenceKind::kExtra;
  if (source && destination && flawed) return DifferenceKind::kUnreadable;
  if (source && destination && !(*source == *destination)) return DifferenceKind::kDifferent;
  return std::nullopt;
}

Status Settling::look_at_end(const CollectionName& collection, std::span<const AuditId> ids, Findings& look,
                             std::stop_token stop) {
  const size_t at_once = scanner_.end_pace().page(std::min(kLookupIdsMax, options_.page_documents_max));
  for (size_t from = 0; from < ids.size(); from += at_once) {
    const auto some = ids.subspan(from, std::min(at_once, ids.size() - from));
    const auto visit = [&](const AuditRow& row) -> Status {
      const auto same_text = of_text(some, row.id);
      if (same_text.empty())
        return fail(React::kFatal, "the destination answered with a row that wasn't asked for: " + row.id);
      for (const AuditId& id : same_text) {
        // Of two ids with one text the row is that one's alone whose bytes it holds.
        if (row.flaw.empty() && row.key != id.key) continue;
        Sight& sight = look.sights[static_cast<size_t>(&id - ids.data())];
        sight.destination = sum_of(row);
        sight.destination_time_ms = row.time_ms;
        sight.flawed = !row.flaw.empty();
      }
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

Status Settling::look_at_source(const CollectionName& collection, std::span<const AuditId> ids,
                                const Keep& keep, Findings& look, std::stop_token stop) {
  const size_t at_once = scanner_.source_pace().page(std::min(kLookupIdsMax, options_.page_documents_max));
  for (size_t from = 0; from < ids.size(); from += at_once) {
    const auto some = ids.subspan(from, std::min(at_once, ids.size() - from));
    const ByKey by_key(some);
    const auto visit = [&](bson::View document) -> Status {
      TIDEMARK_TRY(key_of(document, key_));
      const auto index = by_key.find(key_);
      if (!index) return fail(React::kFatal, "the source answered with a document that wasn't asked for");
      Sight& sight = look.sights[from + *index];
      TIDEMARK_ASSIGN(const auto verdict, expectation_.row(collection, document, row_));
      if (verdict == Expectation::Verdict::kFiltered) {
        sight.filtered = true;
        return {};
      }
      ++sight.documents;
      sight.rejected = verdict == Expectation::Verdict::kRejected;
      sight.source_time_ms = row_.time_ms;
      if (sight.rejected) return {};
      sight.source = sum_of(row_);
      if (keep) keep(from + *index, document);
      return {};
    };
    const auto read = [&]() -> Result<bson::Timestamp> {
      for (size_t i = from; i < from + some.size(); ++i) {
        Sight& sight = look.sights[i];
        sight.source.reset();
        sight.documents = 0;
        sight.filtered = sight.rejected = false;
      }
      return parts_.source->lookup(collection, some, visit, stop);
    };
    TIDEMARK_ASSIGN(const bson::Timestamp as_of, scanner_.ask_source(read, stop));
    look.as_of = std::max(look.as_of, as_of);
    TIDEMARK_TRY(scanner_.source_pace().spent(some.size(), stop));
  }
  return {};
}

Result<Findings> Settling::look(const CollectionName& collection, std::span<const AuditId> ids,
                                const Keep& keep, std::stop_token stop) {
  Findings look;
  look.sights.resize(ids.size());
  // The order is the proof: see the head of settle.h.
  TIDEMARK_ASSIGN(const Position position, changes_.position(stop));
  TIDEMARK_TRY(look_at_end(collection, ids, look, stop));
  TIDEMARK_TRY(look_at_source(collection, ids, keep, look, stop));
  const ByCohort by_cohort(ids);
  const auto changed = [&](const Change& change) {
    if (!change.cohort) {
      for (Sight& sight : look.sights) sight.pending = true;
    } else {
      for (const auto& [cohort, index] : by_cohort.find(*change.cohort)) look.sights[index].pending = true;
    }
  };
  TIDEMARK_TRY(changes_.read(position, look.as_of, collection, changed, stop));
  return look;
}

Result<Settled> Settling::settle(const CollectionName& collection, std::vector<AuditId> ids,
                                 std::stop_token stop) {
  std::ranges::sort(ids);
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  std::vector<Seen> before(ids.size());
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
      if (!kind && !sight.nowhere()) {
        if (sight.filtered && sight.destination) ++settled.left_over;
      } else if (!kind && before[k].nowhere) {
        // It was read from one end and is at neither: to call that equal takes a second look, as everything does.
        ++settled.gone;
      } else if (kind && !sight.pending && before[k].kind == kind) {
        const bool extra = *kind == DifferenceKind::kExtra;
        settled.confirmed.push_back(
            {std::move(ids[k]), *kind, extra ? sight.destination_time_ms : sight.source_time_ms});
      } else if (i == looks) {
        ++settled.unsettled[static_cast<size_t>(kind.value_or(DifferenceKind::kMissing))];
      } else {
        before[kept] = {sight.nowhere(), sight.pending ? std::nullopt : kind};
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
