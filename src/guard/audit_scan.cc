#include "guard/audit_scan.h"

namespace tidemark::guard {

void ScannedPage::clear() {
  count = 0;
  filtered = rejected = bytes = 0;
  where = {};
}

ScannedRow& ScannedPage::add() {
  if (count == rows.size()) rows.emplace_back();
  return rows[count++];
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
    if (verdict == Expectation::Verdict::kRejected) ++page.rejected;
    if (verdict != Expectation::Verdict::kRow) return {};
    ScannedRow& row = page.add();
    row.id = row_.id;
    row.sum = sum_of(row_);
    row.time_ms = row_.time_ms;
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
  const uint64_t seen = page.count + page.filtered + page.rejected;
  documents_ += seen;
  return source_pace_.spent(seen, stop);
}

Status AuditScanner::end_page(const CollectionName& collection, const std::string& after, ScannedPage& page,
                              std::stop_token stop) {
  const auto visit = [&](const AuditRow& found) -> Status {
    page.bytes += found.doc.size();
    ScannedRow& row = page.add();
    row.id = found.id;
    row.sum = sum_of(found);
    row.time_ms = found.time_ms;
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
