#include "guard/repair.h"

#include <algorithm>

#include <fmt/format.h>

#include "guard/pace.h"

namespace tidemark::guard {
namespace {

constexpr size_t kIdsAtOnceMax = 200;
constexpr int kRoundsMin = 4;

}  // namespace

std::string repair_id(bson::Timestamp time) {
  const uint64_t next = (uint64_t{time.seconds} << 32 | time.increment) + 1;
  return fmt::format("82{:016X}", next);
}

Status Repair::run(std::span<const AuditDifference> differences, RepairReport& report, const Done& done,
                   std::stop_token stop) {
  std::vector<AuditDifference> sorted(differences.begin(), differences.end());
  // By id and key, which is the order of a look.
  std::ranges::sort(sorted, {},
                    [](const AuditDifference& each) { return std::tie(each.collection, each.id, each.key); });
  report.asked += sorted.size();
  for (size_t from = 0; from < sorted.size();) {
    std::vector<Item> items;
    size_t to = from;
    for (; to < sorted.size() && items.size() < kIdsAtOnceMax; ++to) {
      if (sorted[to].collection != sorted[from].collection) break;
      AuditId id{sorted[to].id, sorted[to].key};
      if (items.empty() || items.back().id != id) items.push_back({std::move(id)});
    }
    TIDEMARK_TRY(repair_some(sorted[from].collection, std::move(items), report, stop));
    from = to;
    if (done) done(from);
  }
  return {};
}

Status Repair::repair_some(const CollectionName& collection, std::vector<Item> items, RepairReport& report,
                           std::stop_token stop) {
  const int rounds = std::max(kRoundsMin, options_.rechecks);
  for (int i = 1; i <= rounds; ++i) {
    TIDEMARK_TRY(prepare(collection, items, report, stop));
    if (items.empty()) return {};
    if (i == rounds) break;  // the last round only looks
    const bool waits = batch_.events().empty();
    TIDEMARK_TRY(write(items, stop));
    // The pipeline is about to change these rows itself.
    if (waits)
      TIDEMARK_TRY(sleep_for(*parts_.clock, std::chrono::milliseconds(options_.recheck_after_ms), stop));
  }
  for (const Item& item : items) {
    report.rejected += item.rejected;
    report.still_wrong.push_back({collection, item.id.text, item.kind.value(), item.id.key});
  }
  return {};
}

Status Repair::prepare(const CollectionName& collection, std::vector<Item>& items, RepairReport& report,
                       std::stop_token stop) {
  std::vector<AuditId> ids;
  for (const Item& item : items) ids.push_back(item.id);
  // The documents of this very look, and no newer ones: the event's id says what was read.
  std::vector<bson::Document> documents(ids.size());
  size_t kept = 0;
  const size_t kept_max = options_.memory_bytes_max / 4;
  const auto keep = [&](size_t index, bson::View document) {
    kept -= documents[index].size();
    documents[index] = {};
    if (kept > 0 && kept + document.size() > kept_max) return;  // its turn comes in the next round
    kept += document.size();
    documents[index] = bson::Document(document);
  };
  TIDEMARK_ASSIGN(const Findings look, settling_.look(collection, ids, keep, stop));

  batch_.clear();
  item_of_event_.clear();
  std::vector<Item> rest;
  for (size_t i = 0; i < items.size(); ++i) {
    Item& item = items[i];
    item.kind = look.sights[i].difference();
    if (!item.kind) {
      if (!item.written && !item.removed) ++report.healed;
      report.written += item.written;
      report.removed += item.removed && !item.written;
      continue;
    }
    const size_t events = batch_.events().size();
    if (!look.sights[i].pending && !item.rejected)
      TIDEMARK_TRY(add_event(collection, item, documents[i], look.as_of));
    if (batch_.events().size() > events) item_of_event_.push_back(rest.size());
    rest.push_back(std::move(item));
  }
  items = std::move(rest);
  return {};
}

Status Repair::add_event(const CollectionName& collection, Item& item, const bson::Document& document,
                         bson::Timestamp as_of) {
  const std::string id = repair_id(as_of);
  const EventMark mark{id, as_of, parts_.clock->wall_ms()};
  // What the destination refuses, and what the source has twice, no event puts right.
  if (*item.kind == DifferenceKind::kStale || *item.kind == DifferenceKind::kDoubled) {
    item.rejected = true;
    return {};
  }
  if (*item.kind == DifferenceKind::kExtra) {
    // A row made by hand may have an id that reads back to no value: no event can name it, and one that tried would remove
    // another.
    const auto key = document_of_key(item.id.key);
    if (!key) {
      item.rejected = true;
      return {};
    }
    TIDEMARK_ASSIGN(const Event event, make_event(Op::kDelete, collection, *key, {}, mark, batch_));
    batch_.events().push_back(event);
    item.removed = true;
    return {};
  }
  if (!document) return {};
  Event event;
  TIDEMARK_ASSIGN(const auto verdict, expectation_.event(collection, document, mark, batch_, event));
  if (verdict != Expectation::Verdict::kRow) return {};
  // It went through the transforms as the insert that the audit measures by; a sink is told that a row may be there.
  event.op = Op::kReplace;
  event.op_name = "replace";
  batch_.events().push_back(event);
  item.written = true;
  return {};
}

Status Repair::write(std::vector<Item>& items, std::stop_token stop) {
  std::span<const Event> events = batch_.events();
  for (int tries = 0; !events.empty();) {
    auto written = sink_.write(events, stop);
    if (written) return {};
    WriteFailure& failure = written.error();
    if (failure.error.react == React::kReject && failure.culprit < events.size()) {
      // Those before the culprit once more without it: a guarded row takes the same event twice.
      const size_t culprit = failure.culprit;
      items[item_of_event_[culprit]].rejected = true;
      batch_.events().erase(batch_.events().begin() + static_cast<ptrdiff_t>(culprit));
      item_of_event_.erase(item_of_event_.begin() + static_cast<ptrdiff_t>(culprit));
      events = batch_.events();
    } else if (failure.error.react == React::kRetry && ++tries < kTriesMax) {
      TIDEMARK_TRY(sleep_for(*parts_.clock, std::chrono::seconds(1 << (tries - 1)), stop));
      if (Status opened = sink_.open(stop); !opened && opened.error().react != React::kRetry) return opened;
    } else {
      return fail(std::move(failure.error));
    }
  }
  return {};
}

}  // namespace tidemark::guard
