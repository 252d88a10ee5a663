#include "guard/audit_scan.h"

namespace tidemark::guard {

void ScannedPage::clear() {
  count = 0;
  filtered = rejected = bytes = 0;
  rejected_at.clear();
  rejects.clear();
  where = {};
}

void ScannedPage::add(const AuditRow& row) {
  if (count == rows.size()) rows.emplace_back();
  ScannedRow& next = rows[count++];
  next.id.text = row.id;
  next.id.key = row.key;
  next.sum = sum_of(row);
  next.time_ms = row.time_ms;
  next.flawed = !row.flaw.empty();
}

AuditScanner::AuditScanner(AuditParts& parts, const AuditOptions& options, Expectation& expectation)
    : parts_(parts),
      options_(options),
      expectation_(expectation),
      source_pace_(*parts.clock, options.rate),
      end_pace_(*parts.clock, options.rate) {}

Status AuditScanner::reopen_source(std::stop_token stop) {
  parts_.source->close();
  return parts_.source->open(std::move(stop));
}

Status AuditScanner::reopen_end(std::stop_token stop) {
  parts_.end->close();
  return parts_.end->open(std::move(stop));
}

Status AuditScanner::source_page(const CollectionName& collection, const std::string& after,
                                 ScannedPage& page, std::stop_token stop) {
  bson::Document first;
  const auto visit = [&](bson::View document) -> Status {
    if (!first) first = bson::Document(document);
    page.bytes += document.size();
    TIDEMARK_ASSIGN(const auto verdict, expectation_.row(collection, document, row_));
    if (verdict == Expectation::Verdict::kFiltered) ++page.filtered;
    if (verdict == Expectation::Verdict::kRejected) {
      ++page.rejected;
      ++page.rejected_at[bucket_of(row_.time_ms, options_.buckets)];
      if (page.rejects.size() < kFirstIdsMax)
        page.rejects.push_back({collection, row_.id, expectation_.reason()});
    }
    if (verdict == Expectation::Verdict::kRow) page.add(row_);
    return {};
  };
  const auto read = [&]() -> Result<AuditPage> {
    page.clear();
    return parts_.source->scan(collection, after, source_pace_.page(options_.page_documents_max), visit,
                               stop);
  };
  TIDEMARK_ASSIGN(page.where, ask_source(read, stop));
  // After the page, so that a transform that asks a clock is seen to give another answer.
  if (first && options_.kind == AuditKind::kChecksum && steady_ != collection) {
    TIDEMARK_TRY(expectation_.check_steady(collection, first));
    steady_ = collection;
  }
  documents_ += page.seen();
  return source_pace_.spent(page.seen(), stop);
}

Status AuditScanner::end_page(const CollectionName& collection, const std::string& after, ScannedPage& page,
                              std::stop_token stop) {
  const auto visit = [&](const AuditRow& found) -> Status {
    page.bytes += found.doc.size();
    page.add(found);
    return {};
  };
  const auto read = [&]() -> Result<AuditPage> {
    page.clear();
    return parts_.end->scan(collection, options_.buckets, after, end_pace_.page(options_.page_documents_max),
                            visit, stop);
  };
  TIDEMARK_ASSIGN(page.where, ask_end(read, stop));
  documents_ += page.count;
  return end_pace_.spent(page.count, stop);
}

}  // namespace tidemark::guard
