#include "guard/audit_report.h"

namespace tidemark::guard {

std::string_view to_string(AuditKind kind) { return kind == AuditKind::kCount ? "count" : "checksum"; }

std::string_view to_string(DifferenceKind kind) {
  switch (kind) {
    case DifferenceKind::kMissing:
      return "missing";
    case DifferenceKind::kExtra:
      return "extra";
    case DifferenceKind::kDifferent:
      return "different";
  }
  return "?";
}

std::string to_string(const AuditDifference& difference) {
  return std::string(to_string(difference.kind)) + " " + difference.collection.text() + " " + difference.id;
}

void fill(const AuditReport& report, AuditView& view) {
  view.pipeline = report.pipeline;
  view.kind = to_string(report.kind);
  view.duration_s = report.seconds;
  view.finished_at_ms = report.finished_at_ms;
  view.source_documents = report.source_documents;
  view.destination_documents = report.destination_documents;
  view.filtered_documents = report.filtered;
  view.missing = report.missing;
  view.extra = report.extra;
  view.different = report.different;
  view.unsettled = report.unsettled;
  view.buckets = report.buckets;
  view.buckets_differing = report.buckets_differing;
  view.first_ids.clear();
  for (const AuditDifference& difference : report.differences) {
    if (view.first_ids.size() == kFirstIdsMax) break;
    view.first_ids.push_back(to_string(difference));
  }
}

}  // namespace tidemark::guard
